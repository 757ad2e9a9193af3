"""What each rung of a run took, by cause, with the measuring of its noise apart."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from primeval.search.algorithm.gains import FIRST_SEED
from primeval.search.algorithm.population import Individual


@dataclass
class RungCost:
    """What was trained on one rung, either programs or replicates.

    Attributes:
        rung: The rung.
        noise: Whether these are replicates: the first seed, trained again to measure the noise.
        individuals: How many were asked for.
        causes: Seconds or steps, as the ledger's unit says, by what they were spent on.
        budget: Their share of the whole run's.
    """

    rung: int
    noise: bool
    individuals: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    budget: float = 0.0

    @property
    def spent(self) -> float:
        """Seconds or steps in all."""
        return math.fsum(self.causes.values())

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return vars(self) | {"causes": dict(self.causes), "spent": self.spent}


class Costs:
    """Sums up what individuals took, entered in the order in which they were asked for."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, bool], RungCost] = {}
        self._compared = {1}  # rungs on which the first seed was trained

    @property
    def rows(self) -> list[RungCost]:
        """Rung by rung, programs before replicates."""
        return [row for _, row in sorted(self._rows.items())]

    def is_noise(self, individual: Individual) -> bool:
        """Whether it is a replicate.

        The first training of the first seed on a rung is none: gains are measured against it.
        """
        return individual.of == FIRST_SEED and individual.rung in self._compared

    def enter(self, individual: Individual, causes: dict[str, float]) -> None:
        """Count an individual and what it took so far."""
        key = individual.rung, self.is_noise(individual)
        row = self._rows.setdefault(key, RungCost(*key))
        row.individuals += 1
        row.causes.update(causes)
        if individual.of == FIRST_SEED:
            self._compared.add(individual.rung)
