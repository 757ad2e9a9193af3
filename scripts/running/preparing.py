"""The tokens of a search, made before its workers start, while a bar shows the progress.

So the command itself reports whatever is wrong with the data, once: a worker could only report
that its candidate crashed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from primeval.evaluators.data.corpus import Corpus, Progress
from primeval.evaluators.data.ladder import load_corpora
from primeval.evaluators.task import Task

LINE_SECONDS = 10.0  # the least time between two lines about the same work


def prepare_data(task: Task) -> tuple[Corpus, ...]:
    """The tokens of each rung. Raises DataError if they cannot be made or are too few."""
    with _progress() as progress:
        return load_corpora(task, progress)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Yields a function that shows progress on standard error: as a bar, or in lines."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    # imported here because rich is slow to import, and only a terminal needs it
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=None, visible=False)

        def show(what: str, done: float) -> None:
            # before anything is done no time can be estimated: the bar moves to and fro
            bars.update(
                bar, description=what, completed=done, total=1.0 if done else None, visible=True
            )

        yield show


class _Lines:
    """Prints a line when some work begins, and then every LINE_SECONDS."""

    def __init__(self) -> None:
        self._what, self._printed = "", 0.0

    def __call__(self, what: str, done: float) -> None:
        now = time.monotonic()
        if what != self._what or now >= self._printed + LINE_SECONDS:
            share = f" {done:.0%}" if done else " …"
            print(f"{what}{share}", file=sys.stderr, flush=True)
            self._what, self._printed = what, now
