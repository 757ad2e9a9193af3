"""`primeval top`: the ranking of a run, also while the search runs."""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys

from primeval.scripts.commands.arguments import add_shared, add_watch, whole_number
from primeval.scripts.running.watching import redrawn, watch
from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import print_confirmed
from primeval.scripts.tables.ledger import print_ledger
from primeval.scripts.tables.ranking import print_noise, print_ranking, print_summary
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, open_run
from primeval.search.views.confirmed_rows import confirmed_rows
from primeval.search.views.ranking import ranking

WATCH_SECONDS = 2.0
AROUND = 6  # with --watch: lines of the terminal that do not show a row
ON_A_RUNG = 3  # so many more of them for each rung above the first
MOST_WATCHED = 40  # with --watch: rows, however high the terminal is


def add_top(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "run_folder")
    parser.add_argument(
        "-n",
        type=whole_number(0),
        metavar="N",
        help="how many individuals; 0 for all (default: 10, with --json all)",
    )
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="show instead what each kind of mutation yielded, what failures cost, and what "
        "was saved",
    )
    parser.add_argument(
        "--confirmed",
        action="store_true",
        help="show instead what `primeval confirm` measured, with the programs for comparison",
    )
    add_watch(parser, WATCH_SECONDS, "show the table again")
    add_shared(parser, "--json", "--color")


def run_top(args: argparse.Namespace) -> None:
    color = terminal.wants_color(args.color)
    if args.watch is None:
        _show(open_run(args.run_folder), args, color)
    elif args.json:
        raise RunError("--watch shows tables, not JSON. Leave out --json or --watch.")
    else:
        _watch(args, color)


def _watch(args: argparse.Namespace, color: bool) -> None:
    calls = itertools.count()

    def show(opened: Run, running: bool) -> None:
        if args.n is None and sys.stdout.isatty():
            around = AROUND + ON_A_RUNG * len(opened.config.rungs)
            room = shutil.get_terminal_size().lines - around
            args.n = max(1, min(MOST_WATCHED, room))
        with redrawn(first=next(calls) == 0):
            _show(opened, args, color)
            if running:
                print(terminal.paint("Ctrl-C ends this; the search continues.", "dim", color))

    watch(args.run_folder, args.watch, show)


def _show(opened: Run, args: argparse.Namespace, color: bool) -> None:
    if args.ledger:
        print_ledger(opened, args.json)
    elif not args.confirmed:
        _show_ranking(opened, args, color)
    elif args.json:
        terminal.print_json([row.as_json() for row in confirmed_rows(opened)])
    else:
        print_confirmed(opened, confirmed_rows(opened))


def _show_ranking(opened: Run, args: argparse.Namespace, color: bool) -> None:
    count = (0 if args.json else 10) if args.n is None else args.n
    found = ranking(opened, count or None)
    if args.json:
        terminal.print_json(found.as_json())
        return
    print_summary(opened)
    print_ranking(found, color)
    print_noise(opened, found)
    if found.rows and found.confirmed:
        print(f"With baselines and test figures: primeval top {opened.folder} --confirmed")
    elif not opened.store.asked() and (confirmed := confirmed_rows(opened)):
        print_confirmed(opened, confirmed)  # the folder was made by `primeval confirm`
