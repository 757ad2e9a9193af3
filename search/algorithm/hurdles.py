"""Halving hurdles (A.3): the loss a candidate must reach on the way, from the run's history.

`evaluators/budget.py` fixes where the hurdles lie on the budget; this file computes the
threshold at each of them. The thresholds travel with the candidate and are kept in the store.
So they are older than the latest outcomes by at most the number of candidates in flight, and
a reader of the run can see which ones were used.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

from primeval.evaluators.outcome import Outcome
from primeval.search.algorithm.population import Thresholds

# CHOICE: the paper lets the top half pass and does not say which individuals it is half of.
# Here it is half of the last `window` individuals that reached the hurdle, the window being
# the population's size. As the population improves, half of all earlier individuals would soon
# let nearly everything pass. Half of the living would compare with survivors of the same
# hurdle, and would stop far more than half. The individuals that reached the hurdle lately are
# the ones that a new individual competes with.
# CHOICE: there is no threshold before four individuals reached a hurdle. With the seed among
# them, a threshold from fewer could be a single lucky run; each individual that is waited for
# costs a full training.
LEAST = 4


class Hurdles:
    """Thresholds as running medians, one sorted window of losses per hurdle."""

    def __init__(self, count: int, window: int) -> None:
        self._window = max(window, LEAST)
        self._recent: list[deque[float]] = [deque() for _ in range(count)]
        self._sorted: list[list[float]] = [[] for _ in range(count)]

    def resize(self, window: int) -> None:
        """Change how many individuals the medians are of."""
        self._window = max(window, LEAST)

    def thresholds(self) -> Thresholds:
        """The threshold at each hurdle; None where too few individuals have reached it."""
        return tuple(_median(losses) for losses in self._sorted)

    def tell(self, outcome: Outcome) -> None:
        """Take in an outcome: its losses at the hurdles that it reached.

        Failures count too: a candidate that diverged later had a loss at the earlier hurdles
        like every other one.
        """
        for recent, losses, point in zip(
            self._recent, self._sorted, outcome.curve, strict=False
        ):
            if math.isfinite(point.loss):
                recent.append(point.loss)
                insort(losses, point.loss)
                while len(recent) > self._window:
                    del losses[bisect_left(losses, recent.popleft())]


def _median(losses: list[float]) -> float | None:
    if len(losses) < LEAST:
        return None
    middle = len(losses) // 2
    if len(losses) % 2:
        return losses[middle]
    return (losses[middle - 1] + losses[middle]) / 2
