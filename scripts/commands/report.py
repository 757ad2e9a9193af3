"""`primeval report`: a run as one HTML page, also while the search runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from primeval.evaluators.units import rough_bytes
from primeval.evaluators.whole_files import replacing
from primeval.scripts.commands.arguments import add_run, add_watch, whole_number
from primeval.scripts.report.contents import report_contents
from primeval.scripts.report.page import render
from primeval.scripts.running.watching import is_running, watch
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, open_run

TOP = 10
WATCH_SECONDS = 30.0
NAME = "report.html"


def add_report(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=f"the file to write (default: {NAME} in the run's folder)",
    )
    parser.add_argument(
        "--top",
        type=whole_number(1),
        default=TOP,
        metavar="K",
        help=f"how many of the best programs are shown in full (default: {TOP})",
    )
    add_watch(parser, WATCH_SECONDS, "write the page again")
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
    """Write the page; returns a line that says what was written. Raises RunError.

    The page is written under another name first, so that a browser never sees half of it.
    """
    path: Path = args.output or opened.folder / NAME
    page = render(report_contents(opened, args.top, running, refresh)).encode()
    try:
        with replacing(path) as new:
            new.write_bytes(page)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None
    told = opened.store.told()
    return f"{path}: {told:,} candidates, {rough_bytes(len(page))}"
