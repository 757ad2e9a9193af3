"""The individuals of a search: what one is, and the queue in which the oldest dies.

Regularised evolution (Real et al.; Primer paper, A.4) needs a bounded queue and a tournament.
Individuals are numbered in the order in which they are asked for, never by the clock.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

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
        id: Its number in the run; seeds come first, from 0.
        parent: Number of its parent; None for a seed.
        edit: How it differs from its parent; None for a seed.
        text: The program (`dna/parsing.py`).
        fingerprint: Of its canonical graph, in hexadecimal.
        seed: Seed of its weights.
        thresholds: The loss it must stay below at each hurdle; None lets everything pass.
        told: How many outcomes were known when it was asked for; with the order of the
            outcomes this makes every decision of a run repeatable.
        parameters: Trainable numbers of its model; None if nobody counted.
        attempts: Mutations thrown away before it, by reason.
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

    def program(self, vocabulary: Vocabulary = PRIMITIVES) -> Program:
        """The program, of the primitives of its run; parsed when first asked for."""
        program: Program | None = self.__dict__.get("parsed")
        if program is None or program.vocabulary is not vocabulary:
            program = parse(self.text, f"individual {self.id}", vocabulary)
            self.__dict__["parsed"] = program
        return program

    @classmethod
    def of(cls, program: Program, **fields: object) -> Individual:
        """An individual whose program is at hand already."""
        individual = cls(text=format_program(program), **fields)  # type: ignore[arg-type]
        individual.__dict__["parsed"] = program  # what `program` would parse again
        return individual


@dataclass(frozen=True)
class Member:
    """An individual in the population; fitness None while a seed is being evaluated."""

    individual: Individual
    fitness: float | None


class Population:
    """A queue of at most `size` members: who enters last pushes out the oldest."""

    def __init__(self, size: int) -> None:
        self._queue: deque[Member] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[Member]:
        """Members, the oldest first."""
        return iter(self._queue)

    @property
    def digest(self) -> str:
        """SHA-256 of who is alive, the oldest first, and how fit: runs that repeat share it."""
        lines = [
            f"{one.individual.id} {one.individual.fingerprint} {one.fitness}" for one in self
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def resize(self, size: int) -> None:
        self._queue = deque(self._queue, maxlen=size)

    def add(self, individual: Individual, fitness: float | None) -> None:
        self._queue.append(Member(individual, fitness))

    def settle(self, individual: Individual, fitness: float | None) -> None:
        """Give the copies of a seed their fitness; None removes them, as it failed."""
        copies: Iterable[Member] = list(self._queue)
        self._queue.clear()
        for member in copies:
            if member.individual.id != individual.id:
                self._queue.append(member)
            elif fitness is not None:
                self._queue.append(Member(individual, fitness))

    def rate(self, which: Callable[[Individual], bool], fitness: float) -> None:
        """Give those members another fitness; their places stay."""
        members = [
            Member(one.individual, fitness) if which(one.individual) else one for one in self
        ]
        self._queue = deque(members, maxlen=self._queue.maxlen)

    def tournament(self, size: int, rng: random.Random) -> Individual:
        """The fittest of `size` members drawn without replacement.

        CHOICE: the paper says both "uniformly at random" and "tournament of 10" (A.4); the
        tournament is meant. Of equals the first drawn wins, which is a random one. A seed
        that is still being evaluated loses against any fitness.
        """
        drawn = rng.sample(range(len(self._queue)), min(size, len(self._queue)))
        members = [self._queue[at] for at in drawn]
        return max(members, key=_rank).individual


def _rank(member: Member) -> float:
    return float("-inf") if member.fitness is None else member.fitness
