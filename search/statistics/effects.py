"""What a gain on one rung is worth on the next, learnt from the programs tried on both.

    gain above = held x gain below + the sum of the effects of a program's traits

Traits are counts of what a program has more or less of than the program that gains are
measured against. Each has an effect of its own on the step from one rung to the next. So what
was bad higher up is recognised wherever it turns up again, and what was good there too.

It is ridge regression, by coordinate descent that goes on from where it was.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Traits = Mapping[str, int]

# CHOICE: before any program was tried on two rungs, half of a gain is taken to hold. The guess
# weighs as much as ten programs with the usual gain: traits should explain what did not hold.
HELD_BEFORE, WEIGHT_BEFORE = 0.5, 10.0
LEAST_HELD = 0.05  # however little has held, more gain below is expected to be more above
RIDGE = 0.3  # an effect is taken to be 0 as firmly as if 0.3 programs had shown it
SWEEPS = 3  # per outcome; a run has many


class Pair(NamedTuple):
    """A program that was tried on two neighbouring rungs.

    Attributes:
        traits: What it has more or less of.
        below: Its gain on the lower rung.
        above: Its gain on the upper rung; minus infinity if it failed there.
    """

    traits: Traits
    below: float
    above: float


@dataclass
class Effects:
    """The effects of traits on the step to one rung.

    Attributes:
        held: The share of a gain that holds apart from all effects, from 0.05 to 1.
    """

    held: float = HELD_BEFORE
    _effects: dict[str, float] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)  # squared counts, summed over programs

    def expected(self, traits: Traits, below: float) -> float:
        """The gain expected above of a program with these traits and this gain below."""
        effects = self._effects
        return self.held * below + sum(
            effects[trait] * count for trait, count in traits.items() if trait in effects
        )

    def unknown(self, traits: Traits) -> float:
        """How little is known of these traits; 0 if there are none, 1 for a single new one."""
        seen = self._seen
        return math.sqrt(
            sum(count**2 / (1 + seen.get(trait, 0)) for trait, count in traits.items())
        )

    def fit(self, pairs: Sequence[Pair]) -> None:
        """Learn from all programs tried so far.

        CHOICE: no loss counts as more than the largest gain or loss below. A failure has no
        figure, and one disaster among many programs would outweigh all of them.
        """
        if not pairs:
            return
        largest = max(abs(pair.below) for pair in pairs)
        left = [
            max(pair.above, -largest) - self.expected(pair.traits, pair.below) for pair in pairs
        ]
        places = defaultdict[str, list[tuple[int, int]]](list)
        for at, pair in enumerate(pairs):
            for trait, count in pair.traits.items():
                places[trait].append((at, count))
        self._seen = {
            trait: sum(count**2 for _, count in found) for trait, found in places.items()
        }
        for _ in range(SWEEPS):
            self._fit_held(pairs, left)
            for trait, found in places.items():
                self._fit_effect(trait, found, left)

    def _fit_held(self, pairs: Sequence[Pair], left: list[float]) -> None:
        """Improve `held`; `left` is what is left to explain of each pair, and is changed."""
        squares = math.fsum(pair.below**2 for pair in pairs)
        before = WEIGHT_BEFORE * (squares / len(pairs) or 1.0)
        products = math.fsum(
            pair.below * (rest + self.held * pair.below)
            for pair, rest in zip(pairs, left, strict=True)
        )
        held = (products + HELD_BEFORE * before) / (squares + before)
        held = min(1.0, max(LEAST_HELD, held))
        for at, pair in enumerate(pairs):
            left[at] += (self.held - held) * pair.below
        self.held = held

    def _fit_effect(
        self, trait: str, found: Sequence[tuple[int, int]], left: list[float]
    ) -> None:
        """Improve the effect of a trait, which is found in some pairs so many times."""
        old = self._effects.get(trait, 0.0)
        total = sum(count * (left[at] + count * old) for at, count in found)
        new = total / (self._seen[trait] + RIDGE)
        for at, count in found:
            left[at] += count * (old - new)
        self._effects[trait] = new
