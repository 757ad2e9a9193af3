"""A real search from the Transformer: are the paper's ideas among its confirmed best?

It has three steps, each of which resumes where it was interrupted: `primeval search` with the
configuration in this folder, `primeval confirm` of its best, and a section of
docs/rediscovery.md with a picture, written from the run's store.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hurdles import PAPER, figures
from ideas import convolved_projections, squared_rectifiers
from rediscovery_plot import draw

from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.units import rough_duration
from primeval.scripts.cli import main as primeval
from primeval.scripts.tables.confirmed import circumstances
from primeval.search.confirm.figures import Confirmed, Figures, read_confirmed, reference_of
from primeval.search.run.folder import Run, open_run
from primeval.search.run.schema import FILE_NAME
from primeval.search.views.ranking import describe_edit

HERE = Path(__file__).parent
CONFIG = HERE / "rediscovery.yaml"
BEGIN, END = "<!-- written by rediscovery.py --real -->", "<!-- end -->"
# Each idea, a count of it in a graph, and the known program that adds it to the seed.
IDEAS = {
    "squared rectifier": (squared_rectifiers, "squared_relu"),
    "convolved projections": (convolved_projections, "mdha"),
}


@dataclass(frozen=True)
class Seen:
    """An individual of the search, with what this question needs."""

    id: int
    minutes: float  # minutes of searching until its outcome was known
    outcome: Outcome
    ideas: tuple[str, ...]
    edit: str


@dataclass(frozen=True)
class Finalist:
    """A confirmed program: its figures (`Confirmed.figures`) and the ideas that it contains."""

    name: str
    ideas: tuple[str, ...]
    confirmed: Confirmed
    figures: Figures
    individual: int | None = None

    @property
    def beats_the_seed(self) -> bool:
        """Whether its whole interval is better than the seed."""
        interval = self.figures.interval
        return interval is not None and interval[1] < 0


def real(args: argparse.Namespace) -> int:
    """Search, confirm and write the section; returns the exit status."""
    document = (args.docs or HERE.parent / "docs") / "rediscovery.md"
    if BEGIN not in document.read_text(encoding="utf-8"):
        sys.exit(f"{document} has no line {BEGIN!r} to write after.")
    status = searched(args)
    if status or interrupted(args.real):
        return status or told_to_go_on()
    status, finished = confirmed(args)
    if status or not finished:
        return status or told_to_go_on()
    run = open_run(args.real)
    everybody, finalists = seen(run), finalists_of(run, args.seeds)
    picture = document.with_suffix(".png")
    draw(run, everybody, finalists, picture)
    section = "\n".join(section_lines(run, everybody, finalists, command(args), picture.name))
    write_section(document, section)
    print(section)
    run.close()
    return 0


def searched(args: argparse.Namespace) -> int:
    """Start the search or resume it; returns the exit status."""
    sets = [f"budget.max_time={args.minutes * 60:g}s", *args.set]
    options = [word for one in sets for word in ("--set", one)]
    if (args.real / FILE_NAME).exists():
        return primeval(["resume", str(args.real), *options])
    return primeval(["search", str(CONFIG), "--run-dir", str(args.real), *options])


def interrupted(folder: Path) -> bool:
    """Whether the search was stopped before its budget was used up."""
    run = open_run(folder)
    last = run.store.events()[-1]
    run.close()
    return last.kind == "stopped" and last.data.get("reason") == "interrupted"


def told_to_go_on() -> int:
    print("\nStopped as asked; what is done is kept. The same command resumes it.")
    return 0


def confirmed(args: argparse.Namespace) -> tuple[int, bool]:
    """Train the best and the known programs again; returns the exit status and "all done"."""
    words = ["confirm", args.real, "--top", args.top, "--seeds", args.seeds, "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = primeval(list(map(str, words)))
    return status, status == 0 and bool(json.loads(printed.getvalue())["finished"])


def command(args: argparse.Namespace) -> str:
    words = [f"python benchmarks/rediscovery.py --real {args.real} --minutes {args.minutes:g}"]
    words += [f"--top {args.top} --seeds {args.seeds}", *(f"--set {one}" for one in args.set)]
    return " ".join(words)


# -- what the store says ------------------------------------------------------------------


def ideas_of(graph: Graph) -> tuple[str, ...]:
    return tuple(name for name, (count, _) in IDEAS.items() if count(graph))


def seen(run: Run) -> list[Seen]:
    """All new programs with an outcome, in the order in which outcomes came."""
    elapsed = {number: end for number, (_, end) in run.store.times().items() if end is not None}
    told = dict(run.store.outcomes())
    individuals = {one.id: one for one in run.store.individuals()}
    return [
        Seen(
            number,
            elapsed[number] / 60,
            outcome,
            ideas_of(build_graph(individuals[number].program())),
            describe_edit(run, individuals[number]),
        )
        for number, outcome in told.items()
        if individuals[number].of is None
    ]


def finalists_of(run: Run, seeds: int) -> list[Finalist]:
    """Confirmed programs, the best first; those without a mean come last."""
    found = {key: one.within(seeds) for key, one in read_confirmed(run).items()}
    texts = {one.fingerprint: one.text for one in run.store.confirmations()}
    reference = reference_of(run, found)
    finalists = [
        Finalist(
            one.name,
            ideas_of(build_graph(parse(texts[key]))),
            one,
            one.figures(reference),
            None if (same := run.store.find(key)) is None else same.id,
        )
        for key, one in found.items()
    ]
    return sorted(finalists, key=lambda one: (one.figures.loss is None, one.figures.loss))


# -- what is written ----------------------------------------------------------------------


def section_lines(
    run: Run,
    everybody: Sequence[Seen],
    finalists: Sequence[Finalist],
    given: str,
    picture: str,
) -> list[str]:
    """The section of the document; the verdict comes first."""
    facts = dict(circumstances(run, []))
    kept = ("scale", "budget of each", "data", "training", "made with")
    statuses = ", ".join(f"{n} {name}" for name, n in sorted(run.store.statuses().items()))
    return [
        *verdict(finalists),
        "",
        f"![Losses of the search, curves and differences to the seed]({picture})",
        "",
        *confirmed_table(finalists),
        "",
        *appearance_table(everybody),
        "",
        "```sh",
        given,
        "```",
        "",
        *(f"- {name}: {facts[name]}" for name in kept),
        f"- the search: {rough_duration(run.store.elapsed())}, {run.store.told():,} candidates "
        f"({statuses})",
        f"- mean cost of a candidate: {mean_cost(run, everybody)}",
    ]


def verdict(finalists: Sequence[Finalist]) -> list[str]:
    """What was found, by the rule that the document states."""
    own = [one for one in finalists if one.individual is not None and one.figures.pairs]
    better = [one for one in own if one.beats_the_seed]
    lines = [
        f"**{len(better)} of the {len(own)} best that were confirmed beat the seed** with "
        f"their whole interval{_named(better)}."
    ]
    for idea, (_, program) in IDEAS.items():
        holders = [one for one in better if idea in one.ideas]
        lines.append(f"- {idea}: {'found' + _named(holders) if holders else 'not among them'}.")
        known = next((one for one in finalists if program in one.name.split(" = ")), None)
        bar = known.figures.loss if known else None
        if bar is None:
            lines.append(f"- as good as `{program}`: not known, it failed with a seed.")
            continue
        good = [one for one in better if one.figures.loss <= bar]
        found = f"yes{_named(good)}" if good else "no"
        lines.append(f"- as good as `{program}` ({bar:.4f}) in the mean: {found}.")
    return lines


def _named(finalists: Sequence[Finalist]) -> str:
    return f" ({', '.join(one.name for one in finalists)})" if finalists else ""


def confirmed_table(finalists: Sequence[Finalist]) -> list[str]:
    lines = [
        "| program | holds | test loss | vs seed | 95 % interval | steps |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for one in finalists:
        figures = one.figures
        loss, gap, interval = figures.loss, figures.loss_vs_seed, figures.interval
        failed = ", ".join(f"{way} in {n}" for way, n in one.figures.failures.items())
        cells = [
            one.name,
            ", ".join(one.ideas) or "-",
            failed if loss is None else f"{loss:.4f}",
            "-" if gap is None else f"{gap:+.4f}",
            "-" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}",
            "-" if one.figures.steps is None else f"{one.figures.steps:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def appearance_table(everybody: Sequence[Seen]) -> list[str]:
    """When each idea came up in the search, and what became of it."""
    lines = [
        "| idea | first in | after | by | candidates with it | trained to the end |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for idea in IDEAS:
        having = [one for one in everybody if idea in one.ideas]
        if not having:
            lines.append(f"| {idea} | never | - | - | 0 | 0 |")
            continue
        first = min(having, key=lambda one: one.id)
        whole = sum(one.outcome.status is Status.COMPLETED for one in having)
        edit = first.edit.replace("|", r"\|")
        cells = [idea, f"#{first.id}", f"{first.minutes:.1f} min", f"`{edit}`"]
        lines.append(f"| {' | '.join([*cells, f'{len(having):,}', f'{whole:,}'])} |")
    return lines


def mean_cost(run: Run, everybody: Sequence[Seen]) -> str:
    """Mean cost in seconds of a worker, and as a share of full training, as in `hurdles.py`."""
    trained = [one.outcome for one in everybody if one.outcome.curve]
    found = figures(trained, run.config.candidate.budget.marks())
    seconds = statistics.fmean(sum(one.seconds.values()) for one in trained)
    return (
        f"{seconds:.1f} s of a worker; full training is {found['saving']:.1f} times its "
        f"training (the paper's: {PAPER:.1f})"
    )


def write_section(document: Path, section: str) -> None:
    """Replace what is between the section's marks in a document."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{document} has {BEGIN!r} and no {END!r} after it.")
    document.write_text(f"{before}{BEGIN}\n\n{section}\n\n{END}{after}", encoding="utf-8")
