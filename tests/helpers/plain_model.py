"""A plain model of a search's population, to compare the real one with."""

from __future__ import annotations

import math
from collections import Counter

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual

FAILURES = (
    *(Status.DIVERGED, Status.REJECTED, Status.TIMED_OUT),
    *(Status.OUT_OF_MEMORY, Status.CRASHED),
)
SIZES = (3, 6, 9)


class Model:
    """What a population must hold, kept as a plain list with the oldest member first."""

    def __init__(self, size: int, seeds: int) -> None:
        self.size, self.seeds = size, seeds
        self.members: list[tuple[int, float | None]] = []
        self.told_: list[int] = []
        self.losses: dict[
            int, tuple[float, int]
        ] = {}  # of each program: the sum, and the count
        self.first: dict[str, int] = {}  # the first individual with each graph
        self.same: dict[int, int] = {}  # individual -> the one with the same program
        self.repeats = Counter[int]()  # how often each program was re-evaluated

    def program(self, number: int) -> int:
        """The first individual with the same program as this one."""
        return self.program(self.same[number]) if number in self.same else number

    def fitness(self, number: int) -> float | None:
        """The fitness of its program: the mean over all evaluations."""
        total, count = self.losses.get(self.program(number), (0.0, 0))
        return -total / count if count else None

    def asked(self, individual: Individual) -> None:
        number = individual.id
        first = self.first.setdefault(individual.fingerprint, number)
        if first != number:
            self.same[number] = first
            self.repeats[self.program(number)] += 1
        if number < self.seeds:  # the population starts with equally many copies of each seed
            share = self.size // self.seeds + (number < self.size % self.seeds)
            self._enter(*[(number, None)] * share)

    def told(self, number: int, outcome: Outcome) -> None:
        self.told_.append(number)
        if outcome.status is Status.KNOWN:
            assert outcome.same_as is not None
            self.same[number] = outcome.same_as
            return
        good = outcome.loss is not None and math.isfinite(outcome.loss)
        if good:
            total, count = self.losses.get(self.program(number), (0.0, 0))
            self.losses[self.program(number)] = (total + outcome.loss, count + 1)  # type: ignore[operator]
        if number < self.seeds:  # the copies of a seed that failed leave
            self.members = [one for one in self.members if one[0] != number or good]
        elif good:
            self._enter((number, None))
        if good:
            program, mean = self.program(number), self.fitness(number)
            self.members = [
                (one, mean if self.program(one) == program else fitness)
                for one, fitness in self.members
            ]

    def resize(self, size: int) -> None:
        self.size = size
        self._enter()

    def _enter(self, *members: tuple[int, float | None]) -> None:
        self.members = [*self.members, *members][-self.size :]  # the oldest die first
