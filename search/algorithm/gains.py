"""What programs gain on each rung, measured or expected.

    gain on a rung  = the first seed's mean loss there - the program's loss there

What was not measured is expected from the rung below: a share of the gain there, plus the
effects of what the program has more or less of than the first seed (`traits.py`). Both are
learnt from the programs tried so far (`search/statistics/effects.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from primeval.dna.graph import build_graph, recent_graph
from primeval.dna.program import Program
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.traits import beside, traits
from primeval.search.statistics.effects import Effects, Pair
from primeval.search.statistics.noise import Noise

FIRST_SEED = 0  # the individual that all gains are measured against


@dataclass
class Measured:
    """What is known of programs on one rung.

    Attributes:
        losses: By program; infinite if it failed.
        ended: Those trained to the end of the rung's budget.
        entered: How often each was trained, trainings in flight included.
        refused: Those that do not fit the rung's scale, as far as it was tried. It follows
            from the rung alone and decides about nothing but their promotion.
        noise: The losses of the first seed.
        effects: What gains of the rung below are worth here.
    """

    losses: dict[int, float] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    entered: Counter[int] = field(default_factory=Counter)
    refused: set[int] = field(default_factory=set)
    noise: Noise = field(default_factory=Noise)
    effects: Effects = field(default_factory=Effects)


class Gains:
    """The losses and gains of programs, which are named by their first individual.

    Args:
        first_seed: The program that gains are measured against. None for a reader, who has no
            use for the traits of programs: what was not measured is then expected to be a share
            of the gain below, and no program needs to be parsed.
    """

    def __init__(self, first_seed: Program | None) -> None:
        self._first_seed = first_seed
        self._base_traits: Counter[str] | None = None
        self._measured: list[Measured] = []
        self._traits: dict[int, dict[str, int]] = {}
        self._memory: dict[tuple[int, int], float] = {}  # of `expected`, until an outcome

    def note(self, individual: Individual, program: int, fitness: float | None) -> None:
        """Note the fitness of a program on an individual's rung."""
        losses = self._measured[individual.rung - 1].losses
        losses[program] = math.inf if fitness is None else -fitness
        if self._first_seed is None or fitness is None or program in self._traits:
            return
        graph = recent_graph(individual.program(self._first_seed.vocabulary))
        self._traits[program] = beside(graph, self._base(self._first_seed))

    def noise(self, rung: int) -> Noise:
        """The first seed's losses on a rung."""
        return self._measured[rung - 1].noise

    def compared(self, rung: int) -> int:
        """How many programs were trained to the end on a rung, the first seed not counted."""
        return len(self._measured[rung - 1].ended - {FIRST_SEED})

    def gain(self, program: int, rung: int) -> float | None:
        """The gain measured on a rung, in nats per token; minus infinity if it failed there.

        None if it was not tried there, or the first seed has no loss there yet. A program that
        was stopped at a hurdle has the loss that it had there, as everywhere (A.3).
        """
        here = self._measured[rung - 1]
        loss, reference = here.losses.get(program), here.noise.mean
        if loss is None or reference is None:
            return None
        return 0.0 if program == FIRST_SEED else reference - loss

    def fitness(self, program: int) -> float | None:
        """The fitness on the highest rung that a program was trained on; None if on none."""
        for measured in reversed(self._measured):
            if program in measured.losses:
                return -measured.losses[program]
        return None

    def expected(self, program: int, rung: int) -> float:
        """The gain on a rung, measured or else expected; minus infinity if it failed below."""
        which = (program, rung)
        if which not in self._memory:
            gain = self.gain(program, rung)
            if gain is None and rung > 1:
                below, known = self.expected(program, rung - 1), self._traits.get(program, {})
                gain = self._measured[rung - 1].effects.expected(known, below)
            self._memory[which] = -math.inf if gain is None else gain
        return self._memory[which]

    def held(self, rung: int) -> float:
        """The share of the gains of the rung below that holds on a rung, effects apart."""
        return self._measured[rung - 1].effects.held

    def _base(self, first_seed: Program) -> Counter[str]:
        """The traits that all others are compared with; counted once."""
        if self._base_traits is None:
            self._base_traits = traits(build_graph(first_seed))
        return self._base_traits

    def _learn(self, rung: int) -> None:
        """Learn from all programs tried on a rung and on the one below."""
        if rung > 1:
            pairs = [
                pair
                for one in self._measured[rung - 1].losses
                if (pair := self._pair(one, rung))
            ]
            self._measured[rung - 1].effects.fit(pairs)

    def _pair(self, program: int, rung: int) -> Pair | None:
        """Gains on the rung below and on a rung; None unless it was tried on both."""
        below, above = self.gain(program, rung - 1), self.gain(program, rung)
        if program == FIRST_SEED or below is None or above is None or not math.isfinite(below):
            return None
        if program not in self._measured[rung - 1].ended and math.isfinite(above):
            above = (
                0.0  # stopped on the way, it showed no gain; its loss there is of less training
            )
        return Pair(self._traits.get(program, {}), below, above)
