"""Student's t intervals have the quantiles of the tables and the coverage that they promise."""

from __future__ import annotations

import random
import statistics

import pytest

from primeval.search.statistics.intervals import interval, t_quantile

# Quantiles of Student's t as tables print them: 95 %, 97.5 % and 99.5 %.
PUBLISHED = {
    1: (6.314, 12.706, 63.657),
    2: (2.920, 4.303, 9.925),
    3: (2.353, 3.182, 5.841),
    4: (2.132, 2.776, 4.604),
    5: (2.015, 2.571, 4.032),
    9: (1.833, 2.262, 3.250),
    10: (1.812, 2.228, 3.169),
    29: (1.699, 2.045, 2.756),
    30: (1.697, 2.042, 2.750),
    120: (1.658, 1.980, 2.617),
}


@pytest.mark.parametrize(("freedom", "row"), PUBLISHED.items())
def test_quantiles_of_t_are_those_of_the_tables(
    freedom: int, row: tuple[float, float, float]
) -> None:
    found = [t_quantile(probability, freedom) for probability in (0.95, 0.975, 0.995)]
    assert [round(value, 3) for value in found] == list(row)


def test_quantiles_of_t_approach_the_normal_ones() -> None:
    assert t_quantile(0.975, 20_000) == pytest.approx(
        statistics.NormalDist().inv_cdf(0.975), 1e-4
    )
    assert t_quantile(0.5, 4) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="degrees of freedom"):
        t_quantile(0.975, 0)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_intervals_hold_the_true_mean_as_often_as_they_say(count: int) -> None:
    rng, draws, held = random.Random(count), 4000, 0
    for _ in range(draws):
        found = interval([rng.gauss(-0.03, 0.01) for _ in range(count)])
        assert found.bounds is not None
        held += found.bounds[0] <= -0.03 <= found.bounds[1]
    assert held / draws == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / draws) ** 0.5)


def test_one_measurement_has_no_interval() -> None:
    assert interval([1.5]).bounds is None
    assert interval([1.0, 3.0]).bounds == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)
