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
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph, build_graph
from primeval.dna.mutate import ExhaustedError, mutate
from primeval.dna.program import Program
from primeval.evaluators.outcome import Outcome, Status
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.algorithm.hurdles import Hurdles
from primeval.search.algorithm.population import Individual, Population, Thresholds
from primeval.search.algorithm.repeats import Repeats
from primeval.search.config.settings import SearchSettings

PARENTS = 20  # that are drawn until one has a child that is new


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
        self.spent = 0.0  # seconds of workers' time
        self.in_flight: dict[int, Individual] = {}
        self.repeats = Repeats()
        self.seed_count = len(seeds)  # they are asked for first
        self._seeds, self._cost, self._vocabulary = tuple(seeds), cost, vocabulary
        self._hurdles = Hurdles(hurdles, settings.population_size)
        self._again: deque[Individual] = deque()  # found to be known, to be evaluated again

    def ask(self) -> Individual:
        """The next individual. Raises StuckError, or ExhaustedError when nothing is new."""
        number = self.asked
        if number < self.seed_count:
            individual = self._root(self._seeds[number])
        else:
            individual = self._again_or_none(number) or self._child(number)
        self._enter(individual)
        return individual

    def inject(self, program: Program) -> Individual:
        """The next individual, given from outside, after the seeds. Raises Rejection.

        CHOICE: it meets the bars that a child would meet, and is evaluated even if it is known:
        somebody asked for it.
        """
        if self.asked < self.seed_count:
            raise ValueError("The seeds come first.")
        individual = self._root(program)
        self._enter(individual)
        return individual

    def restore(self, individual: Individual) -> None:
        """Take an individual from a run's history instead of asking for it."""
        if individual.id != self.asked:
            raise ValueError(
                f"Individuals come in order (next: {self.asked}). Received: {individual.id}."
            )
        if individual.parent is not None:
            self._again_or_none(individual.id)  # it was the one, if there was one
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
        self.spent += math.fsum(outcome.seconds.values())
        fitness = self.repeats.tell(number, outcome)
        if outcome.status is Status.KNOWN:
            if self._may_repeat(number):
                self._again.append(individual)
            return
        if outcome.status is Status.LOST:
            self.repeats.forget(individual)  # it may be proposed again
        if self.repeats.original(number) == number:  # one loss of a program is enough
            self._hurdles.tell(outcome)
        if number < self.seed_count:
            self.population.settle(individual, fitness)
        elif fitness is not None:
            self.population.add(individual, fitness)
        if fitness is not None:
            if fitness != outcome.fitness:  # others of the same program have been told
                self._average(number, fitness)
            if self.best is None or fitness > self.best[0]:
                self.best = (fitness, individual)

    def _average(self, number: int, fitness: float) -> None:
        """Give all members that are this program its mean fitness, and the best too."""
        original = self.repeats.original
        self.population.rate(lambda one: original(one.id) == original(number), fitness)
        if self.best is not None and original(self.best[1].id) == original(number):
            # CHOICE: if the best was lucky, the best now is sought among the living, and it
            self.best = (fitness, self.best[1])
            for member in self.population:
                if member.fitness is not None and member.fitness > self.best[0]:
                    self.best = (member.fitness, member.individual)

    def _enter(self, individual: Individual) -> None:
        self.asked += 1
        self.in_flight[individual.id] = individual
        self.repeats.enter(individual)
        if individual.id < self.seed_count:
            size, count = self.settings.population_size, self.seed_count
            # the population starts as copies of the seeds, as evenly as its size allows
            for _ in range(size // count + (individual.id < size % count)):
                self.population.add(individual, None)

    def _root(self, program: Program) -> Individual:
        """A seed, or an individual given from outside: it has no parent."""
        number, graph = self.asked, build_graph(program)
        return Individual.of(
            program,
            id=number,
            parent=None,
            edit=None,
            fingerprint=graph.fingerprint,
            seed=weight_seed(self.seed, number),
            thresholds=() if number < self.seed_count else self._bars(graph.fingerprint),
            told=self.told,
            parameters=self._cost(graph).parameters if self._cost else None,
        )

    def _again_or_none(self, number: int) -> Individual | None:
        """A re-evaluation of a program that was found to be known after it was asked for."""
        while self._again:
            known = self._again.popleft()
            if self._may_repeat(known.id):
                return replace(
                    known,
                    id=number,
                    seed=weight_seed(self.seed, number),
                    thresholds=self._bars(known.fingerprint),
                    told=self.told,
                    attempts={},
                )
        return None

    def _child(self, number: int) -> Individual:
        """A child of whoever wins a tournament.

        CHOICE: the paper does not say what becomes of a parent that has no new children; here
        another one is drawn.
        """
        rng, attempts = random.Random(f"{self.seed}/{number}"), Counter[str]()
        exhausted: dict[int, ExhaustedError] = {}
        for _ in range(PARENTS):
            parent = self._parent(rng)
            if parent.id in exhausted:
                continue
            try:
                return self._child_of(parent, number, rng, attempts)
            except ExhaustedError as error:
                exhausted[parent.id] = error
                attempts.update(error.attempts)
        raise list(exhausted.values())[-1]

    def _child_of(
        self, parent: Individual, number: int, rng: random.Random, before: Counter[str]
    ) -> Individual:
        costs: list[Cost] = []

        def viable(graph: Graph) -> None:
            if self._cost is not None:
                costs[:] = [self._cost(graph)]

        child = mutate(
            parent.program(self._seeds[0].vocabulary),
            rng,
            weights=self.settings.mutations,
            known=self._settled,
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
            thresholds=self._bars(child.graph.fingerprint),
            told=self.told,
            parameters=costs[0].parameters if costs else None,
            attempts=dict(before + Counter(child.attempts)) if before else child.attempts,
        )

    def _settled(self, fingerprint: str) -> bool:
        """Whether a graph is known, and not to be evaluated again."""
        first = self.repeats.first(fingerprint)
        return first is not None and not self._may_repeat(first)

    def _may_repeat(self, number: int) -> bool:
        return self.repeats.may_repeat(number, self.settings.reevaluations)

    def _bars(self, fingerprint: str) -> Thresholds:
        first = self.repeats.first(fingerprint)
        bars = None if first is None else self.repeats.bars(first)
        return self._hurdles.thresholds() if bars is None else bars

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
