"""Instead of what is best, a rehearsal trains something on every rung."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from primeval.search.algorithm.evolution import StuckError
from primeval.search.algorithm.gains import FIRST_SEED
from primeval.search.algorithm.ladder import Ladder, Trial
from primeval.search.algorithm.rung import Rung

MORE = 5  # children that take the place of those that failed or do not fit, at most


class EveryRung(Ladder):
    """Asks for the first seed on every rung, then for a few children, and for them on each.

    Args:
        rungs: As for any ladder.
        seeds: As for any ladder.
        children: How many children there are to be.
    """

    def __init__(self, rungs: Sequence[Rung], seeds: int, children: int) -> None:
        super().__init__(rungs, seeds)
        self._children = children

    def next_trial(self, candidates: Iterable[int]) -> Trial | None:
        """The next training; None for a new child. Raises StuckError to wait, or at the end."""
        higher = range(2, self.top + 1)
        for rung in higher:
            if not self._measured[rung - 1].entered[FIRST_SEED]:
                return Trial(FIRST_SEED, rung)
        first = self._measured[0]
        children = [one for one in first.entered if one >= self._seeds]
        failed = {one for one, loss in first.losses.items() if loss == math.inf}
        useless = failed.union(*(here.refused for here in self._measured))
        if len(children) < self._children + min(len(useless), MORE):
            return None
        for one in sorted(set(candidates).intersection(children) - useless):
            for rung in higher:
                here = self._measured[rung - 1]
                if not here.entered[one]:
                    return Trial(one, rung)
        raise StuckError("The rehearsal is over.")
