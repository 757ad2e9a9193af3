"""Programs that were proposed more than once: who is the same as whom, and their mean fitness.

A program is known by the first individual that was it, the original. A re-evaluation is an
individual too, of a number and a seed of its own; its fitness, and its original's, is the mean
of all evaluations. Part of a search's state, so it follows from the order of asks and tells.
"""

from __future__ import annotations

import math
from array import array

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.population import Thresholds

NOBODY = 0.0  # a bar that no loss is below


class Repeats:
    """Which individuals are the same program. Some bytes for each, as there may be millions."""

    def __init__(self) -> None:
        self._originals: dict[int, int] = {}  # of those that are not originals themselves
        self._asked: dict[int, int] = {}  # re-evaluations of an original, those in flight too
        self._total = array("d")  # by number: the fitnesses summed, …
        self._count = array("l")  # … how many there are, …
        self._stopped_at = array("b")  # … the hurdle where the first ended, or -1

    def original(self, number: int) -> int:
        """The first individual that was the same program; itself if it is new."""
        return self._originals.get(number, number)

    def enter(self, number: int, first: int) -> None:
        """An individual was asked for whose graph `first` had already, or was new."""
        self._total.append(0.0)
        self._count.append(0)
        self._stopped_at.append(-1)
        if first != number:
            original = self.original(first)
            self._originals[number] = original
            self._asked[original] = self._asked.get(original, 0) + 1

    def may_repeat(self, number: int, limit: int) -> bool:
        """Whether a program has a fitness, and fewer than `limit` re-evaluations."""
        original = self.original(number)
        return self._asked.get(original, 0) < limit and self._count[original] > 0

    def bars(self, number: int) -> Thresholds | None:
        """Thresholds of a re-evaluation; None if there is no evaluation yet.

        CHOICE: it is trained as far as the first was, neither shorter nor longer: a mean of
        losses after different amounts of training would mean nothing.
        """
        original = self.original(number)
        if not self._count[original]:
            return None
        hurdle = self._stopped_at[original]
        return () if hurdle < 0 else (*(None,) * hurdle, NOBODY)

    def tell(self, number: int, outcome: Outcome) -> float | None:
        """Take in an outcome; the program's fitness after it, None if it is not evaluated."""
        if outcome.status is Status.KNOWN and outcome.same_as is not None:
            self._originals[number] = self.original(outcome.same_as)
            return None
        if not math.isfinite(outcome.fitness):
            return None
        original = self.original(number)
        if not self._count[original] and outcome.hurdle is not None:
            self._stopped_at[original] = outcome.hurdle
        self._total[original] += outcome.fitness
        self._count[original] += 1
        return self._total[original] / self._count[original]
