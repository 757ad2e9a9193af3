"""The tokens a search is about to need, made before anything starts, with a bar meanwhile.

Whatever is wrong with the data is said here, once, by the command itself: a worker could only
say that its candidate crashed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from primeval.evaluators.data.corpus import Corpus, Progress, load_corpus, require_batches
from primeval.evaluators.settings import Task

QUIET_SECONDS = 10.0  # between lines where there is no terminal


def prepare_data(task: Task) -> Corpus:
    """The tokens of a task. Raises DataError if they cannot be had or are too few."""
    with _watching() as progress:
        corpus = load_corpus(task.data, progress)
    require_batches(corpus, task.model, task.training, task.split)
    return corpus


@contextlib.contextmanager
def _watching() -> Iterator[Progress]:
    """Shows what is being done on standard error: a bar, or now and then a line."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
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
            # until something is done nobody knows how long it takes: the bar only moves
            bars.update(
                bar, description=what, completed=done, total=1.0 if done else None, visible=True
            )

        yield show


class _Lines:
    """A line when something begins, and then every few seconds."""

    def __init__(self) -> None:
        self._what, self._said = "", 0.0

    def __call__(self, what: str, done: float) -> None:
        now = time.monotonic()
        if what != self._what or now >= self._said + QUIET_SECONDS:
            share = f" {done:.0%}" if done else " …"
            print(f"{what}{share}", file=sys.stderr, flush=True)
            self._what, self._said = what, now
