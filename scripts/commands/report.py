"""`primeval report`: a run as one page that opens anywhere, also while it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from primeval.evaluators.whole_files import replacing
from primeval.scripts.running.watching import add_watch, is_running, watch
from primeval.scripts.tables import terminal
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, open_run

TOP = 10
WATCH_SECONDS = 30.0
NAME = "report.html"


def add(commands: Any) -> None:
    parser = commands.add_parser("report", help="a run as one HTML file, for a browser")
    parser.add_argument("run_folder", metavar="RUN", help="a run's folder")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=f"where to write it; default: {NAME} in the run's folder",
    )
    parser.add_argument(
        "--top",
        type=_count,
        default=TOP,
        metavar="K",
        help=f"how many of the best programs are shown in full; default: {TOP}",
    )
    add_watch(parser, WATCH_SECONDS, "write it again")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.watch is None:
        opened = open_run(args.run_folder)
        print(_write(opened, args, is_running(opened), None))
        return 0

    def show(opened: Run, running: bool) -> None:
        print(_write(opened, args, running, args.watch), flush=True)

    watch(args.run_folder, args.watch, show)
    return 0


def _write(opened: Run, args: argparse.Namespace, running: bool, refresh: float | None) -> str:
    """Write the page in one go, so that a browser never sees half of it; says what it is."""
    from primeval.scripts.report.facts import report_facts
    from primeval.scripts.report.page import render

    path: Path = args.output or opened.folder / NAME
    page = render(report_facts(opened, args.top, running, refresh)).encode()
    try:
        with replacing(path) as new:
            new.write_bytes(page)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None
    told = opened.store.told()
    return f"{path}: {told:,} candidates, {terminal.size(len(page))}"


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a whole number, 1 or more. Received: {text!r}.")
    return int(text)
