"""How a confirmation looks: a table for terminals, and one for documents."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable

from primeval.evaluators.outcome import Status
from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.search.config.settings import RunConfig
from primeval.search.confirm.figures import Figures, confirmed_rung
from primeval.search.run.folder import Run
from primeval.search.views.confirmed_rows import ConfirmedRow

HEADERS = ("sd", "vs seed", "± 95 %", "steps", "ratio")
SEARCH_HEADERS = ("search", "vs seed")


def print_confirmed(run: Run, rows: list[ConfirmedRow], rung: int | None = None) -> None:
    """Print the table, readable at 80 columns, and the trainings that failed.

    Args:
        run: The run.
        rows: Its confirmed programs.
        rung: Where they were confirmed; None for the highest rung on which anything was.
    """
    if not rows:
        print(f"{run.folder}: nothing is confirmed yet.")
        return
    if run.config.rungs:
        of = len(run.config.rung_numbers)
        print(f"Trained on rung {rung or confirmed_rung(run)} of {of}.")
    short, beside = ("bits", "in bits per byte") if _has_text(rows) else ("accuracy",) * 2
    print(
        f"Test loss in nats per token, and {beside}: means over {_seeds(rows)}.\n"
        f"vs seed: difference to {run.seed_name}, paired by seed, with half its 95 % interval."
    )
    searched = any(row.searched is not None for row in rows)
    more = SEARCH_HEADERS if searched else ()
    headers = ("rank", "loss", short, *HEADERS, *more, "program")
    cells = [
        [*_cells(at, row.figures), *(_search_cells(row) if searched else ()), row.name]
        for at, row in enumerate(rows)
    ]
    terminal.print_table(headers, cells, {"program"})
    for line in _failures(rows):
        print(line)


def _cells(at: int, figures: Figures) -> list[str]:
    beside = figures.bits_per_byte if figures.accuracy is None else figures.accuracy
    return [
        str(at + 1),
        loss_text(figures),
        terminal.fixed(beside, 3),
        terminal.fixed(figures.deviation),
        terminal.signed(figures.loss_vs_seed),
        terminal.fixed(figures.half_width),
        "-" if figures.steps is None else f"{figures.steps:.0f}",
        terminal.fixed(figures.step_ratio, 3),
    ]


def _has_text(rows: list[ConfirmedRow]) -> bool:
    """Whether losses are of text, so that there are bits per byte, or else an accuracy."""
    return all(row.figures.accuracy is None for row in rows)


def _search_cells(row: ConfirmedRow) -> list[str]:
    """The search's figures; a loss at a hurdle is not comparable with those at the end."""
    searched = row.searched
    if searched is None:
        return ["-", "-"]
    if searched.status != "completed":
        return [searched.status, "-"]
    return [terminal.fixed(searched.loss), terminal.signed(searched.loss_vs_seed)]


def loss_text(figures: Figures) -> str:
    """The mean loss; for a program that failed with some seeds, how often it did."""
    if figures.loss is not None or not figures.failures:
        return terminal.fixed(figures.loss)
    ways = ", ".join(f"{way} in {count}" for way, count in figures.failures.items())
    return f"{ways.replace('_', ' ')} of {figures.seeds}"


def _seeds(rows: list[ConfirmedRow]) -> str:
    """How many seeds the figures are means over."""
    counts = {row.figures.seeds for row in rows}
    most = max(counts)
    text = f"{most} seed{'s' if most > 1 else ''}"
    return text if len(counts) == 1 else f"up to {text} (not all are trained yet)"


def _failures(rows: list[ConfirmedRow]) -> Iterable[str]:
    """A line for each training that failed."""
    for row in rows:
        for seed, one in row.outcomes.items():
            if one.status is not Status.COMPLETED:
                first = one.message.split("\n", 1)[0]
                yield f"{row.name}, seed {seed}: {one.status.value}: {first}"


def markdown(run: Run, rows: list[ConfirmedRow], command: str, rung: int) -> str:
    """The table as a Markdown document, with the command and circumstances that made it."""
    reference = run.seed_name
    headers = [
        *("rank", "program", "loss", "sd"),
        *("bits per byte" if _has_text(rows) else "accuracy", f"vs {reference}"),
        *("95 % interval", "steps", "step ratio", "parameters"),
        *("search loss", "search vs seed"),
    ]
    aligned = ["---" if name == "program" else "---:" for name in headers]
    table = [headers, aligned, *(_document_cells(at, row) for at, row in enumerate(rows))]
    lines = [
        f"# Confirmed programs\n\n```sh\n{command}\n```\n",
        *(f"- {name}: {text}" for name, text in circumstances(run, rows, rung)),
        "",
        *(f"| {' | '.join(cells)} |" for cells in table),
        "",
        "Loss: nats per token on the test split, mean and standard deviation (sd) over "
        f"{_seeds(rows)}. Differences to {reference} are paired by seed; their intervals are "
        "Student's t and cover what weights and order of the data do, not the choice of text.",
        *(f"\n{line}" for line in _failures(rows)),
    ]
    return "\n".join(lines) + "\n"


def _document_cells(at: int, row: ConfirmedRow) -> list[str]:
    rank, loss, bits, deviation, gap, _, steps, ratio = _cells(at, row.figures)
    interval, count = row.figures.interval, row.figures.parameters
    between = "-" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"
    parameters = "-" if count is None else f"{count:,}"
    name = row.name.replace("|", r"\|")
    figures = [loss, deviation, bits, gap, between, steps, ratio, parameters]
    return [rank, name, *figures, *_search_cells(row)]


def circumstances(run: Run, rows: list[ConfirmedRow], rung: int = 1) -> list[tuple[str, str]]:
    """How the figures were made, by name: scale, budget, data, training, cost, versions."""
    config = run.config.on(rung)
    where = f", rung {rung} of {len(run.config.rung_numbers)}" if run.config.rungs else ""
    model, budget, training = config.model, config.candidate.budget, config.training
    size = f"width {model.width}"
    if model.parameters is not None:
        size = f"{model.parameters[0]:,} to {model.parameters[1]:,} parameters"
    data = config.data.origin or "files of one's own"
    outcomes = [one for row in rows for one in row.outcomes.values()]
    spent = math.fsum(time for one in outcomes for time in one.seconds.values())
    return [
        ("run", f"{run.folder}{where}"),
        ("scale", f"layers: {model.layers}, length: {model.length}, {size}"),
        ("budget of each", f"{budget.amount:,g} {budget.unit.replace('_', ' ')}"),
        ("data", f"{data}, {config.data.kind}"),
        (
            "training",
            f"batch {training.batch_size}, {training.optimizer}, learning rate "
            f"{training.learning_rate:g}, tested on {training.validation_batches} batches",
        ),
        ("cost", f"{rough_duration(spent)} of workers"),
        ("made with", _environment(config)),
    ]


def _environment(config: RunConfig) -> str:
    from importlib import metadata  # slow to import

    names = ["primeval", *(["tensorflow"] if config.workers.evaluator != "toy" else [])]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    workers = config.workers
    return (
        f"{versions}, Python {platform.python_version()}, "
        f"{workers.evaluator} workers: {workers.count}, cores each: {workers.threads}, "
        f"CPUs: {os.cpu_count()} ({platform.machine()})"
    )
