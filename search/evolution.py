"""The search algorithm: regularised evolution as ask and tell.

    fill the population with copies of the seeds
    ask:   draw ten, take the best, mutate it until the child is new
    tell:  the child enters the population, the oldest dies

It knows neither files nor processes. Its state is a function of the order of asks and tells
and of the run's seed, so a search is resumed by replaying its history, and every individual
can be derived again. Two other arms differ in how a parent is chosen, and in nothing else.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Sequence

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph, build_graph
from primeval.dna.mutate import Edit, mutate
from primeval.dna.program import Program
from primeval.evaluators.outcome import Outcome
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.hurdles import Hurdles
from primeval.search.population import Individual, Population
from primeval.search.settings import SearchSettings

ALGORITHMS = ("evolution", "random", "hill_climbing")


class StuckError(RuntimeError):
    """No individual can be asked for: nothing in the population has a fitness."""


class Search:
    """One search: ask it for individuals, tell it their outcomes.

    Args:
        settings: Population, tournament, mutations, arm.
        seeds: Programs to start from; each is evaluated once.
        seed: The run's, from which all randomness follows.
        hurdles: How many hurdles candidates meet.
        cost: Counts a graph's parameters; raises Rejection for one that does not fit.
        vocabulary: The primitives that mutations draw from; the seeds use no others.
    """

    def __init__(
        self,
        settings: SearchSettings,
        seeds: Sequence[Program],
        seed: int = 0,
        hurdles: int = 0,
        cost: Callable[[Graph], Cost] | None = None,
        vocabulary: Vocabulary = PRIMITIVES,
    ) -> None:
        self.settings, self.seed = settings, seed
        self.population = Population(settings.population_size)
        self.best: tuple[float, Individual] | None = None
        self.asked = 0
        self.told = 0
        self.in_flight: dict[int, Individual] = {}
        self._seeds, self._cost, self._vocabulary = tuple(seeds), cost, vocabulary
        self._hurdles = Hurdles(hurdles, settings.population_size)
        self._known: set[bytes] = set()

    def ask(self) -> Individual:
        """The next individual. Raises StuckError, or ExhaustedError when nothing is new."""
        number = self.asked
        individual = self._seed(number) if number < len(self._seeds) else self._child(number)
        self._enter(individual)
        return individual

    def restore(self, individual: Individual) -> None:
        """Take an individual from a run's history instead of asking for it."""
        if individual.id != self.asked:
            raise ValueError(
                f"Individuals come in order (next: {self.asked}). Received: {individual.id}."
            )
        self._enter(individual)

    def change(self, settings: SearchSettings) -> None:
        """Go on with other settings; the oldest die at once if the population shrinks."""
        self.settings = settings
        self.population.resize(settings.population_size)
        self._hurdles.resize(settings.population_size)

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take in the outcome of an individual in flight.

        CHOICE: whoever has no fitness does not enter the population. So failures are never
        parents, and no accumulation of them can push out the living.
        """
        individual = self.in_flight.pop(number)
        self.told += 1
        self._hurdles.tell(outcome)
        fitness = outcome.fitness if math.isfinite(outcome.fitness) else None
        if number < len(self._seeds):
            self.population.settle(individual, fitness)
        elif fitness is not None:
            self.population.add(individual, fitness)
        if fitness is not None and (self.best is None or fitness > self.best[0]):
            self.best = (fitness, individual)

    def _enter(self, individual: Individual) -> None:
        self.asked += 1
        self.in_flight[individual.id] = individual
        self._known.add(_key(individual.fingerprint))
        if individual.id < len(self._seeds):
            size, count = self.settings.population_size, len(self._seeds)
            # the population starts as copies of the seeds, as evenly as its size allows
            for _ in range(size // count + (individual.id < size % count)):
                self.population.add(individual, None)

    def _seed(self, number: int) -> Individual:
        program = self._seeds[number]
        graph = build_graph(program)
        return Individual.of(
            program,
            id=number,
            parent=None,
            edit=None,
            fingerprint=graph.fingerprint,
            seed=weight_seed(self.seed, number),
            told=self.told,
            parameters=self._cost(graph).parameters if self._cost else None,
        )

    def _child(self, number: int) -> Individual:
        rng = random.Random(f"{self.seed}/{number}")
        parent = self._parent(rng)
        costs: list[Cost] = []

        def viable(graph: Graph) -> None:
            if self._cost is not None:
                costs[:] = [self._cost(graph)]

        child = mutate(
            parent.program,
            rng,
            weights=self.settings.mutations,
            known=lambda fingerprint: _key(fingerprint) in self._known,
            viable=viable,
            parent_fingerprint=parent.fingerprint,
            vocabulary=self._vocabulary,
        )
        return Individual.of(
            child.program,
            id=number,
            parent=parent.id,
            edit=child.edit,
            fingerprint=child.graph.fingerprint,
            seed=weight_seed(self.seed, number),
            thresholds=self._hurdles.thresholds(),
            told=self.told,
            parameters=costs[0].parameters if costs else None,
            attempts=child.attempts,
        )

    def _parent(self, rng: random.Random) -> Individual:
        if not len(self.population):
            raise StuckError("No seed could be evaluated, so there is nobody to mutate.")
        if self.settings.algorithm == "hill_climbing" and self.best is not None:
            return self.best[1]
        # CHOICE: the random arm keeps the aging population and gives up selection only, so
        # that what differs from evolution is what selection is worth.
        size = self.settings.tournament_size if self.settings.algorithm == "evolution" else 1
        return self.population.tournament(size, rng)


def weight_seed(seed: int, number: int) -> int:
    """The seed of an individual's weights; a function of run seed and number alone."""
    digest = hashlib.blake2b(f"weights/{seed}/{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1  # every library takes 31 bits


def _key(fingerprint: str) -> bytes:
    """Half of the fingerprint: 128 bits tell 10^6 programs apart, and a million fit in RAM."""
    return bytes.fromhex(fingerprint[:32])


__all__ = ["ALGORITHMS", "Edit", "Search", "StuckError", "weight_seed"]
