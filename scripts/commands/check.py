"""`primeval check`: is this configuration usable, and what will its search take?

Validates, runs the search for some seconds in a folder that is thrown away, and forecasts the
rest. Nothing stays but the tokens in the cache. What is printed is made in `check_text.py`.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primeval.dna.cost import Cost
from primeval.dna.parsing import format_program
from primeval.dna.program import Program
from primeval.scripts.commands.search import add_set, start_evaluator, try_primitives
from primeval.scripts.tables import terminal
from primeval.search.config.config import load_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.starting import check_seeds, load_seeds
from primeval.search.errors import RunError

if TYPE_CHECKING:
    from primeval.search.forecast.forecast import Forecast
    from primeval.search.forecast.rehearsal import Rehearsal


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "check", help="validate a configuration, try it for some seconds, forecast its cost"
    )
    parser.add_argument("config", metavar="CONFIG", help="a YAML file, or a packaged name")
    add_set(parser)
    parser.add_argument(
        "--train",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="--no-train only validates and counts; --train tries it whatever memory is free",
    )
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from primeval.scripts.tables import check as check_text

    config = load_config(args.config, args.set)
    seeds = load_seeds(config.search.seeds, config.language)
    costs = check_seeds(config, seeds)
    try_primitives(config.language.modules)
    tried = None
    if args.train is False:
        _look_for_files(config)
    else:
        if args.train is None:
            require_memory(args.config, config, next(iter(costs.values())))
        tried = try_out(config, seeds, next(iter(costs.values())))
    if args.json:
        terminal.print_json(check_text.as_json(config, costs, tried))
    else:
        check_text.print_check(args.config, config, costs, tried)
    return 0


def try_out(
    config: RunConfig, seeds: dict[str, Program], cost: Cost
) -> tuple[Rehearsal, Forecast]:
    """Some seconds of the run, and what follows from them for all of it."""
    from primeval.scripts.running.preparing import prepare_data
    from primeval.search.forecast.forecast import forecast
    from primeval.search.forecast.rehearsal import rehearse

    # what the loop logs of each candidate is for a run's folder, not for the screen
    logging.getLogger("primeval").addHandler(logging.NullHandler())
    tokens = 0
    if config.workers.evaluator != "toy":
        corpus = prepare_data(config.task(format_program(next(iter(seeds.values())))))
        tokens = corpus.train.nbytes + corpus.validation.nbytes + corpus.test.nbytes
    with tempfile.TemporaryDirectory(prefix="primeval-check-") as folder:
        tried = rehearse(config, seeds, cost, Path(folder), tokens, start_evaluator)
    return tried, forecast(config, cost, tried.measured)


def require_memory(name: str, config: RunConfig, cost: Cost) -> None:
    """Raises RunError if the model is too large for the memory that is free here."""
    from primeval.evaluators.workers.memory import counted_memory, free_memory, gpu_count

    in_ray = config.workers.evaluator == "ray"
    on_gpu = config.workers.gpus > 0 if in_ray else gpu_count() > 0
    if config.workers.evaluator == "toy" or on_gpu:
        return
    workers = config.workers.count if in_ray and config.workers.address is None else 1
    each, free = counted_memory(cost, config.scale, config.training), free_memory()
    if workers * each <= free:
        return
    raise RunError(
        f"{name} is valid, but too large to be tried on this machine: a model of "
        f"{cost.parameters:,} parameters and steps of {config.training.batch_size} x "
        f"{config.model.length} tokens take about {terminal.size(each)} in each worker. "
        f"Workers here: {workers}. Memory free: {terminal.size(free)}. Cut its batches "
        "(training.accumulation), or check it where it is to run; --no-train only validates "
        "and counts, --train tries it all the same."
    )


def _look_for_files(config: RunConfig) -> None:
    """Raises DataError for a file that is not there; reads none."""
    from primeval.evaluators.data.files import find_files

    for pattern in config.data.files:
        find_files(pattern)
