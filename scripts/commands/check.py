"""`primeval check`: is this configuration usable, and what will its search take?

Validates the configuration, runs its search for some seconds in a temporary folder, and
forecasts the rest. Only the tokens stay, in the cache. `tables/check.py` prints the result.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from primeval.dna.cost import Cost
from primeval.dna.graph import build_graph
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.evaluators.data.files import find_files
from primeval.evaluators.data.packages import require_packages
from primeval.evaluators.units import rough_bytes
from primeval.evaluators.workers.memory import counted_memory, free_memory, gpu_count
from primeval.scripts.commands.arguments import add_shared
from primeval.scripts.running.starting import start_evaluator, try_primitives
from primeval.scripts.tables import terminal
from primeval.scripts.tables.check import as_json, print_check
from primeval.search.config.config import load_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.starting import check_seeds, costs_on_rungs, load_seeds
from primeval.search.errors import RunError
from primeval.search.forecast.forecast import Forecast, forecast
from primeval.search.forecast.rehearsal import Rehearsal, rehearse
from primeval.search.run.folder import first_seed


def add_check(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "config", "--set")
    parser.add_argument(
        "--train",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="--no-train only validates and counts; --train tries it even if it seems too "
        "large for this machine",
    )
    add_shared(parser, "--json")


def run_check(args: argparse.Namespace) -> None:
    config = load_config(args.config, args.set)
    language = config.make_language()
    seeds = load_seeds(config.search.seeds, config.language, language.vocabulary)
    costs = check_seeds(config, seeds, language)
    name, program = next(iter(seeds.items()))
    on_rungs = costs_on_rungs(config, name, build_graph(program))
    try_primitives(language)
    tried = None
    if args.train is False:
        for data in (config.data, *(rung.data for rung in config.rungs)):
            for pattern in data.files:
                find_files(pattern)  # raises DataError if there is none; reads no file
            for source in (data.source, data.test_source):
                require_packages(source)
    else:
        if args.train is None:
            require_memory(args.config, config, on_rungs)
        tried = try_out(config, seeds, on_rungs)
    if args.json:
        terminal.print_json(as_json(config, costs, on_rungs, tried))
    else:
        print_check(args.config, config, costs, on_rungs, tried)


def try_out(
    config: RunConfig, seeds: dict[str, Program], costs: Sequence[Cost]
) -> tuple[Rehearsal, Forecast]:
    """Run the search for some seconds; returns what that showed, and the forecast.

    Raises ConfigError, DataError or WorkError if the search cannot run.
    """
    # what the loop logs of each candidate is meant for a run's folder, not for the screen
    logging.getLogger("primeval").addHandler(logging.NullHandler())
    tokens = 0
    if config.workers.evaluator != "toy":
        # imported here because NumPy is slow to import, and --no-train does without
        from primeval.scripts.running.preparing import prepare_data

        corpora = set(prepare_data(config.task(format_program(first_seed(seeds)))))
        splits = [part for one in corpora for part in (one.train, one.validation, one.test)]
        tokens = sum(part.nbytes for part in splits)
    with tempfile.TemporaryDirectory(prefix="primeval-check-") as folder:
        tried = rehearse(config, seeds, costs, Path(folder), tokens, start_evaluator)
    return tried, forecast(config, costs, tried.measured)


def require_memory(name: str, config: RunConfig, costs: Sequence[Cost]) -> None:
    """Raises RunError if the workers of this machine would need more memory than is free.

    Args:
        name: Of the configuration.
        config: The configuration.
        costs: Of the first seed, on each rung.
    """
    in_ray = config.workers.evaluator == "ray"
    on_gpu = config.workers.gpus > 0 if in_ray else gpu_count() > 0
    if config.workers.evaluator == "toy" or on_gpu:
        return
    workers = config.workers.count if in_ray and config.workers.address is None else 1
    free = free_memory()
    for number, cost in zip(config.rung_numbers, costs, strict=True):
        rung = config.on(number)
        each = counted_memory(cost, rung.scale, rung.training)
        if workers * each <= free:
            continue
        where = f" on rung {number}" if config.rungs else ""
        raise RunError(
            f"{name} is valid, but too large to be tried on this machine: a model of "
            f"{cost.parameters:,} parameters and steps of {rung.training.batch_size} x "
            f"{rung.model.length} tokens{where} take about {rough_bytes(each)} in each worker. "
            f"Workers here: {workers}. Memory free: {rough_bytes(free)}. Cut its batches "
            "(training.accumulation), or check it on the machine that will run it; --no-train "
            "only validates and counts, --train tries it all the same."
        )
