"""How far a mean of few measurements can be trusted, by Student's t distribution.

The standard library has no t distribution, and scipy would be a large dependency for one
number. Degrees of freedom are whole numbers here, for which the distribution is a finite sum.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """The mean of some measurements, and how far the true mean may be from it.

    Attributes:
        mean: The mean.
        half_width: The interval is the mean plus and minus this; None for one measurement.
        count: How many measurements there are.
    """

    mean: float
    half_width: float | None
    count: int

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The ends of the interval; None for one measurement."""
        if self.half_width is None:
            return None
        return self.mean - self.half_width, self.mean + self.half_width


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The t interval of the mean of at least one measurement.

    It covers the true mean with probability `confidence` if the measurements are independent
    and normally distributed. For paired differences it is the paired t interval.
    """
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return Interval(mean, None, count)
    error = statistics.stdev(values) / math.sqrt(count)
    return Interval(mean, t_quantile((1 + confidence) / 2, count - 1) * error, count)


@cache
def t_quantile(probability: float, freedom: int) -> float:
    """The value that Student's t with `freedom` degrees stays below with a probability.

    Raises ValueError outside of 0.5 <= probability < 1 and freedom >= 1.
    """
    if not 0.5 <= probability < 1 or freedom < 1:
        raise ValueError(f"No such quantile of t: {probability}, {freedom} degrees of freedom.")
    within = 2 * probability - 1
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:  # until the last bit
        if _within(middle, freedom) < within:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """P(|t| <= sqrt(freedom) tan(angle)): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for order in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (order - 1) / order
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
