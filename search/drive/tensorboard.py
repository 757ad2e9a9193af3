"""Scalars of a run for TensorBoard: `tensorboard --logdir RUN/tensorboard`.

They are for looking at: the store has everything that counts.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.drive.progress import Progress
from primeval.search.drive.stops import Stop

if TYPE_CHECKING:
    from primeval.search.algorithm.evolution import Search
    from primeval.search.algorithm.population import Individual
    from primeval.search.run.folder import Run

HOUR = 3600.0
FOLDER = "tensorboard"


class TensorBoard(Progress):
    """An observer that writes scalars as outcomes come, and passes everything on to another.

    The steps of all curves are candidates evaluated. `loss/best` and `loss/candidate` are in
    nats per token; `rate/candidates_per_hour` is over the whole run; `hurdles/N` is the share
    of the candidates that met hurdle N, from 1, which passed it; `failed/STATUS` counts
    failures; `seconds/CAUSE` is workers' time so far by cause.
    """

    def __init__(self, then: Progress) -> None:
        self._then = then
        self._met, self._passed = Counter[int](), Counter[int]()
        self._failed, self._seconds = Counter[str](), Counter[str]()

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        from tensorboardX import SummaryWriter  # slow to import, and most runs do without

        self._search, self._hurdles = search, run.config.candidate.budget.hurdles
        for _, outcome in run.store.outcomes():  # of earlier sessions
            self._count(outcome)
        self._writer = SummaryWriter(
            str(run.folder / FOLDER),
            purge_step=search.told + 1,
            flush_secs=10,
            # by default files are named by the second: two sessions within one would collide
            filename_suffix=f".{search.told:09d}",
        )
        self._then.begin(run, search, elapsed)

    def asked(self, individual: Individual) -> None:
        self._then.asked(individual)

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self._count(outcome)
        step = self._search.told
        for name, value in self._scalars(outcome, elapsed).items():
            self._writer.add_scalar(name, value, step)
        self._then.told(individual, outcome, elapsed)

    def tick(self, elapsed: float) -> None:
        self._then.tick(elapsed)

    def end(self, stop: Stop, elapsed: float) -> None:
        self._writer.close()
        self._then.end(stop, elapsed)

    def _count(self, outcome: Outcome) -> None:
        self._seconds.update(outcome.seconds)
        for hurdle in range(min(len(outcome.curve), self._hurdles)):
            self._met[hurdle] += 1
            self._passed[hurdle] += hurdle != outcome.hurdle
        if not math.isfinite(outcome.fitness) and outcome.status is not Status.KNOWN:
            self._failed[outcome.status.value] += 1

    def _scalars(self, outcome: Outcome, elapsed: float) -> dict[str, float]:
        scalars = {}
        if self._search.best is not None:
            scalars["loss/best"] = -self._search.best[0]
        if math.isfinite(outcome.fitness):
            scalars["loss/candidate"] = -outcome.fitness
        if elapsed > 0:
            scalars["rate/candidates_per_hour"] = self._search.told / elapsed * HOUR
        for hurdle, met in self._met.items():
            scalars[f"hurdles/{hurdle + 1}"] = self._passed[hurdle] / met
        scalars |= {f"failed/{status}": count for status, count in self._failed.items()}
        scalars |= {f"seconds/{cause}": spent for cause, spent in self._seconds.items()}
        return scalars
