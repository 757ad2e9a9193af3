"""Who stands best: by fitness on a single rung, by the ladder on several."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

from primeval.search.algorithm.known import Known
from primeval.search.algorithm.ladder import Ladder, Standing
from primeval.search.algorithm.population import (
    Individual,
    Member,
    Population,
    by_fitness,
)


class Standings:
    """Compares the individuals of one search.

    Args:
        population: The search's population.
        known: The search's index of known programs.
        ladder: What the search knows of programs on each rung.

    Attributes:
        promoted: Individuals that were promoted, by their programs.
    """

    def __init__(self, population: Population, known: Known, ladder: Ladder) -> None:
        self.promoted: dict[int, Individual] = {}
        self._population, self._known, self._ladder = population, known, ladder
        self._fittest: tuple[float, Individual] | None = None  # on the first rung

    @property
    def best(self) -> tuple[float, Individual] | None:
        """The individual that stands best, with its fitness on the highest rung it has seen.

        None before any individual has a fitness.
        """
        if self._fittest is None or self._ladder.top == 1:
            return self._fittest
        living = (one for _, one in self._living())
        best = max((self._fittest[1], *self.promoted.values(), *living), key=self._standing)
        fitness = self._ladder.fitness(self._known.original(best.id))
        return self._fittest if fitness is None else (fitness, best)

    def rank(self, member: Member) -> tuple[float, float]:
        """What a tournament goes by: the fitness, or on a ladder the standing."""
        if self._ladder.top == 1 or member.fitness is None:
            return 0.0, by_fitness(member)
        return self._standing(member.individual)

    def enter(self, individual: Individual) -> None:
        """Take in an individual that was asked for."""
        if individual.rung > 1 and individual.of is not None:
            first = replace(individual, id=individual.of, rung=1, of=None)
            self.promoted.setdefault(individual.of, first)

    def tell(self, individual: Individual, fitness: float, averaged: bool) -> None:
        """Take in the fitness of an individual on the first rung.

        Args:
            individual: Whose it is.
            fitness: The mean fitness of its program.
            averaged: Whether the program had a fitness before.
        """
        if averaged:
            self._average(individual.id, fitness)
        if self._fittest is None or fitness > self._fittest[0]:
            self._fittest = (fitness, individual)

    def note_all(self) -> None:
        """Give the ladder the fitness of the living and of the best, once it has rungs."""
        for fitness, one in filter(None, (self._fittest, *self._living())):
            self._ladder.note(one, self._known.original(one.id), fitness)

    def _standing(self, individual: Individual) -> Standing:
        return self._ladder.standing(self._known.original(individual.id))

    def _living(self) -> list[tuple[float, Individual]]:
        return [
            (one.fitness, one.individual) for one in self._population if one.fitness is not None
        ]

    def _average(self, number: int, fitness: float) -> None:
        """Give the mean fitness of a program to all members with it, and to the best."""
        original = self._known.original
        program = original(number)
        self._population.rate(lambda one: original(one.id) == program, fitness)
        if self._fittest is not None and original(self._fittest[1].id) == program:
            # CHOICE: the mean can be lower than a lucky first figure. Then the best is the
            # fittest of this program and the living.
            found = [(fitness, self._fittest[1]), *self._living()]
            self._fittest = max(found, key=itemgetter(0))
