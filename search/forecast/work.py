"""How many trainings each rung of a run will see, and what they cost.

Half of the candidates pass each hurdle, as in the paper (A.3). So every band of the budget
costs the same, and a candidate uses (h + 1) / (2^(h+1) - 1) of it on average. The first few
meet no threshold yet (`hurdles.LEAST`) and use all of it, as seeds and replicates do.

A rung takes the most promising of the programs that were trained to the end below: a share of
all that were tried there, or those that seem among the best so many. CHOICE: half of those
trained to the end are taken to seem better than the first seed, as if all were as good as it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from primeval.evaluators.budget import Budget
from primeval.search.algorithm.hurdles import LEAST

SEEM_BETTER = 0.5  # of the programs that are trained to the end
# Of new programs: their first step is not finite, so they cost next to nothing. Measured.
FAIL_AT_ONCE = 0.2


@dataclass(frozen=True)
class Training:
    """What one training on a rung costs, in seconds of a worker.

    Attributes:
        budget: The budget of a candidate there, and its hurdles.
        full: A training that passes every hurdle.
        mean: A training on average.
        reference: What a process takes once, before it trains its first program there.
        unstopped: How many programs meet no threshold, seeds included.
        replicates: How often the first seed is trained.
        promote: As in the settings; of no meaning on rung 1.
        failing: The share of its programs, without seeds, that fail at once.
    """

    budget: Budget
    full: float
    mean: float
    reference: float
    unstopped: int
    replicates: int
    promote: float
    failing: float = 0.0


@dataclass(frozen=True)
class Trainings:
    """The trainings on one rung.

    Attributes:
        programs: New or promoted programs, each once, and seeds.
        replicates: Trainings of the first seed besides its first one.
        ended: How many programs are trained to the end.
        seconds: Workers' time.
        noise: Workers' time of the replicates, which is part of it.
    """

    programs: int
    replicates: int
    ended: int
    seconds: float
    noise: float

    @property
    def count(self) -> int:
        """All trainings."""
        return self.programs + self.replicates


@dataclass(frozen=True)
class Work:
    """The work of a run.

    Attributes:
        rungs: What a training costs on each rung, the lowest first.
        seeds: How many seeds there are.
        lifetime: Trainings of a worker process before it is replaced.
        processes: Worker processes at a time.
    """

    rungs: Sequence[Training]
    seeds: int
    lifetime: float
    processes: int

    def of(self, programs: int) -> list[Trainings]:
        """The trainings on each rung if so many programs are trained on the first."""
        found = [self._trainings(0, programs)]
        for at, rung in enumerate(self.rungs[1:], 1):
            promoted = self._promoted(found[-1], rung.promote)
            # the seeds follow only when there is something to compare with them
            found.append(self._trainings(at, promoted + self.seeds if promoted else 0))
        lives = max(self.processes, sum(one.count for one in found) / self.lifetime)
        return [
            replace(one, seconds=one.seconds + _reached(lives, one) * rung.reference)
            for one, rung in zip(found, self.rungs, strict=True)
        ]

    def most(self, count: float, seconds: float) -> int:
        """How many programs can be trained on the first rung within these limits.

        Args:
            count: Trainings on all rungs.
            seconds: Workers' time.
        """
        low, high = 0, 1
        while self._within(high, count, seconds):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if self._within(middle, count, seconds):
                low = middle
            else:
                high = middle
        return low

    def _within(self, programs: int, count: float, seconds: float) -> bool:
        trainings = self.of(programs)
        spent = math.fsum(one.seconds for one in trainings)
        return sum(one.count for one in trainings) <= count and spent <= seconds

    def _trainings(self, at: int, programs: int) -> Trainings:
        rung = self.rungs[at]
        if not programs:
            return Trainings(0, 0, 0, 0.0, 0.0)
        again = rung.replicates - 1
        trained = programs - rung.failing * max(0, programs - self.seeds)
        first = min(trained, rung.unstopped)
        ended = first + (trained - first) * 0.5**rung.budget.hurdles
        spent = (first + again) * rung.full + (trained - first) * rung.mean
        return Trainings(programs, again, math.floor(ended), spent, again * rung.full)

    def _promoted(self, below: Trainings, promote: float) -> int:
        """How many programs of the rung below are promoted."""
        ended = max(0, below.ended - self.seeds)
        if promote < 1:
            return min(ended, math.floor(promote * below.programs))
        due = math.floor(SEEM_BETTER * ended)
        if due > promote:
            # whoever is among the best that many is promoted, and may be overtaken later
            due = round(promote * (1 + math.log(due / promote)))
        return min(due, below.programs // 2)


def _reached(lives: float, rung: Trainings) -> float:
    """How many of the processes train something on a rung, if chance decides which."""
    return lives * (1 - (1 - 1 / max(1.0, lives)) ** rung.programs)


def unstopped(budget: Budget, seeds: int, at_a_time: int) -> int:
    """How many programs meet no threshold on a rung, seeds included.

    Args:
        budget: The budget there, and its hurdles.
        seeds: How many seeds there are; they never meet one.
        at_a_time: Programs that are in flight together.
    """
    if not budget.hurdles:
        return 0  # there is nothing to stop them
    return max(seeds, LEAST) + at_a_time - 1


def mean_share(hurdles: int) -> float:
    """The share of its budget that a candidate uses on average."""
    return (hurdles + 1) / ((2 << hurdles) - 1)
