"""Correlations have known values, and intervals and claims are as sure as they say."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from primeval.search.statistics.agreement import correlations, pairs_beyond_noise

FAILED = math.inf


def once(losses: Sequence[float]) -> list[list[float]]:
    """One seed for each program."""
    return [[loss] for loss in losses]


# By hand: Spearman is 1 - 6 sum d^2 / (n (n^2 - 1)) without ties, else Pearson's correlation of
# mean ranks; tau-b is (concordant - discordant) / sqrt(untied in x * untied in y).
KNOWN = [
    ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 1.0, 1.0),
    ([1, 2, 3, 4], [9, 7, 4, 1], -1.0, -1.0),
    ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8, 0.6),
    ([1, 2, 3, 4, 5, 6], [3, 1, 2, 6, 4, 5], 1 - 6 * 12 / 210, 7 / 15),
    ([1, 2, 2, 3], [1, 2, 3, 4], 4.5 / math.sqrt(4.5 * 5), 5 / math.sqrt(5 * 6)),
    ([1, 2, 3, FAILED, FAILED], [1, 2, 3, 4, 5], 9.5 / math.sqrt(9.5 * 10), 9 / math.sqrt(90)),
    ([1, FAILED, FAILED], [1, FAILED, FAILED], 1.0, 1.0),
]


@pytest.mark.parametrize(("x", "y", "spearman", "kendall"), KNOWN)
def test_correlations_have_the_values_worked_out_by_hand(
    x: list[float], y: list[float], spearman: float, kendall: float
) -> None:
    found = correlations(once(x), once(y))
    assert [one.value for one in found] == pytest.approx([spearman, kendall])


def test_rankings_are_of_the_means_over_seeds() -> None:
    a = [[1.0, 5.0], [2.0, 2.0], [9.0, 9.0]]  # means 3, 2, 9
    assert correlations(a, once([3, 2, 9]))[0].value == pytest.approx(1)
    a[1] = [2.0, FAILED]  # one failure is enough
    assert correlations(a, once([1, 3, 2]))[0].value == pytest.approx(1)


def test_rankings_without_an_order_have_no_correlation() -> None:
    assert correlations(once([1, 1, 1]), once([1, 2, 3])) == ((None, None, None),) * 2


def noisy(rng: random.Random, truth: Sequence[float], noise: float) -> list[list[float]]:
    """Two seeds for each program; what a seed does to all programs is large."""
    shared = [rng.gauss(0, 5) for _ in range(2)]
    return [[value + both + rng.gauss(0, noise) for both in shared] for value in truth]


def related(rng: random.Random, count: int, correlation: float) -> list[list[float]]:
    """True losses under two configurations, normally distributed with this correlation."""
    x = [rng.gauss(0, 1) for _ in range(count)]
    rest = math.sqrt(1 - correlation**2)
    return [x, [correlation * one + rest * rng.gauss(0, 1) for one in x]]


def test_the_same_losses_get_the_same_interval() -> None:
    rng = random.Random(1)
    a, b = (noisy(rng, truth, 0.3) for truth in related(rng, 12, 0.8))
    assert correlations(a, b) == correlations(a, b) != correlations(a, b, seed=1)


def test_intervals_hold_the_true_correlation_as_often_as_they_say() -> None:
    rng, noise, held, runs = random.Random(3), 0.3, [0, 0], 50
    normal = 0.8 / (1 + noise**2 / 2)  # of means over two seeds
    # Spearman's and Kendall's correlation of two variables with this normal correlation
    truth = (6 / math.pi * math.asin(normal / 2), 2 / math.pi * math.asin(normal))
    width = 0.0
    for _ in range(runs):
        a, b = (noisy(rng, one, noise) for one in related(rng, 16, 0.8))
        for at, found in enumerate(correlations(a, b, draws=300)):
            assert found.low is not None
            assert found.high is not None
            width += (found.high - found.low) / runs / 2
            held[at] += found.low <= truth[at] <= found.high
    assert min(held) / runs >= 0.88
    assert width < 0.7  # -1 to 1 would hold everything


def test_more_programs_make_the_interval_narrower() -> None:
    rng, widths = random.Random(4), []
    for count in (8, 64):
        a, b = (noisy(rng, truth, 0.3) for truth in related(rng, count, 0.8))
        _, low, high = correlations(a, b)[0]
        widths.append((high or 0) - (low or 0))
    assert widths[1] < 0.6 * widths[0]


# -- pairs --------------------------------------------------------------------------------


def test_a_pair_that_changes_its_order_is_found_with_two_seeds() -> None:
    rng = random.Random(5)
    a = noisy(rng, [0.0, 1.0, 2.0, 3.0, 4.0], 0.05)
    b = noisy(rng, [1.0, 0.0, 2.0, 3.0, 4.0], 0.05)
    pairs = pairs_beyond_noise(a, b)
    assert (pairs.compared, pairs.decided) == (10, 10)
    (change,) = pairs.changed
    assert (change.better, change.worse) == (0, 1)
    assert change.a.mean == pytest.approx(-1, abs=0.2)
    assert change.b.mean == pytest.approx(1, abs=0.2)
    (back,) = pairs_beyond_noise(b, a).changed
    assert (back.better, back.worse) == (1, 0)


@pytest.mark.parametrize("unstable", [1, 6])
def test_chance_changes_no_pair(unstable: int) -> None:
    """Half of the programs are the same in truth, and a program may be noisier than others."""
    rng, truth, claims = random.Random(unstable), [0, 0, 0, 0, 0, 0, 1, 2, 3, 4], 0
    for _ in range(100):
        sides = [noisy(rng, truth, 0.1) for _ in range(2)]
        for side in sides:
            side[0] = [loss + rng.gauss(0, 0.1 * (unstable - 1)) for loss in side[0]]
        claims += bool(pairs_beyond_noise(*sides).changed)
    assert claims <= 10


def test_pairs_with_a_failure_and_single_seeds_decide_nothing() -> None:
    a, b = noisy(random.Random(6), [0, 1, 2], 0.01), [[1.0, 1.0], [0.0, FAILED], [2.0, 2.0]]
    assert pairs_beyond_noise(a, b).compared == 1
    assert pairs_beyond_noise(once([1, 2, 3]), once([3, 2, 1])) == (3, 0, [])
    assert pairs_beyond_noise(once([1, 2]), once([FAILED, FAILED])) == (0, 0, [])
