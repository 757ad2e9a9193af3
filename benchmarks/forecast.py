"""Does a run take what `primeval check` foretells, on each of its rungs?

    python benchmarks/forecast.py [CONFIG] [--set key=value ...]

Tries a configuration as `check` does, then runs its search and compares the forecast with the
ledger, rung by rung. By default the configuration is a tiny one with two rungs, which takes two
or three minutes. All of it runs on one machine, so other work on it must be steady: the ratios
say more than the seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace

from primeval.dna.graph import build_graph
from primeval.scripts.commands.check import try_out
from primeval.scripts.running.starting import start_evaluator
from primeval.scripts.tables.terminal import print_table
from primeval.search.config.config import load_config, parse_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.drive.starting import costs_on_rungs, load_seeds, make_search
from primeval.search.forecast.forecast import Forecast
from primeval.search.run.folder import create_run
from primeval.search.views.ledger import ledger

TINY = """
search: {population_size: 8, tournament_size: 3}
budget: {max_candidates: 1000, max_time: 100s}
candidate: {budget: {reference_steps: 300}, hurdles: 1, replicates: 3}
model: {layers: 1, length: 16, width: 16}
training: {batch_size: 8, validation_batches: 2, warmup_steps: 4, jit: false}
workers: {evaluator: local, threads: 1}
keep_weights: 0
rungs:
- promote: 0.3
  model: {layers: 2, width: 32}
  candidate: {budget: {reference_steps: 600}}
"""
HEADERS = ("rung", "trained", "foreseen", "ratio", "s each", "foreseen", "ratio", "share")


@dataclass(frozen=True)
class Compared:
    """One rung of a run, as it was foreseen and as it was.

    Attributes:
        trainings: How many programs and replicates were trained, foreseen and found.
        seconds: Workers' time of all of them, foreseen and found.
    """

    trainings: tuple[int, int]
    seconds: tuple[float, float]

    @property
    def each(self) -> tuple[float, float]:
        """Seconds of one training on average, foreseen and found."""
        foreseen, found = (
            spent / max(1, count)
            for spent, count in zip(self.seconds, self.trainings, strict=True)
        )
        return foreseen, found


def compare(config: RunConfig) -> tuple[Forecast, list[Compared]]:
    """Forecast a run and drive it. Returns the forecast, and what became of it on each rung."""
    language = config.make_language()
    seeds = load_seeds(config.search.seeds, config.language, language.vocabulary)
    name, program = next(iter(seeds.items()))
    costs = costs_on_rungs(config, name, build_graph(program))
    _, foreseen = try_out(config, seeds, costs)
    run = create_run(config, seeds)
    search = make_search(config, list(run.store.seeds.values()), run.language)
    drive(run, search, start_evaluator(config.task(run.reference)))
    rows, outcomes = ledger(run).rungs, dict(run.store.outcomes())
    ended = [one.rung for one in run.store.individuals() if one.id in outcomes]
    run.close()
    return foreseen, [
        Compared(
            (rung.programs + rung.replicates, ended.count(number)),
            (rung.seconds, sum(row.spent for row in rows if row.rung == number)),
        )
        for number, rung in zip(config.rung_numbers, foreseen.rungs, strict=True)
    ]


def print_compared(rungs: Sequence[Compared]) -> None:
    """Print the comparison as a table; ratios are what was found over what was foreseen."""
    spent = sum(one.seconds[1] for one in rungs)
    cells = []
    for number, one in enumerate(rungs, 1):
        (count, trained), (each, took) = one.trainings, one.each
        cells.append(
            [
                str(number),
                *(str(trained), str(count), f"{trained / max(1, count):.2f}"),
                *(f"{took:.2f}", f"{each:.2f}", f"{took / each:.2f}" if each else "-"),
                f"{one.seconds[1] / spent:.0%}",
            ]
        )
    print_table(HEADERS, cells, set())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", nargs="?")
    parser.add_argument("--set", action="append", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.config is None:
            config = parse_config(TINY, args.set, source="the tiny configuration")
        else:
            config = load_config(args.config, args.set)
        foreseen, rungs = compare(replace(config, run_dir=f"{folder}/run"))
    print_compared(rungs)
    told = sum(one.trainings[1] for one in rungs)
    print(f"{told} candidates in all; foreseen: {foreseen.candidates}")


if __name__ == "__main__":
    main()
