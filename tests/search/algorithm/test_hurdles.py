"""Halving hurdles take their thresholds from the run's own history."""

from __future__ import annotations

import random
import statistics
from itertools import pairwise

from helpers.toys import outcome
from hypothesis import given
from hypothesis import strategies as st

from primeval.evaluators.budget import Budget
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.algorithm.hurdles import LEAST, Hurdles


def test_there_is_no_threshold_before_enough_have_reached_it() -> None:
    hurdles = Hurdles(2, window=10)
    for _ in range(LEAST - 1):
        hurdles.tell(outcome(1.0, marks=3))
    assert hurdles.thresholds() == (None, None)
    hurdles.tell(outcome(1.0, marks=1))  # it reached only the first hurdle
    assert hurdles.thresholds()[0] is not None
    assert hurdles.thresholds()[1] is None


@given(st.lists(st.floats(0, 9), min_size=1, max_size=60), st.integers(LEAST, 12))
def test_the_threshold_is_the_median_of_the_last_to_reach_it(
    losses: list[float], size: int
) -> None:
    hurdles = Hurdles(1, window=size)
    for loss in losses:
        hurdles.tell(Outcome(Status.COMPLETED, loss=loss, curve=(Point(1, loss),)))
    recent = losses[-size:]
    expected = statistics.median(recent) if len(recent) >= LEAST else None
    assert hurdles.thresholds() == (expected,)


def test_failures_count_where_they_had_a_loss() -> None:
    hurdles = Hurdles(2, window=10)
    curve = (Point(1, 2.0), Point(2, float("nan")))
    for _ in range(LEAST):
        hurdles.tell(Outcome(Status.DIVERGED, curve=curve))
        hurdles.tell(Outcome(Status.REJECTED))
    assert hurdles.thresholds() == (2.0, None)


def test_without_hurdles_there_are_no_thresholds() -> None:
    hurdles = Hurdles(0, window=10)
    hurdles.tell(outcome(1.0))
    assert hurdles.thresholds() == ()


def test_half_pass_each_hurdle_and_compute_falls_as_the_paper_says() -> None:
    """Paper, A.3: the mean cost is 6.2 times less than training every candidate to the end."""
    marks, count, rng = Budget("seconds", 25_200).marks(), 4000, random.Random(0)
    hurdles, reached, cost = Hurdles(4, window=100), [0] * 5, 0.0
    for _ in range(count):
        loss, thresholds = rng.gauss(4, 0.3), hurdles.thresholds()
        curve: list[Point] = []
        for step, mark in enumerate(marks):
            reached[step] += 1
            curve.append(Point(step, loss + 1 - mark + rng.gauss(0, 0.05)))
            threshold = thresholds[step] if step < len(thresholds) else None
            if threshold is not None and curve[-1].loss > threshold:
                break
        cost += marks[len(curve) - 1]
        hurdles.tell(Outcome(Status.COMPLETED, loss=curve[-1].loss, curve=tuple(curve)))
    passed = [later / earlier for earlier, later in pairwise(reached)]
    assert all(0.42 < share < 0.58 for share in passed)
    assert 5.5 < count / cost < 6.7
