"""The progress of a confirmation: a line for each training, and on a terminal a bar.

All of it goes to standard error, as standard output is for the table.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from primeval.evaluators.outcome import Outcome
from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.search.confirm.figures import finished
from primeval.search.confirm.training import Job, OnOutcome


@contextmanager
def confirm_progress(total: int) -> Iterator[OnOutcome]:
    """Yields a function that shows one more outcome of `total`."""
    began, numbers = time.monotonic(), itertools.count(1)

    def line(job: Job, outcome: Outcome) -> str:
        elapsed = rough_duration(time.monotonic() - began)
        loss = terminal.fixed(outcome.loss if finished(outcome) else None)
        count = str(next(numbers)).rjust(len(str(total)))
        return (
            f"{count}/{total} {elapsed:>7}  seed {job.seed}  {outcome.status.value:<10} "
            f"{loss:>7}  {job.entry.name}"
        )

    if not sys.stderr.isatty():
        yield lambda job, outcome: print(line(job, outcome), file=sys.stderr, flush=True)
        return

    # imported here because rich is slow to import, and only a terminal needs it
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("confirming", total=total)

        def bar(job: Job, outcome: Outcome) -> None:
            progress.console.print(line(job, outcome), markup=False, highlight=False)
            progress.advance(task)

        yield bar
