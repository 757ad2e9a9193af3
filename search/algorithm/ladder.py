"""The ladder: which programs are trained again on a higher rung, and what their gains count.

    gain on a rung  = the first seed's mean loss there - the program's loss there
    promote to it   : of those that were trained to the end on the rung below, and live or were
                      promoted before, the most promising, as soon as there is room
    stand by        : first how far up a gain was proved, then the gain expected at the top

One scale cannot tell a program that is better from one that is better there only. So a gain
counts as far as it has been seen to hold. Four rules follow:

1. What was measured on a rung replaces what was expected of it.
2. What was not measured is expected from the rung below: a share of the gain there, plus the
   effects of what the program has more or less of than the first seed. Both are learnt from
   the programs tried so far (`search/statistics/effects.py`). So an idea whose gain was local
   is expected to lose it wherever it turns up again, and an idea that pays off higher up
   recommends all programs that have it.
3. A program that proved a gain on a higher rung stands before all that were never tried there,
   unless it is expected to lose that gain further up. A program that was tried and did not
   prove it stands by what it measured.
4. The most promising has the highest gain expected on the top rung, whichever rung it would be
   promoted to: what is known to fail at the top needs no training on the way there. What has
   hardly been tried is given the benefit of the doubt: half a standard deviation of the noise
   for each new trait, on each rung that is still ahead.

CHOICE: all of this file. The paper searches at one scale and scales its result up by hand.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from primeval.dna.program import Program
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.gains import FIRST_SEED, Gains, Measured
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.rung import Rung
from primeval.search.statistics.noise import Noise

DOUBT = 0.5  # what an unknown trait is worth at a promotion, in deviations of the noise


class Trial(NamedTuple):
    """A training that the ladder asks for: a program, by its first individual, on a rung."""

    program: int
    rung: int


class Standing(NamedTuple):
    """How a program stands; the larger, the better.

    Attributes:
        proved: The highest rung on which it proved a gain; 1 if on none above the first, if it
            was tried higher up since and did not prove it there, or if no gain is expected of
            it on the top rung.
        gain: The gain expected on the top rung, in nats per token; minus infinity if it failed.
    """

    proved: int
    gain: float


class Ladder(Gains):
    """What a search knows of its programs on each rung.

    Programs are named by their first individual. All of it follows from the order of `enter`
    and `tell`, so it is rebuilt by replaying a run.

    Args:
        rungs: The rules of each rung, the lowest first.
        seeds: How many seeds there are; all of them are trained on every rung.
        first_seed: The first of them; None for a reader (`Gains`).
    """

    def __init__(
        self, rungs: Sequence[Rung], seeds: int, first_seed: Program | None = None
    ) -> None:
        super().__init__(first_seed)
        self._seeds = seeds
        self.change(rungs)

    def change(self, rungs: Sequence[Rung]) -> None:
        """Continue with other rules, and with more rungs."""
        self._rungs = tuple(rungs)
        self._measured += [Measured() for _ in rungs[len(self._measured) :]]
        for measured in self._measured:
            measured.refused.clear()
        self._memory.clear()

    @property
    def top(self) -> int:
        """The number of the highest rung."""
        return len(self._rungs)

    @property
    def digest(self) -> str:
        """SHA-256 of everything measured above the first rung; equal in equal runs."""
        lines = [
            f"{rung} {sorted(one.losses.items())} {sorted(one.entered.items())}"
            for rung, one in enumerate(self._measured[1:], 2)
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    # -- what happens -------------------------------------------------------------------------

    def enter(self, individual: Individual) -> None:
        """Take in an individual that was asked for."""
        program = individual.id if individual.of is None else individual.of
        self._measured[individual.rung - 1].entered[program] += 1

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
        measured = self._measured[individual.rung - 1]
        self._memory.clear()
        if outcome.status is Status.LOST:  # it was not its fault: it may be tried again
            measured.entered[program] -= 1
            return
        if outcome.status is Status.COMPLETED and math.isfinite(outcome.fitness):
            measured.ended.add(program)
            if program == FIRST_SEED:
                measured.noise = Noise((*measured.noise.losses, -outcome.fitness))
        if program == FIRST_SEED and measured.noise.mean is not None:
            fitness = -measured.noise.mean  # one training that failed does not void the others
        if self.top > 1:  # otherwise losses are the population's business
            self.note(individual, program, fitness)
            self._learn(individual.rung)

    def refuse(self, program: int, rung: int) -> None:
        """Note that a program does not fit the scale of a rung."""
        self._measured[rung - 1].refused.add(program)

    # -- what is asked for next ---------------------------------------------------------------

    def next_trial(self, candidates: Iterable[int]) -> Trial | None:
        """The next training besides new programs; None if there is none now.

        Args:
            candidates: The programs of the population, and those that were promoted before.
        """
        if (missing := self._missing_reference(1)) is not None:
            return missing
        for rung in range(self.top, 1, -1):
            if self._room(rung) < 1 or self._has_no_reference(rung):
                continue
            program = self._promotable(rung, candidates)
            if program is None and self._seeds == 1 and not self._measured[rung - 1].entered:
                continue  # there is nothing yet to compare with the seed
            if (missing := self._missing_reference(rung)) is not None:
                return missing
            if program is not None:
                return Trial(program, rung)
        return None

    def _missing_reference(self, rung: int) -> Trial | None:
        """The first training of a seed that a rung still lacks."""
        here = self._measured[rung - 1]
        for seed in range(self._seeds):
            wanted = self._rungs[rung - 1].replicates if seed == FIRST_SEED else 1
            failed = rung > 1 and self._measured[rung - 2].losses.get(seed) == math.inf
            if here.entered[seed] < wanted and not failed and seed not in here.refused:
                return Trial(seed, rung)
        return None

    def _has_no_reference(self, rung: int) -> bool:
        """Whether the first seed failed on a rung, so that nothing can be compared there."""
        here = self._measured[rung - 1]
        return here.losses.get(FIRST_SEED) == math.inf or FIRST_SEED in here.refused

    def _room(self, rung: int) -> float:
        """How many programs may have been promoted to a rung by now."""
        promote, below = self._rungs[rung - 1].promote, len(self._measured[rung - 2].losses)
        # CHOICE: a number says how good a program must be. At most half are promoted even so.
        return promote * below if promote < 1 else below / 2

    def _promotable(self, rung: int, candidates: Iterable[int]) -> int | None:
        """The most promising program for a rung, if it is due; None otherwise."""
        here, ended = self._measured[rung - 1], self._measured[rung - 2].ended
        promoted = [one for one, times in here.entered.items() if times and one >= self._seeds]
        if len(promoted) + 1 > self._room(rung):
            return None
        promise = {
            one: self.expected(one, self.top) + self._doubt(one, rung)
            for one in candidates
            if one >= self._seeds
            and one in ended
            and one in self._traits
            and not here.entered[one]
            and one not in here.refused
        }
        best = max(promise, key=lambda one: (promise[one], -one), default=None)
        if best is None or promise[best] == -math.inf:
            return None
        if self._rungs[rung - 1].promote >= 1:  # it must be one of the best that many
            better = [one for one in promoted if self.expected(one, self.top) > promise[best]]
            if promise[best] <= 0 or len(better) >= self._rungs[rung - 1].promote:
                return None
        return best

    def _doubt(self, program: int, rung: int) -> float:
        """The benefit of the doubt of a program that would be promoted to a rung."""
        traits = self._traits[program]
        return DOUBT * math.fsum(
            (one.noise.deviation or 0.0) * one.effects.unknown(traits)
            for one in self._measured[rung - 1 :]
        )

    # -- what it amounts to -------------------------------------------------------------------

    def standing(self, program: int) -> Standing:
        """How a program stands (rule 3)."""
        gain = self.expected(program, self.top)
        for rung in range(self.top, 1, -1):
            measured = self.gain(program, rung)
            if measured is not None:
                proved = measured > (self.noise(rung).floor() or 0.0) and gain > 0
                return Standing(rung if proved else 1, gain)
        return Standing(1, gain)
