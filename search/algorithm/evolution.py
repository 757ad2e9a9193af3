"""The search algorithm: regularised evolution as ask and tell.

    fill the population with copies of the seeds
    ask:   a promotion that is due, to be trained again on a higher rung (`ladder.py`); else
           draw ten, take the best, mutate it until the child is new
    tell:  the child enters the population, the oldest is removed

It uses neither the run's files nor processes. Its state is a function of the run's seed and of
the order of asks and tells, so a search is resumed by replaying its history, and every
individual can be derived again. Two other algorithms differ only in how a parent is chosen.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence

from primeval.dna.program import Program
from primeval.evaluators.outcome import Outcome, Status
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection
from primeval.search.algorithm.births import Births, Place
from primeval.search.algorithm.known import Known
from primeval.search.algorithm.ladder import Ladder
from primeval.search.algorithm.population import Individual, Population
from primeval.search.algorithm.rung import Rung
from primeval.search.algorithm.standings import Standings
from primeval.search.config.settings import SearchSettings


class StuckError(RuntimeError):
    """No individual can be asked for: nothing in the population has a fitness."""


class Search:
    """One search: ask it for individuals, tell it their outcomes.

    Args:
        settings: Population, tournament, mutations, algorithm.
        seeds: Programs to start from; each is evaluated once.
        seed: The run's random seed, from which all randomness follows.
        rungs: The rungs on which candidates are trained, the lowest first.
        vocabulary: The primitives that mutations draw from; the seeds use no others.

    Attributes:
        population: The members, the oldest first.
        ladder: What is known of programs on each rung.
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
        rungs: Sequence[Rung] = (Rung(),),
        vocabulary: Vocabulary = PRIMITIVES,
    ) -> None:
        self.settings, self.seed = settings, seed
        self.population = Population(settings.population_size)
        self.asked = self.told = 0
        self.spent = 0.0
        self.in_flight: dict[int, Individual] = {}
        self.known = Known(settings.reevaluations)
        self.seed_count = len(seeds)  # seeds are asked for first
        self.ladder = Ladder(rungs, len(seeds), seeds[0])
        self._births = Births(seed, seeds, vocabulary, self.known)
        self._births.change(rungs, settings.population_size)
        self._standings = Standings(self.population, self.known, self.ladder)
        self._roots: dict[int, Individual] = {}  # the seeds

    @property
    def best(self) -> tuple[float, Individual] | None:
        """The individual that stands best, with its fitness on the highest rung it has seen.

        None before any individual has a fitness.
        """
        return self._standings.best

    @property
    def digest(self) -> str:
        """SHA-256 of the state that decides about parents; equal in equal runs."""
        if self.ladder.top == 1:
            return self.population.digest
        both = f"{self.population.digest} {self.ladder.digest}"
        return hashlib.sha256(both.encode()).hexdigest()

    def ask(self) -> Individual:
        """The next individual. Raises StuckError, or ExhaustedError when no child is new."""
        if self.asked < self.seed_count:
            return self._enter(self._births.root(self._place, self._births.seeds[self.asked]))
        if (known := self.known.next_repeat()) is not None:
            return self._enter(self._births.repeat(self._place, known))
        if (trained_again := self._next_trial()) is not None:
            return self._enter(trained_again)
        mutations = self.settings.mutations
        return self._enter(self._births.child(self._place, self._parent, mutations))

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
        return self._enter(self._births.root(self._place, program))

    def climb(self, ladder: Ladder) -> None:
        """Use another ladder; only before anything is asked for."""
        self.ladder = ladder
        self._standings = Standings(self.population, self.known, ladder)

    def restore(self, individual: Individual) -> None:
        """Take the next individual from a run's history instead of asking for it.

        Raises ValueError if it is not the next one.
        """
        if individual.id != self.asked:
            raise ValueError(
                f"Individuals come in order (next: {self.asked}). Received: {individual.id}."
            )
        if individual.parent is not None and individual.of is None:
            self.known.next_repeat()  # if one was waiting, this individual is its repeat
        self._enter(individual)

    def change(self, settings: SearchSettings, rungs: Sequence[Rung]) -> None:
        """Continue with other settings; if the population shrinks, the oldest are removed.

        Rungs may be added at the end.
        """
        self.settings = settings
        self.known.limit = settings.reevaluations
        self.population.resize(settings.population_size)
        if self.ladder.top == 1:
            self._standings.note_all()
        self.ladder.change(rungs)
        self._births.change(rungs, settings.population_size)

    def tell(self, number: int, outcome: Outcome) -> None:
        """Take in the outcome of an individual in flight. Raises KeyError for any other.

        CHOICE: an individual without a fitness does not enter the population. So failures are
        never parents, and however many there are, they cannot push out the living.
        """
        individual = self.in_flight.pop(number)
        self.told += 1
        self.spent += math.fsum(outcome.seconds.values())
        if individual.rung > 1:
            self._tell_higher(individual, outcome)
            return
        fitness = self.known.tell(individual, outcome)
        if outcome.status is Status.KNOWN:
            return
        self.ladder.tell(individual, self.known.original(number), outcome, fitness)
        if not self.known.is_repeat(number):  # each program counts once in the medians
            self._births.hurdles[0].tell(outcome)
        if number < self.seed_count:
            self.population.rate(lambda one: one.id == number, fitness)
        elif fitness is not None and individual.of is None:
            self.population.add(individual, fitness)
        if fitness is None:
            return
        averaged = self.known.is_repeat(number) or fitness != outcome.fitness
        self._standings.tell(individual, fitness, averaged)

    def _tell_higher(self, individual: Individual, outcome: Outcome) -> None:
        """Take in an outcome of a higher rung.

        CHOICE: a program that fails there, for example because it diverges, leaves the
        population, as a failure on the first rung never enters it.
        """
        program, rung = self.known.original(individual.of or 0), individual.rung
        fitness = outcome.fitness if math.isfinite(outcome.fitness) else None
        if self.ladder.gain(program, rung) is None:
            self._births.hurdles[rung - 1].tell(outcome)
        self.ladder.tell(individual, program, outcome, fitness)
        if fitness is None and outcome.status is not Status.LOST and program:
            self.population.rate(lambda one: self.known.original(one.id) == program, None)

    def _enter(self, individual: Individual) -> Individual:
        self.asked += 1
        self.in_flight[individual.id] = individual
        self.known.enter(individual)
        self.ladder.enter(individual)
        self._standings.enter(individual)
        if individual.id < self.seed_count:
            self._roots[individual.id] = individual
            size, count = self.settings.population_size, self.seed_count
            # the population starts as copies of the seeds, as evenly as its size allows
            for _ in range(size // count + (individual.id < size % count)):
                self.population.add(individual, None)
        return individual

    def _next_trial(self) -> Individual | None:
        """A program that is to be trained again, on a higher rung or to measure the noise."""
        original = self.known.original
        known = {original(one.individual.id): one.individual for one in self.population}
        known |= self._standings.promoted | self._roots
        while (trial := self.ladder.next_trial(known)) is not None:
            program, rung = trial
            try:
                return self._births.trial(self._place, known[program], program, rung)
            except Rejection:
                self.ladder.refuse(program, rung)
        return None

    @property
    def _place(self) -> Place:
        return Place(self.asked, self.told)

    def _parent(self, rng: random.Random) -> Individual:
        if not len(self.population):
            raise StuckError("No seed could be evaluated, so there is no program to mutate.")
        algorithm = self.settings.algorithm
        if algorithm == "hill_climbing" and (best := self.best) is not None:
            return best[1]
        # CHOICE: `random` keeps the ageing population and gives up selection only, so the
        # difference to `evolution` is what selection is worth.
        size = self.settings.tournament_size if algorithm == "evolution" else 1
        return self.population.tournament(size, rng, self._standings.rank)
