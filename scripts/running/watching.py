"""`--watch`: a running search is shown again and again, until it ends or Ctrl-C."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from primeval.search.drive.stops import last_stop
from primeval.search.run.folder import Run, open_run
from primeval.search.run.locking import is_held

HOME, CLEAR, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"


def watch(folder: str | Path, seconds: float | None, show: Callable[[Run, bool], None]) -> None:
    """Call `show` every `seconds` with the run and whether its search is still running.

    The last call is the one after the search has ended; without `seconds` the first is the
    only one. Raises RunError or StoreError if the
    run cannot be read.
    """
    while True:
        with contextlib.closing(open_run(folder)) as run:
            running = is_running(run)
            show(run, running)
        if seconds is None or not running:
            return
        time.sleep(seconds)


def is_running(run: Run) -> bool:
    """Whether the search is running: no stop is recorded, and its process is alive."""
    return last_stop(run.store) is None and is_held(run.folder)


@contextlib.contextmanager
def redrawn(first: bool) -> Iterator[None]:
    """Print the output of the block over the output of the block before.

    `first` says that there was none before. Where standard output is no terminal, the new
    output follows the old one.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        yield
    text = printed.getvalue()
    if sys.stdout.isatty():
        lines = text.replace("\n", f"{CLEAR_LINE}\n")
        text = f"{HOME}{CLEAR if first else ''}{lines}{CLEAR_BELOW}"
    elif not first:
        text = f"\n{text}"
    sys.stdout.write(text)
    sys.stdout.flush()
