"""Halving hurdles (A.3): the loss a candidate must reach on the way, from the run's history.

Where the marks lie on the budget is fixed by `evaluators/budget.py`; here is the bar at each
of them. Bars travel with the candidate and are in the store, so they are stale by at most the
number of candidates in flight, and everyone can see which ones were used.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

from primeval.evaluators.outcome import Outcome
from primeval.search.algorithm.population import Thresholds

# CHOICE: the paper lets the top half pass and does not say the top half of whom. Here it is of
# the last `window` individuals that reached the hurdle, the window being the population's
# size. Half of all earlier individuals would soon let nearly everyone pass, as the population
# improves; half of the living would compare with survivors of the same hurdle, and stop far
# more than half. Those who reached it lately are the ones a new individual competes with.
# CHOICE: no bar before four individuals reached a hurdle. With the seed among them, a bar from
# fewer could be a single lucky run; every one waited for costs a full training.
LEAST = 4


class Hurdles:
    """Bars as running medians, one sorted window per hurdle."""

    def __init__(self, count: int, window: int) -> None:
        self._window = max(window, LEAST)
        self._recent: list[deque[float]] = [deque() for _ in range(count)]
        self._sorted: list[list[float]] = [[] for _ in range(count)]

    def resize(self, window: int) -> None:
        self._window = max(window, LEAST)

    def thresholds(self) -> Thresholds:
        """The bar at each hurdle; None where too few have reached it."""
        return tuple(_median(losses) for losses in self._sorted)

    def tell(self, outcome: Outcome) -> None:
        """Learn from an outcome: its losses at the hurdles it reached, failures included.

        Whoever diverged later on had a loss at the earlier hurdles like everyone else.
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
