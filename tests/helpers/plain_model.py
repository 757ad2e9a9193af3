"""What a search promises of its population, in the plainest way."""

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
    """What must be true of a population, in the plainest way: a list, oldest first."""

    def __init__(self, size: int, seeds: int) -> None:
        self.size, self.seeds = size, seeds
        self.members: list[tuple[int, float | None]] = []
        self.told_: list[int] = []
        self.losses: dict[int, tuple[float, int]] = {}  # a program's, summed, and their number
        self.first: dict[str, int] = {}  # who had a graph first
        self.same: dict[int, int] = {}  # individuals that are programs known before
        self.repeats = Counter[int]()  # re-evaluations of each program

    def program(self, number: int) -> int:
        """Who was this program first."""
        return self.program(self.same[number]) if number in self.same else number

    def fitness(self, number: int) -> float | None:
        """Of its program: the mean over evaluations."""
        total, count = self.losses.get(self.program(number), (0.0, 0))
        return -total / count if count else None

    def asked(self, individual: Individual) -> None:
        number = individual.id
        first = self.first.setdefault(individual.fingerprint, number)
        if first != number:
            self.same[number] = first
            self.repeats[self.program(number)] += 1
        if number < self.seeds:  # copies of the seeds fill it, as evenly as possible
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
        if number < self.seeds:  # if it failed, its copies go
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
        self.members = [*self.members, *members][-self.size :]  # the oldest die
