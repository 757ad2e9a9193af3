"""`primeval inject`: give programs to a search, running or stopped."""

from __future__ import annotations

import argparse

from primeval.scripts.commands.arguments import add_json, add_run
from primeval.scripts.tables.terminal import print_json
from primeval.search.drive.injections import inject
from primeval.search.drive.stops import last_stop
from primeval.search.run.folder import Run, open_run
from primeval.search.run.locking import is_held
from primeval.search.run.programs import find_program


def add_inject(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "programs",
        metavar="PROGRAM",
        nargs="+",
        help="a built-in name, a file (my.dna) or RUN:ID",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    opened = open_run(args.run_folder, write=True)
    vocabulary = opened.language.vocabulary
    programs = {name: find_program(name, vocabulary).program for name in args.programs}
    known = inject(opened, programs)
    held = is_held(opened.folder)
    if args.json:
        rows = [{"program": name, "same_as": same} for name, same in known.items()]
        print_json({"running": held, "injected": rows})
        return 0
    for name, same in known.items():
        again = "" if same is None else f" It is individual {same}, and is evaluated again."
        print(f"{name} is injected into {opened.folder}.{again}")
    print(_what_next(opened, held))
    return 0


def _what_next(opened: Run, held: bool) -> str:
    if held:
        return "The running search evaluates injected programs as soon as a worker is free."
    stop = last_stop(opened.store)
    extension = stop.extension(opened.config.budget) if stop else ""
    return f"To continue: primeval resume {opened.folder}{extension}"
