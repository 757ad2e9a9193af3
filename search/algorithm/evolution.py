"""The search algorithm: regularised evolution as ask and tell.

    fill the population with copies of the seeds
    ask:   draw ten, take the best, mutate it until the child is new
    tell:  the child enters the population, the oldest is removed

It uses neither the run's files nor processes. Its state is a function of the run's seed and of
the order of asks and tells, so a search is resumed by replaying its history, and every
individual can be derived again. Two other algorithms differ only in how a parent is chosen.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph, build_graph
from primeval.dna.mutate import Child, ExhaustedError, mutate
from primeval.dna.program import Program
from primeval.evaluators.outcome import Outcome, Status
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.algorithm.hurdles import Hurdles
from primeval.search.algorithm.known import Known
from primeval.search.algorithm.population import Individual, Population, Thresholds
from primeval.search.algorithm.randomness import random_seed
from primeval.search.config.settings import SearchSettings

PARENTS = 20  # parents drawn, at most, before the search gives up finding a new child


class StuckError(RuntimeError):
    """No individual can be asked for: nothing in the population has a fitness."""


class Search:
    """One search: ask it for individuals, tell it their outcomes.

    Args:
        settings: Population, tournament, mutations, algorithm.
        seeds: Programs to start from; each is evaluated once.
        seed: The run's random seed, from which all randomness follows.
        hurdles: How many hurdles candidates meet.
        cost: Counts a graph's parameters; raises Rejection for one that does not fit.
        vocabulary: The primitives that mutations draw from; the seeds use no others.

    Attributes:
        population: The members, the oldest first.
        best: The best fitness so far and its individual; None before the first.
        asked: How many individuals there are.
        told: How many outcomes there are.
        spent: Seconds of workers' time.
        in_flight: Individuals without an outcome, by number.
        known: Which individuals are the same program.
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
        self.asked = self.told = 0
        self.spent = 0.0
        self.in_flight: dict[int, Individual] = {}
        self.known = Known(settings.reevaluations)
        self.seed_count = len(seeds)  # seeds are asked for first
        self._seeds, self._cost, self._vocabulary = tuple(seeds), cost, vocabulary
        self._hurdles = Hurdles(hurdles, settings.population_size)

    def ask(self) -> Individual:
        """The next individual. Raises StuckError, or ExhaustedError when no child is new."""
        if self.asked < self.seed_count:
            individual = self._root(self._seeds[self.asked])
        elif (known := self.known.next_repeat()) is not None:
            individual = self._repeat(known)
        else:
            individual = self._child()
        self._enter(individual)
        return individual

    def inject(self, program: Program) -> Individual:
        """Make the next individual of a program from outside; only after the seeds.

        CHOICE: it meets the thresholds that a child would meet, and is evaluated even if it is
        known, because the user asked for it.

        Raises:
            ValueError: Not all seeds have been asked for.
            Rejection: The program has no meaning, or does not fit the scale.
        """
        if self.asked < self.seed_count:
            raise ValueError("The seeds come first.")
        individual = self._root(program)
        self._enter(individual)
        return individual

    def restore(self, individual: Individual) -> None:
        """Take the next individual from a run's history instead of asking for it.

        Raises ValueError if it is not the next one.
        """
        if individual.id != self.asked:
            raise ValueError(
                f"Individuals come in order (next: {self.asked}). Received: {individual.id}."
            )
        if individual.parent is not None:
            self.known.next_repeat()  # if one was waiting, this individual is its repeat
        self._enter(individual)

    def change(self, settings: SearchSettings) -> None:
        """Continue with other settings; if the population shrinks, the oldest are removed."""
        self.settings = settings
        self.known.limit = settings.reevaluations
        self.population.resize(settings.population_size)
        self._hurdles.resize(settings.population_size)

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take in the outcome of an individual in flight. Raises KeyError for any other.

        CHOICE: an individual without a fitness does not enter the population. So failures are
        never parents, and however many there are, they cannot push out the living.
        """
        individual = self.in_flight.pop(number)
        self.told += 1
        self.spent += math.fsum(outcome.seconds.values())
        fitness = self.known.tell(individual, outcome)
        if outcome.status is Status.KNOWN:
            return
        if not self.known.is_repeat(number):  # each program counts once in the medians
            self._hurdles.tell(outcome)
        if number < self.seed_count:
            self.population.settle(individual, fitness)
        elif fitness is not None:
            self.population.add(individual, fitness)
        if fitness is None:
            return
        if self.known.is_repeat(number) or fitness != outcome.fitness:
            self._average(number, fitness)
        if self.best is None or fitness > self.best[0]:
            self.best = (fitness, individual)

    def _average(self, number: int, fitness: float) -> None:
        """Give the mean fitness of a program to all members with it, and to the best."""
        original = self.known.original
        program = original(number)
        self.population.rate(lambda one: original(one.id) == program, fitness)
        if self.best is not None and original(self.best[1].id) == program:
            # CHOICE: the mean can be lower than a lucky first figure. Then the best is the
            # fittest of this program and the living.
            living = [
                (one.fitness, one.individual)
                for one in self.population
                if one.fitness is not None
            ]
            self.best = max([(fitness, self.best[1]), *living], key=itemgetter(0))

    def _enter(self, individual: Individual) -> None:
        self.asked += 1
        self.in_flight[individual.id] = individual
        self.known.enter(individual)
        if individual.id < self.seed_count:
            size, count = self.settings.population_size, self.seed_count
            # the population starts as copies of the seeds, as evenly as its size allows
            for _ in range(size // count + (individual.id < size % count)):
                self.population.add(individual, None)

    def _root(self, program: Program) -> Individual:
        """A seed or an injected program: it has no parent."""
        graph = build_graph(program)
        cost = self._cost(graph) if self._cost else None
        return self._individual(program, graph, cost, parent=None, edit=None)

    def _individual(
        self, program: Program, graph: Graph, cost: Cost | None, **ancestry: Any
    ) -> Individual:
        number = self.asked
        return Individual.of(
            program,
            id=number,
            fingerprint=graph.fingerprint,
            seed=random_seed("weights", self.seed, number),
            thresholds=() if number < self.seed_count else self._thresholds(graph.fingerprint),
            told=self.told,
            parameters=cost.parameters if cost else None,
            **ancestry,
        )

    def _repeat(self, known: Individual) -> Individual:
        """A re-evaluation, with other weights, of a child that turned out to be known."""
        return replace(
            known,
            id=self.asked,
            seed=random_seed("weights", self.seed, self.asked),
            thresholds=self._thresholds(known.fingerprint),
            told=self.told,
            attempts={},
        )

    def _child(self) -> Individual:
        """A child of the winner of a tournament. Raises ExhaustedError if no child is new."""
        rng, costs = random.Random(f"{self.seed}/{self.asked}"), list[Cost]()

        def viable(graph: Graph) -> None:
            if self._cost is not None:
                costs[:] = [self._cost(graph)]

        def mutated(parent: Individual) -> Child:
            return mutate(
                parent.program(self._seeds[0].vocabulary),
                rng,
                weights=self.settings.mutations,
                known=self.known.is_settled,
                viable=viable,
                parent_fingerprint=parent.fingerprint,
                vocabulary=self._vocabulary,
            )

        parent, child, attempts = _first_child(lambda: _parent(self, rng), mutated)
        cost = costs[0] if costs else None
        ancestry = {"parent": parent.id, "edit": child.edit, "attempts": attempts}
        return self._individual(child.program, child.graph, cost, **ancestry)

    def _thresholds(self, fingerprint: str) -> Thresholds:
        again = self.known.thresholds(fingerprint)
        return self._hurdles.thresholds() if again is None else again


def _parent(search: Search, rng: random.Random) -> Individual:
    if not len(search.population):
        raise StuckError("No seed could be evaluated, so there is no program to mutate.")
    algorithm = search.settings.algorithm
    if algorithm == "hill_climbing" and search.best is not None:
        return search.best[1]
    # CHOICE: `random` keeps the ageing population and gives up selection only, so the
    # difference to `evolution` is what selection is worth.
    size = search.settings.tournament_size if algorithm == "evolution" else 1
    return search.population.tournament(size, rng)


def _first_child(
    draw: Callable[[], Individual], mutated: Callable[[Individual], Child]
) -> tuple[Individual, Child, dict[str, int]]:
    """A parent, its new child, and the attempts before it, those with other parents included.

    CHOICE: the paper does not say what happens when a parent has no new children; here another
    parent is drawn. Raises ExhaustedError after `PARENTS` of them.
    """
    attempts, exhausted = Counter[str](), dict[int, ExhaustedError]()
    for _ in range(PARENTS):
        parent = draw()
        if parent.id in exhausted:
            continue
        try:
            child = mutated(parent)
        except ExhaustedError as error:
            exhausted[parent.id] = error
            attempts.update(error.attempts)
        else:
            return parent, child, dict(attempts + Counter(child.attempts))
    raise list(exhausted.values())[-1]
