"""`--watch`: a running search is shown again and again, until it ends or Ctrl-C."""

from __future__ import annotations

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


def watch(folder: str | Path, seconds: float, show: Callable[[Run, bool], None]) -> None:
    """Call `show` every `seconds` with the run and whether its search is still running.

    The last call is the one after the search has ended. Raises RunError or StoreError if the
    run cannot be read.
    """
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
    """Whether the search is running: no stop is recorded, and its process is alive."""
    return last_stop(run.store) is None and is_held(run.folder)


def redraw(show: Callable[[], None], first: bool) -> None:
    """Call `show`, and print its output over that of the call before.

    Where standard output is no terminal, the new output follows the old one.
    """
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
