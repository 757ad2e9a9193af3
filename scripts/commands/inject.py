"""`primeval inject`: give programs to a search, while it runs or while it is stopped."""

from __future__ import annotations

import argparse
from typing import Any

from primeval.scripts.tables import terminal
from primeval.search.run.folder import Run, open_run
from primeval.search.run.locking import is_held


def add(commands: Any) -> None:
    parser = commands.add_parser("inject", help="give programs to a running or stopped search")
    parser.add_argument("run_folder", metavar="RUN", help="a run's folder")
    parser.add_argument(
        "programs",
        metavar="PROGRAM",
        nargs="+",
        help="a built-in name, a file (my.dna) or RUN:ID",
    )
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from primeval.search.drive.injections import inject
    from primeval.search.run.programs import find_program

    opened = open_run(args.run_folder, write=True)
    programs = {reference: find_program(reference).program for reference in args.programs}
    known = inject(opened, programs)
    held = is_held(opened.folder)
    if args.json:
        rows = [{"program": name, "same_as": same} for name, same in known.items()]
        terminal.print_json({"running": held, "injected": rows})
        return 0
    for name, same in known.items():
        again = "" if same is None else f" It is individual {same}, and is evaluated again."
        print(f"{name} is injected into {opened.folder}.{again}")
    print(_what_next(opened, held))
    return 0


def _what_next(opened: Run, held: bool) -> str:
    from primeval.search.drive.stops import last_stop

    if held:
        return "The search that is running takes it up as soon as a worker is free."
    stop = last_stop(opened.store)
    extension = stop.extension(opened.config.budget) if stop else ""
    return f"To go on: primeval resume {opened.folder}{extension}"
