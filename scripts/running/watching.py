"""Showing a running search again and again, until it ends or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

from primeval.search.drive.stops import last_stop
from primeval.search.run.folder import Run, open_run
from primeval.search.run.locking import is_held

HOME, CLEAR, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"


def add_watch(parser: argparse.ArgumentParser, seconds: float, what: str) -> None:
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=seconds,
        metavar="SECONDS",
        help=f"{what} every so many seconds while the search runs; default: {seconds:g}",
    )


def watch(folder: str | Path, seconds: float, show: Callable[[Run, bool], None]) -> None:
    """Call `show` with the run and whether its search goes on, until it does not."""
    while True:
        run = open_run(folder)
        try:
            running = is_running(run)
            show(run, running)
        finally:
            run.close()
        if not running:
            return
        time.sleep(seconds)


def is_running(run: Run) -> bool:
    """Whether the search goes on: it did not stop, and who drives it is there."""
    return last_stop(run.store) is None and is_held(run.folder)


def redraw(show: Callable[[], None], first: bool) -> None:
    """What `show` prints, in place of what it printed before; below it where not a terminal."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        show()
    text = printed.getvalue()
    if sys.stdout.isatty():
        lines = text.replace("\n", f"{CLEAR_LINE}\n")
        text = f"{HOME}{CLEAR if first else ''}{lines}{CLEAR_BELOW}"
    elif not first:
        text = f"\n{text}"
    sys.stdout.write(text)
    sys.stdout.flush()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"seconds, more than 0. Received: {text!r}.")
    return seconds
