"""Trained weights of the best individuals, kept in the run's folder: `weights/ID.npz`.

Workers write them when a candidate completes its budget. The files of individuals that are no
longer among the best are removed here, so that a long run does not fill the disk. Weights are
kept for export only: nothing in the search depends on them.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections import defaultdict
from pathlib import Path

from primeval.evaluators.outcome import Outcome
from primeval.search.algorithm.population import Individual
from primeval.search.run.store import Store

log = logging.getLogger(__name__)


def weights_file(folder: Path, number: int) -> Path:
    """Where an individual's weights are, if they are kept."""
    return folder.resolve() / "weights" / f"{number}.npz"


class KeptWeights:
    """Keeps the weights of the `count` fittest of each rung."""

    def __init__(self, folder: Path, count: int, store: Store) -> None:
        self._folder, self._count = weights_file(folder, 0).parent, count
        self._kept = defaultdict[int, list[tuple[float, int]]](list)  # heaps, the worst first
        for file in self._folder.glob("*.npz"):
            number = int(file.stem) if file.stem.isdecimal() else -1
            individual = store.individual(number) if number >= 0 else None
            if individual and (outcome := store.outcome(number)) is not None:
                self.tell(individual, outcome)

    def path(self, number: int) -> str | None:
        """The file for the weights of an individual; None if none are kept."""
        return f"{self._folder}/{number}.npz" if self._count else None

    def tell(self, individual: Individual, outcome: Outcome) -> None:
        """Take in an outcome: weights that are no longer among the best are removed."""
        number, kept = individual.id, self._kept[individual.rung]
        if not math.isfinite(outcome.fitness) or not self._file(number).exists():
            return
        heapq.heappush(kept, (outcome.fitness, number))
        while len(kept) > self._count:
            _, worst = heapq.heappop(kept)
            try:
                self._file(worst).unlink(missing_ok=True)
            except OSError as error:
                log.warning("weights of %d could not be removed: %s", worst, error)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.npz"
