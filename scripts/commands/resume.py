"""`primeval resume` and `primeval replay`: continue a run, and check that it repeats."""

from __future__ import annotations

import argparse
from contextlib import closing

from primeval.scripts.commands.arguments import add_shared
from primeval.scripts.running.driving import drive_and_report
from primeval.scripts.running.ending import print_ending
from primeval.scripts.running.starting import start_evaluator
from primeval.scripts.tables.terminal import print_json
from primeval.search.algorithm.evolution import Search
from primeval.search.drive.replay import VERIFIED_ON_RESUME, ReplayError, replay
from primeval.search.drive.stops import used_up
from primeval.search.run.folder import Run, open_run, reopen_run


def add_resume(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "run_folder", "--set")
    parser.add_argument(
        "--unverified",
        action="store_true",
        help="continue even if the last individuals cannot be derived again",
    )


def add_replay(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "run_folder", "--json")


def run_resume(args: argparse.Namespace) -> int:
    with closing(reopen_run(args.run_folder, args.set)) as opened:
        search = _replayed(opened, args.unverified)
        if stop := used_up(opened.config.budget, search, opened.store.elapsed()):
            print_ending(opened, stop)  # there is nothing to do, so no worker is started
            return 0
        evaluator = start_evaluator(opened.config.task(opened.reference))
        return drive_and_report(opened, search, evaluator)


def _replayed(run: Run, unverified: bool) -> Search:
    try:
        return replay(run, derive=0 if unverified else VERIFIED_ON_RESUME)
    except ReplayError as error:
        again = f"To continue all the same: primeval resume {run.folder} --unverified"
        raise ReplayError(f"{error} {again}") from None


def run_replay(args: argparse.Namespace) -> None:
    opened = open_run(args.run_folder)
    opened.store.check()
    search = replay(opened, derive=opened.store.asked())
    stops = sum("population" in event.data for event in opened.store.events())
    found = {
        "individuals": search.asked,
        "outcomes": search.told,
        "stops": stops,
        "population_size": len(search.population),
        "population": search.digest,
    }
    if args.json:
        print_json(found)
        return
    print(
        f"{opened.folder}: all {search.asked:,} individuals follow from the seeds, the run's "
        f"seed\nand the order of the {search.told:,} outcomes; the file is sound. The "
        f"population was the same\nwherever the run stopped (times: {stops}). Its "
        f"{len(search.population)} members now, as SHA-256:\n{search.digest}"
    )
