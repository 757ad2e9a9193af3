"""`primeval search`: launch a search, watch it, and say what it found."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from primeval.dna.parsing import format_program
from primeval.primitives.user import PrimitiveError
from primeval.scripts.tables import terminal
from primeval.search.config.config import load_config
from primeval.search.drive.starting import check_seeds, make_search
from primeval.search.errors import ConfigError, RunError
from primeval.search.run.folder import Run, check_free, create_run

if TYPE_CHECKING:
    from primeval.evaluators.evaluator import Evaluator
    from primeval.evaluators.settings import Task
    from primeval.search.algorithm.evolution import Search
    from primeval.search.drive.stops import Stop


def add(commands: Any) -> None:
    parser = commands.add_parser("search", help="launch a search")
    parser.add_argument("config", metavar="CONFIG", help="a YAML file, or a packaged name")
    parser.add_argument(
        "--run-dir", metavar="DIR", help="the run's folder; must not hold a run"
    )
    add_set(parser)
    parser.set_defaults(run=run)


def add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting, as in --set budget.max_time=2h; repeatable",
    )


def run(args: argparse.Namespace) -> int:
    from primeval.search.drive.starting import load_seeds

    config = load_config(args.config, args.set, run_dir=args.run_dir)
    seeds = load_seeds(config.search.seeds, config.language)
    check_seeds(config, seeds)
    check_free(Path(config.run_dir))
    # the evaluator comes first: if it cannot start, nothing has been written
    evaluator = start_evaluator(config.task(format_program(next(iter(seeds.values())))))
    try:
        opened = create_run(config, seeds)
    except BaseException:
        evaluator.close()
        raise
    try:
        search = make_search(config, list(opened.store.seeds.values()))
        return drive_and_report(opened, search, evaluator)
    finally:
        opened.close()


def start_evaluator(task: Task) -> Evaluator:
    """The evaluator of a task, its data ready. Raises ConfigError or DataError."""
    from primeval.evaluators.workers.factory import make_evaluator

    try_primitives(task.modules)

    if task.workers.evaluator != "toy":
        from primeval.scripts.running.preparing import (
            prepare_data,  # NumPy takes a while to import
        )

        prepare_data(task)
        print(f"Starting {task.workers.evaluator} workers …", file=sys.stderr, flush=True)
    try:
        return make_evaluator(task)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def try_primitives(modules: Sequence[str]) -> None:
    """Hold users' primitives to their promises. Raises ConfigError if one breaks one."""
    if modules:
        from primeval.evaluators.runtime import import_tensorflow

        import_tensorflow()
        from primeval.primitives.promises import hold_all

        try:
            hold_all()
        except PrimitiveError as error:
            raise ConfigError(f"language.modules: {error}") from None


def drive_and_report(run: Run, search: Search, evaluator: Evaluator) -> int:
    """Drive a run to its end; the exit status."""
    from primeval.scripts.running.progress import Lines, Picture
    from primeval.search.drive.loop import drive
    from primeval.search.drive.progress import Progress
    from primeval.search.drive.tensorboard import TensorBoard

    log_to(run.folder)
    picture = Picture() if sys.stdout.isatty() else None
    watch: Progress = picture or Lines()
    if run.config.tensorboard:
        watch = TensorBoard(watch)
    try:
        stop = drive(run, search, evaluator, watch)
    finally:
        if picture is not None:
            picture.close()
    report(run, stop)
    return 1 if stop.failed else 0


def log_to(folder: Path) -> None:
    """Send what the library logs to the run's folder, and nothing to the screen."""
    try:
        handler = logging.FileHandler(folder / "run.log", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{folder}/run.log cannot be written: {error.strerror}.") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("primeval")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)


def report(run: Run, stop: Stop) -> None:
    """The ranking, the winner's difference to the seed, and what to type next."""
    from primeval.scripts.tables.ledger import receipt
    from primeval.scripts.tables.ranking import print_ranking, print_summary
    from primeval.search.views.ranking import ranking
    from primeval.search.views.savings import savings

    print()
    print(stop.message)
    print_summary(run)
    if saved := receipt(savings(run)):
        print(saved)
    found = ranking(run, 10)
    print_ranking(found)
    best = found.best.id if found.best else None
    if best is not None:
        _print_winner(run, best)
    print("\nNext:")
    if stop.reason != "stuck":
        print(f"  primeval resume {run.folder}{stop.extension(run.config.budget)}")
    print(f"  primeval top {run.folder} -n 20")
    print(f"  primeval report {run.folder}")
    if best is not None:
        print(f"  primeval show {run.folder}:{best} --diff")
        print(f"  primeval lineage {run.folder}:{best}")
        print(f"  primeval export {run.folder}:{best} winner.keras")


def _print_winner(run: Run, best: int) -> None:
    from primeval.dna.writing.diff import diff
    from primeval.search.run.programs import root_of

    individual = run.store.individual(best)
    if individual is None or individual.parent is None:
        print("\nNothing beat the seed.")
        return
    seed = root_of(run.store, individual)
    print(f"\n#{best} against the seed:")
    lines = diff(seed.program, individual.program)
    terminal.print_diff(lines, terminal.wants_color())
