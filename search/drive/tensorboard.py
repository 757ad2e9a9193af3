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
    failures; `seconds/CAUSE` is workers' time so far by cause. Losses and hurdles of a rung
    above the first have tags of their own, such as `rung_2/loss/candidate`, and so does the
    first seed where it is trained again: `loss/seed_again`.
    """

    def __init__(self, then: Progress) -> None:
        self._then = then
        self._met, self._passed = Counter[str](), Counter[str]()  # by tag
        self._failed, self._seconds = Counter[str](), Counter[str]()

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        from tensorboardX import SummaryWriter  # slow to import, and most runs do without

        self._search, config = search, run.config
        self._hurdles = {
            rung: config.on(rung).candidate.budget.hurdles for rung in config.rung_numbers
        }
        rungs = {one.id: one.rung for one in run.store.trainings()}
        for number, outcome in run.store.outcomes():  # of earlier sessions
            self._count(rungs[number], outcome)
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
        self._count(individual.rung, outcome)
        step = self._search.told
        for name, value in self._scalars(individual, outcome, elapsed).items():
            self._writer.add_scalar(name, value, step)
        self._then.told(individual, outcome, elapsed)

    def tick(self, elapsed: float) -> None:
        self._then.tick(elapsed)

    def end(self, stop: Stop, elapsed: float) -> None:
        self._writer.close()
        self._then.end(stop, elapsed)

    def _count(self, rung: int, outcome: Outcome) -> None:
        self._seconds.update(outcome.seconds)
        for hurdle in range(min(len(outcome.curve), self._hurdles[rung])):
            tag = f"{_prefix(rung)}hurdles/{hurdle + 1}"
            self._met[tag] += 1
            self._passed[tag] += hurdle != outcome.hurdle
        if not math.isfinite(outcome.fitness) and outcome.status is not Status.KNOWN:
            self._failed[outcome.status.value] += 1

    def _scalars(
        self, individual: Individual, outcome: Outcome, elapsed: float
    ) -> dict[str, float]:
        scalars = {}
        if self._search.best is not None:
            fitness, best = self._search.best
            scalars[f"{_prefix(self._highest(best))}loss/best"] = -fitness
        if math.isfinite(outcome.fitness):
            again = individual.of is not None and individual.rung == 1
            name = "loss/seed_again" if again else "loss/candidate"
            scalars[f"{_prefix(individual.rung)}{name}"] = -outcome.fitness
        if elapsed > 0:
            scalars["rate/candidates_per_hour"] = self._search.told / elapsed * HOUR
        for tag, met in self._met.items():
            scalars[tag] = self._passed[tag] / met
        scalars |= {f"failed/{status}": count for status, count in self._failed.items()}
        scalars |= {f"seconds/{cause}": spent for cause, spent in self._seconds.items()}
        return scalars

    def _highest(self, best: Individual) -> int:
        """The highest rung on which the program of the best has a loss."""
        ladder, program = self._search.ladder, self._search.known.original(best.id)
        higher = range(ladder.top, 1, -1)
        return next((rung for rung in higher if ladder.gain(program, rung) is not None), 1)


def _prefix(rung: int) -> str:
    """What the tags of a rung begin with."""
    return "" if rung == 1 else f"rung_{rung}/"
