"""What holds on the next rung is learnt, and so is what does not."""

from __future__ import annotations

import math
import random

import pytest

from primeval.search.statistics.effects import HELD_BEFORE, LEAST_HELD, Effects, Pair


def learnt(pairs: list[Pair], times: int = 30) -> Effects:
    effects = Effects()
    for _ in range(times):  # one outcome each
        effects.fit(pairs)
    return effects


def test_before_anything_was_tried_half_of_a_gain_is_expected() -> None:
    effects = Effects()
    effects.fit([])
    assert effects.expected({"SQUARE": 1}, 0.2) == pytest.approx(0.1)


@pytest.mark.parametrize(("share", "limit"), [(0.8, 0.8), (3.0, 1.0), (-1.0, LEAST_HELD)])
def test_the_share_that_holds_is_learnt_within_limits(share: float, limit: float) -> None:
    gains = [0.01 * one for one in range(1, 200)]
    pairs = [Pair({}, below, share * below) for below in gains]
    assert learnt(pairs).held == pytest.approx(limit, abs=0.03)


def test_effects_of_several_traits_are_told_apart() -> None:
    rng, pairs = random.Random(0), []
    for _ in range(60):
        traits = {name: 1 for name in ("CONV_3X1", "SQUARE", "TANH") if rng.random() < 0.5}
        below = rng.gauss(0.1, 0.05)
        above = 0.5 * below - 0.1 * ("CONV_3X1" in traits) + 0.05 * ("SQUARE" in traits)
        pairs.append(Pair(traits, below, above + rng.gauss(0, 0.005)))
    effects = learnt(pairs)
    assert effects.expected({"CONV_3X1": 1}, 0.0) == pytest.approx(-0.1, abs=0.02)
    assert effects.expected({"SQUARE": 1}, 0.0) == pytest.approx(0.05, abs=0.02)
    assert effects.expected({"TANH": 1}, 0.0) == pytest.approx(0.0, abs=0.02)
    assert effects.held == pytest.approx(HELD_BEFORE, abs=0.2)


def test_it_converges_to_the_least_squares_with_a_penalty() -> None:
    """At the minimum, no small step of any effect makes the penalised squares smaller."""
    rng = random.Random(1)
    pairs = [
        Pair({name: rng.randint(-2, 2) for name in "abc"}, rng.gauss(0, 1), rng.gauss(0, 0.2))
        for _ in range(20)
    ]
    effects = learnt(pairs, 300)

    def badness() -> float:
        rest = (pair.above - effects.expected(pair.traits, pair.below) for pair in pairs)
        return sum(one**2 for one in rest) + 0.3 * sum(
            one**2 for one in effects._effects.values()
        )

    least = badness()
    for name in "abc":
        for step in (-1e-3, 1e-3):
            effects._effects[name] += step
            assert badness() > least
            effects._effects[name] -= step


@pytest.mark.parametrize("above", [-math.inf, -80.0, -0.1])
def test_one_disaster_counts_as_much_as_the_largest_gain(above: float) -> None:
    ordinary = [Pair({"TANH": 1}, 0.1, 0.05)] * 3
    effects = learnt([*ordinary, Pair({"CONV_3X1": 1}, 0.02, above)])
    assert effects.expected({"CONV_3X1": 1}, 0.0) == pytest.approx(-0.085, abs=0.01)


def test_what_has_been_seen_often_is_better_known() -> None:
    effects = Effects()
    assert effects.unknown({}) == 0.0
    assert effects.unknown({"SQUARE": 1}) == 1.0
    effects.fit([Pair({"SQUARE": 1}, 0.1, 0.1)] * 3)
    assert effects.unknown({"SQUARE": 1}) == 0.5
    assert effects.unknown({"SQUARE": 1, "TANH": 1}) > 1.0
