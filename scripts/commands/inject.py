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
    vocabulary = opened.language.vocabulary
    programs = {name: find_program(name, vocabulary).program for name in args.programs}
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
    from primeval.scripts.commands.search import extension
    from primeval.search.drive.loop import Stop

    if held:
        return "The search that is running takes it up as soon as a worker is free."
    last = opened.store.events()[-1].data
    stop = Stop(last.get("reason", ""), last.get("message", ""))
    return f"To go on: primeval resume {opened.folder}{extension(opened, stop)}"
