"""`primeval top`: the ranking of a run, also while it runs."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import Any

from primeval.scripts.running.watching import add_watch, redraw, watch
from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import print_confirmed
from primeval.scripts.tables.ranking import print_ranking, print_summary
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, open_run
from primeval.search.views.confirmed_rows import confirmed_rows
from primeval.search.views.ranking import ranking

WATCH_SECONDS = 2.0
AROUND = 4  # lines of the terminal that are not rows, when watching


def add(commands: Any) -> None:
    parser = commands.add_parser("top", help="the ranking of a run")
    parser.add_argument("run_folder", metavar="RUN", help="a run's folder")
    parser.add_argument(
        "-n", type=_count, metavar="N", help="how many; default: 10, and all with --json"
    )
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="instead: what mutations yielded, and what was lost to failures and saved",
    )
    parser.add_argument(
        "--confirmed",
        action="store_true",
        help="instead: what `primeval confirm` found, with the programs it was compared to",
    )
    add_watch(parser, WATCH_SECONDS, "show it again")
    terminal.add_json(parser)
    terminal.add_color(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.watch is not None:
        if args.json:
            raise RunError("--watch shows tables. Leave out --json, or --watch.")
        return _watch(args)
    return _show(open_run(args.run_folder), args, terminal.wants_color(args.color))


def _watch(args: argparse.Namespace) -> int:
    color, times = terminal.wants_color(args.color), 0
    if args.n is None and sys.stdout.isatty():
        args.n = max(1, min(40, shutil.get_terminal_size().lines - AROUND))

    def show(opened: Run, running: bool) -> None:
        nonlocal times
        redraw(lambda: _show_watched(opened, args, color, running), times == 0)
        times += 1

    watch(args.run_folder, args.watch, show)
    return 0


def _show_watched(opened: Run, args: argparse.Namespace, color: bool, running: bool) -> None:
    _show(opened, args, color)
    if running:
        print(terminal.paint("Ctrl-C ends this; the search goes on.", "dim", color))


def _show(opened: Run, args: argparse.Namespace, color: bool) -> int:
    if args.ledger:
        from primeval.scripts.tables.ledger import print_ledger

        print_ledger(opened, args.json)
        return 0
    if args.confirmed:
        return _print_confirmed(opened, args.json)
    count = (0 if args.json else 10) if args.n is None else args.n
    found = ranking(opened, count or None)
    if args.json:
        terminal.print_json(found.as_json())
        return 0
    print_summary(opened)
    print_ranking(found, color)
    if found.rows and found.confirmed:
        print(f"With baselines and test figures: primeval top {opened.folder} --confirmed")
    elif not opened.store.asked() and (confirmed := confirmed_rows(opened)):
        print_confirmed(opened, confirmed)  # a folder that only confirms
    return 0


def _print_confirmed(run: Run, as_json: bool) -> int:
    rows = confirmed_rows(run)
    if as_json:
        terminal.print_json([row.as_json() for row in rows])
    else:
        print_confirmed(run, rows)
    return 0


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number, 0 or more. Received: {text!r}.")
    return int(text)
