"""The noise floor: what the luckiest of many programs gains by chance."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from primeval.search.statistics.noise import Noise, floor_in_deviations

STUDENT = {
    1: 6.3138,
    2: 2.9200,
    3: 2.3534,
    7: 1.8946,
    15: 1.7531,
}  # 95 %, by degrees of freedom


@pytest.mark.parametrize(("freedom", "quantile"), STUDENT.items())
def test_for_one_program_the_floor_is_students_quantile(freedom: int, quantile: float) -> None:
    trainings = freedom + 1
    expected = quantile * math.sqrt(1 + 1 / trainings)
    assert floor_in_deviations(trainings) == pytest.approx(expected, rel=0.008)


@pytest.mark.parametrize(("trainings", "compared"), [(2, 5), (4, 10), (8, 50)])
def test_in_95_of_100_runs_the_luckiest_of_equals_stays_below_the_floor(
    trainings: int, compared: int
) -> None:
    rng, beyond, runs = random.Random(0), 0, 4000
    in_deviations = floor_in_deviations(trainings, compared)
    for _ in range(runs):
        losses = [rng.gauss(0, 1) for _ in range(trainings)]
        # the smallest of many standard normal numbers, drawn from its own distribution
        luckiest = statistics.NormalDist().inv_cdf(1 - rng.random() ** (1 / compared))
        floor = in_deviations * statistics.stdev(losses)
        beyond += statistics.fmean(losses) - luckiest > floor
    assert beyond / runs == pytest.approx(0.05, abs=0.012)


def test_the_floor_rises_with_programs_and_falls_with_trainings() -> None:
    assert floor_in_deviations(4, 1) < floor_in_deviations(4, 10) < floor_in_deviations(4, 100)
    assert floor_in_deviations(3, 10) > floor_in_deviations(4, 10) > floor_in_deviations(9, 10)


def test_the_floor_has_the_unit_of_the_losses() -> None:
    losses = (3.0, 3.1, 2.9, 3.2)
    scaled = Noise(tuple(10 * loss + 7 for loss in losses))
    assert scaled.floor(5) == pytest.approx(10 * (Noise(losses).floor(5) or 0))
    assert Noise(losses).mean == pytest.approx(3.05)
    assert Noise(losses).deviation == pytest.approx(statistics.stdev(losses))


def test_noise_that_does_not_exist_has_a_floor_of_nothing() -> None:
    assert Noise((2.0, 2.0)).floor() == 0.0


def test_fewer_than_two_trainings_say_nothing_about_noise() -> None:
    assert Noise().mean is None
    assert Noise((2.0,)).mean == 2.0
    assert [Noise(losses).floor() for losses in ((), (2.0,))] == [None, None]
