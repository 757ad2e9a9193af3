"""When the ratio of two step times is known precisely enough."""

from __future__ import annotations

import random
import statistics

from primeval.evaluators.training.calibration import (
    FINE,
    LEAST_PAIRS,
    MOST_PAIRS,
    ROUGH,
    settled,
)


def pairs_needed(noise: float, seed: int, precision: float = FINE) -> tuple[int, float]:
    rng, ratios = random.Random(seed), list[float]()
    while not settled(ratios, precision):
        ratios.append(1.2 * rng.lognormvariate(0, noise))
    return len(ratios), statistics.median(ratios)


def test_a_quiet_machine_needs_the_least_pairs() -> None:
    assert pairs_needed(0.002, seed=0)[0] == LEAST_PAIRS


def test_noise_takes_more_pairs_up_to_a_limit() -> None:
    counts = [pairs_needed(0.04, seed)[0] for seed in range(20)]
    assert LEAST_PAIRS < sum(counts) / 20 < MOST_PAIRS
    assert pairs_needed(0.5, seed=0)[0] == MOST_PAIRS


def test_the_rough_precision_takes_far_fewer_pairs() -> None:
    fine, rough = (
        sum(pairs_needed(0.04, seed, precision)[0] for seed in range(20))
        for precision in (FINE, ROUGH)
    )
    assert rough < 0.6 * fine


def test_ten_repeats_agree_within_three_per_cent_under_moderate_noise() -> None:
    ratios = [pairs_needed(0.03, seed)[1] for seed in range(10)]
    assert max(ratios) / min(ratios) < 1.03
