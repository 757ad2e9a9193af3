"""Comparing losses: where both were measured, and what a difference means beside the noise.

Numbers that are not finite are None.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum

from primeval.evaluators.outcome import Outcome, Point, Status

SEED_ID = 0  # individuals are compared with the first seed


class Verdict(str, Enum):
    """What a difference to the first seed means."""

    GAIN = "gain"  # better, by more than the noise
    NOISE = "noise"  # the seed's own losses differ by as much
    WORSE = "worse"  # by more than the noise
    UNKNOWN = "unknown"  # the noise was not measured, or there is no difference to judge


def judge(gap: float | None, floor: float | None, ended: bool = True) -> Verdict:
    """What a difference means.

    Args:
        gap: A loss minus the seed's, in nats per token.
        floor: How large a gain must be to mean something; None if that is not known.
        ended: Whether the loss is one at the end of the budget, where the floor holds. Before
            that, no gain is claimed.
    """
    if gap is None or floor is None:
        return Verdict.UNKNOWN
    if abs(gap) <= floor:
        return Verdict.NOISE
    if gap > 0:
        return Verdict.WORSE
    return Verdict.GAIN if ended else Verdict.UNKNOWN


def mean_outcome(outcomes: Iterable[Outcome]) -> Outcome | None:
    """One program's outcomes as one, whose losses are means at each validation.

    Trainings that did not reach their end do not count; if none did, it is the first outcome.
    """
    told = list(outcomes)
    ended = [one for one in told if one.status is Status.COMPLETED and one.fitness > -math.inf]
    if len(ended) < 2:
        return next(iter(ended or told), None)
    curves = zip(*(one.curve for one in ended), strict=False)
    curve = tuple(
        Point(points[0].step, statistics.fmean(one.loss for one in points)) for points in curves
    )
    loss = statistics.fmean(one.loss for one in ended if one.loss is not None)
    return replace(ended[0], loss=loss, curve=curve)


def loss_gap(outcome: Outcome | None, other: Outcome | None) -> float | None:
    """`outcome`'s loss minus `other`'s, at the last mark both reached; None without one."""
    if outcome is None or other is None:
        return None
    marks = min(len(outcome.curve), len(other.curve))
    if not marks or not math.isfinite(outcome.fitness) or not math.isfinite(other.fitness):
        return None
    return finite(outcome.curve[marks - 1].loss - other.curve[marks - 1].loss)


def finite(number: float | None) -> float | None:
    """The number; None if it is infinite or no number."""
    return number if number is not None and math.isfinite(number) else None
