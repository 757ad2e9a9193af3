"""The individuals of a search, and the population, a queue from which the oldest is removed.

Regularised evolution (Real et al.; Primer paper, A.4) needs a bounded queue and a tournament.
Individuals are numbered in the order in which they are asked for, never by the clock.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from primeval.dna.mutations import Edit
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES

Thresholds = tuple[float | None, ...]


@dataclass(frozen=True)
class Individual:
    """One program of a run, as it was asked for: everything but its outcome.

    Attributes:
        id: Its number in the run, from 0; the seeds come first.
        parent: Number of its parent; None for a seed or an injected program.
        edit: How it differs from its parent; None without a parent.
        text: The program (`dna/parsing.py`).
        fingerprint: Of its canonical graph, in hexadecimal.
        seed: Random seed of its weights.
        thresholds: The loss it must stay below at each hurdle; None lets every loss pass.
        told: How many outcomes were known when it was asked for; together with the order of
            the outcomes this makes every decision of a run repeatable.
        parameters: Trainable numbers of its model; None if they were not counted.
        attempts: How many mutations were thrown away before it, by reason.
        rung: The rung on which it is trained.
        of: The earlier individual whose program the search trains again of its own accord, on a
            higher rung or to measure the noise; None for a new program.
        parsed: Holds the program once it is at hand, so that it is parsed only once.
    """

    id: int
    parent: int | None
    edit: Edit | None
    text: str
    fingerprint: str
    seed: int
    thresholds: Thresholds = ()
    told: int = 0
    parameters: int | None = None
    attempts: dict[str, int] = field(default_factory=dict)
    rung: int = 1
    of: int | None = None
    parsed: list[Program] = field(default_factory=list, compare=False, repr=False)

    def program(self, vocabulary: Vocabulary = PRIMITIVES) -> Program:
        """The program, made of its run's primitives; parsed at the first use.

        Raises ProgramError if the text is no program of these primitives.
        """
        if not self.parsed or self.parsed[0].vocabulary is not vocabulary:
            self.parsed[:] = [parse(self.text, f"individual {self.id}", vocabulary)]
        return self.parsed[0]

    @classmethod
    def made_of(cls, program: Program, **fields: Any) -> Individual:
        """The individual with this program and these other fields."""
        return cls(text=format_program(program), parsed=[program], **fields)


@dataclass(frozen=True)
class Member:
    """An individual in the population; fitness None while a seed is being evaluated."""

    individual: Individual
    fitness: float | None


class Population:
    """A queue of at most `size` members: each one that enters pushes out the oldest."""

    def __init__(self, size: int) -> None:
        self._queue: deque[Member] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[Member]:
        """Members, the oldest first."""
        return iter(self._queue)

    @property
    def digest(self) -> str:
        """SHA-256 of the members and their fitness, the oldest first; equal in equal runs."""
        lines = [
            f"{one.individual.id} {one.individual.fingerprint} {one.fitness}" for one in self
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def resize(self, size: int) -> None:
        """Change the size; if it shrinks, the oldest are removed at once."""
        self._queue = deque(self._queue, maxlen=size)

    def add(self, individual: Individual, fitness: float | None) -> None:
        """Append a member; the oldest is removed if there is no room."""
        self._queue.append(Member(individual, fitness))

    def rate(self, which: Callable[[Individual], bool], fitness: float | None) -> None:
        """Change the fitness of the members that `which` selects, in their places.

        None removes them, as when a seed has failed.
        """
        members = [
            Member(one.individual, fitness) if which(one.individual) else one
            for one in self
            if fitness is not None or not which(one.individual)
        ]
        self._queue = deque(members, maxlen=self._queue.maxlen)

    def tournament(
        self, size: int, rng: random.Random, rank: Callable[[Member], Any] | None = None
    ) -> Individual:
        """The fittest of `size` members drawn without replacement, or the first by `rank`.

        CHOICE: the paper says both "uniformly at random" and "tournament of 10" (A.4); here it
        is the tournament. Of equals the first drawn wins, which is a random one. A seed that
        is still being evaluated loses against any fitness.
        """
        drawn = rng.sample(range(len(self._queue)), min(size, len(self._queue)))
        members = [self._queue[at] for at in drawn]
        return max(members, key=rank or by_fitness).individual


def by_fitness(member: Member) -> float:
    """The fitness of a member; minus infinity while a seed is being evaluated."""
    return float("-inf") if member.fitness is None else member.fitness
