"""`primeval report`: a run as one HTML page, also while the search runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from primeval.evaluators.units import rough_bytes
from primeval.evaluators.whole_files import replacing
from primeval.scripts.commands.arguments import add_shared, add_watch, whole_number
from primeval.scripts.report.contents import report_contents
from primeval.scripts.report.page import render
from primeval.scripts.running.watching import watch
from primeval.search.errors import writing
from primeval.search.run.folder import Run

TOP = 10
WATCH_SECONDS = 30.0
NAME = "report.html"


def add_report(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "run_folder")
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


def run_report(args: argparse.Namespace) -> None:
    def show(opened: Run, running: bool) -> None:
        print(_write(opened, args, running), flush=True)

    watch(args.run_folder, args.watch, show)


def _write(opened: Run, args: argparse.Namespace, running: bool) -> str:
    """Write the page; returns a line that says what was written. Raises RunError.

    The page is written under another name first, so that a browser never sees half of it.
    """
    path: Path = args.output or opened.folder / NAME
    page = render(report_contents(opened, args.top, running, args.watch)).encode()
    with writing(path), replacing(path) as new:
        new.write_bytes(page)
    told = opened.store.told()
    return f"{path}: {told:,} candidates, {rough_bytes(len(page))}"
