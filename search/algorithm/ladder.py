"""The ladder: which programs are trained again on a higher rung, and what their gains count.

    gain on a rung  = the first seed's mean loss there - the program's loss there
    promote to it   : of those that were trained to the end on the rung below and live, the one
                      from which most is expected there, as long as there is room
    stand by        : first how far up a gain was proved, then the gain expected at the top

One scale cannot tell a program that is better from one that is better there only. So a gain
counts as far as it has been seen to hold. Three rules follow:

1. What was measured on a rung replaces what was expected of it.
2. What was not measured is expected from the rung below: the share of gains that has held so
   far in this run, plus what the nearest ancestor tried there gained or lost beside that share.
   So the children of a program whose gain was local are expected to lose theirs as well, and
   an idea that pays off higher up recommends its descendants.
3. A program that proved a gain on a higher rung stands before all that were never tried there.
   A program that was tried and did not prove it stands by what it measured.

CHOICE: all of this file. The paper searches at one scale and scales its result up by hand.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.rung import Rung
from primeval.search.statistics.noise import Noise

FIRST_SEED = 0  # the individual that all gains are measured against
# CHOICE: before any program was tried on two rungs, half of a gain is taken to hold. The guess
# weighs as much as one program with the usual gain.
HELD_BEFORE = 0.5
LEAST_HELD = 0.05  # however little has held, more gain below is expected to be more above


class Trial(NamedTuple):
    """A training that the ladder asks for: a program, by its first individual, on a rung."""

    program: int
    rung: int


class Standing(NamedTuple):
    """How a program stands; the larger, the better.

    Attributes:
        proved: The highest rung on which it proved a gain; 1 if on none above the first, or if
            it was tried higher up since and did not prove it there.
        gain: The gain expected on the top rung, in nats per token; minus infinity if it failed.
    """

    proved: int
    gain: float


class Ladder:
    """What a search knows of its programs on each rung.

    Programs are named by their first individual. All of it follows from the order of `enter`
    and `tell`, so it is rebuilt by replaying a run.

    Args:
        rungs: The rules of each rung, the lowest first.
        seeds: How many seeds there are; all of them are trained on every rung.
    """

    def __init__(self, rungs: Sequence[Rung] = (Rung(),), seeds: int = 1) -> None:
        self._rungs, self._seeds = tuple(rungs), seeds
        self._losses: list[dict[int, float]] = []  # by rung and program; infinite: it failed
        self._ended: list[set[int]] = []  # trained to the end of the rung's budget
        self._entered: list[Counter[int]] = []  # trainings, those in flight included
        self._references: list[list[float]] = []  # losses of the first seed
        self._parents: dict[int, int] = {}
        self.change(rungs)

    def change(self, rungs: Sequence[Rung]) -> None:
        """Continue with other rules, and with more rungs."""
        self._rungs = tuple(rungs)
        while len(self._losses) < len(rungs):
            self._losses.append({})
            self._ended.append(set())
            self._entered.append(Counter())
            self._references.append([])

    @property
    def top(self) -> int:
        """The number of the highest rung."""
        return len(self._rungs)

    @property
    def digest(self) -> str:
        """SHA-256 of everything measured above the first rung; equal in equal runs."""
        lines = [
            f"{rung} {sorted(losses.items())} {sorted(entered.items())}"
            for rung, (losses, entered) in enumerate(
                zip(self._losses, self._entered, strict=True), 1
            )
            if rung > 1
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    # -- what happens -------------------------------------------------------------------------

    def enter(self, individual: Individual) -> None:
        """Take in an individual that was asked for."""
        program = individual.id if individual.of is None else individual.of
        self._entered[individual.rung - 1][program] += 1
        if individual.rung == 1 and individual.parent is not None and self.top > 1:
            self._parents[individual.id] = individual.parent

    def tell(
        self, individual: Individual, program: int, outcome: Outcome, fitness: float | None
    ) -> None:
        """Take in an outcome.

        Args:
            individual: Whose it is.
            program: The first individual that is the same program.
            outcome: The outcome; a known individual has none of its own and is left out.
            fitness: The program's fitness on this rung, a mean if it was trained several
                times; None if it failed.
        """
        at = individual.rung - 1
        if outcome.status is Status.LOST:  # it was not its fault: it may be tried again
            self._entered[at][program] -= 1
            return
        if program == FIRST_SEED and outcome.status is Status.COMPLETED:
            self._references[at].append(-outcome.fitness)
        if self.top > 1:  # otherwise losses are the population's business
            self._losses[at][program] = math.inf if fitness is None else -fitness
        if outcome.status is Status.COMPLETED:
            self._ended[at].add(program)

    def refuse(self, program: int, rung: int) -> None:
        """Note that a program does not fit the scale of a rung."""
        self._entered[rung - 1][program] += 1
        self._losses[rung - 1][program] = math.inf

    # -- what is asked for next ---------------------------------------------------------------

    def next_trial(self, living: Iterable[int]) -> Trial | None:
        """The next training besides new programs; None if there is none now.

        Args:
            living: The programs of the population.
        """
        if (missing := self._missing_reference(1)) is not None:
            return missing
        candidates: list[int] | None = None
        for rung in range(self.top, 1, -1):
            if self._room(rung) < 1 or self._has_no_reference(rung):
                continue
            candidates = list(dict.fromkeys(living)) if candidates is None else candidates
            program = self._promotable(rung, candidates)
            if program is None and self._seeds == 1 and not self._entered[rung - 1]:
                continue  # there is nothing yet to compare with the seed
            if (missing := self._missing_reference(rung)) is not None:
                return missing
            if program is not None:
                return Trial(program, rung)
        return None

    def _missing_reference(self, rung: int) -> Trial | None:
        """The first training of a seed that a rung still lacks."""
        for seed in range(self._seeds):
            wanted = self._rungs[rung - 1].replicates if seed == FIRST_SEED else 1
            failed = rung > 1 and self._losses[rung - 2].get(seed) == math.inf
            if self._entered[rung - 1][seed] < wanted and not failed:
                return Trial(seed, rung)
        return None

    def _has_no_reference(self, rung: int) -> bool:
        """Whether the first seed failed on a rung, so that nothing can be compared there."""
        return (
            self._losses[rung - 1].get(FIRST_SEED) == math.inf
            and not self._references[rung - 1]
        )

    def _room(self, rung: int) -> float:
        """How many programs may have been promoted to a rung by now."""
        promote = self._rungs[rung - 1].promote
        return promote if promote >= 1 else promote * len(self._losses[rung - 2])

    def _promotable(self, rung: int, living: Sequence[int]) -> int | None:
        """The program from which most is expected on a rung, if it is due; None otherwise."""
        entered, below = self._entered[rung - 1], self._ended[rung - 2]
        new = [
            one for one in living if one >= self._seeds and one in below and not entered[one]
        ]
        if not new:
            return None
        expected = {one: self.expected(one, rung) for one in new}
        best = max(new, key=lambda one: (expected[one], -one))
        if not expected[best] > 0:
            return None
        promoted = [one for one, times in entered.items() if times and one >= self._seeds]
        if self._rungs[rung - 1].promote >= 1:  # it must be one of the best that many
            promoted = [one for one in promoted if self.expected(one, rung) > expected[best]]
        return best if len(promoted) + 1 <= self._room(rung) else None

    # -- what it amounts to -------------------------------------------------------------------

    def noise(self, rung: int) -> Noise:
        """The first seed's losses on a rung."""
        return Noise(tuple(self._references[rung - 1]))

    def compared(self, rung: int) -> int:
        """How many programs were trained to the end on a rung, the first seed not counted."""
        return len(self._ended[rung - 1] - {FIRST_SEED})

    def gain(self, program: int, rung: int) -> float | None:
        """The gain measured on a rung, in nats per token; minus infinity if it failed there.

        None if it was not tried there, or the first seed has no loss there yet. A program that
        was stopped at a hurdle has the loss that it had there, as everywhere (A.3).
        """
        loss, reference = self._losses[rung - 1].get(program), self.noise(rung).mean
        if loss is None or reference is None:
            return None
        return 0.0 if program == FIRST_SEED else reference - loss

    def fitness(self, program: int) -> float | None:
        """The fitness on the highest rung that a program was trained on; None if on none."""
        for losses in reversed(self._losses):
            if program in losses:
                return -losses[program]
        return None

    def expected(self, program: int, rung: int) -> float:
        """The gain on a rung, measured or else expected; minus infinity if it failed below."""
        measured = self.gain(program, rung)
        if measured is not None or rung == 1:
            return -math.inf if measured is None else measured
        below = self.expected(program, rung - 1)
        return self.held(rung) * below + self._inherited(program, rung)

    def held(self, rung: int) -> float:
        """The share of the gains of the rung below that held on a rung, from 0.05 to 1.

        It is fitted by least squares to the programs tried on both.
        """
        pairs = [pair for one in self._losses[rung - 1] if (pair := self._pair(one, rung))]
        squares = math.fsum(below**2 for below, _ in pairs)
        products = math.fsum(below * above for below, above in pairs)
        guess = squares / len(pairs) if squares else 1.0
        share = (products + HELD_BEFORE * guess) / (squares + guess)
        return min(1.0, max(LEAST_HELD, share))

    def standing(self, program: int) -> Standing:
        """How a program stands (rule 3)."""
        gain = self.expected(program, self.top)
        for rung in range(self.top, 1, -1):
            measured = self.gain(program, rung)
            if measured is not None:
                proved = measured > (self.noise(rung).floor() or 0.0)
                return Standing(rung if proved else 1, gain)
        return Standing(1, gain)

    def _pair(self, program: int, rung: int) -> tuple[float, float] | None:
        """Gains on the rung below and on a rung; None unless both are measured and finite."""
        below, above = self.gain(program, rung - 1), self.gain(program, rung)
        if program == FIRST_SEED or below is None or above is None:
            return None
        return (below, above) if math.isfinite(below + above) else None

    def _inherited(self, program: int, rung: int) -> float:
        """What the nearest ancestor tried on a rung gained there beside the usual share."""
        for ancestor in self._ancestors(program):
            if (pair := self._pair(ancestor, rung)) is not None:
                below, above = pair
                return above - self.held(rung) * below
        return 0.0

    def _ancestors(self, program: int) -> Iterator[int]:
        """Its ancestors, the nearest first."""
        while (parent := self._parents.get(program)) is not None:
            yield parent
            program = parent
