"""How large a difference must be to mean something, from one program trained several times.

A search compares many candidates, each trained once, with one program, the first seed, and the
best of many is good by luck in part. The bound that the luckiest of them stays below is
Dunnett's: the candidates share the program they are compared with and the estimate of the
noise. Bonferroni's correction ignores that and would be much wider for few trainings.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from functools import cache, cached_property

LEVEL = 0.05  # probability that chance alone exceeds the bound
EXACT = 1e-5  # relative error of the bound; `primeval top` waits for it
NODES = 48  # per dimension of the integral; more do not change the third digit


@dataclass(frozen=True)
class Noise:
    """The losses of one program, trained to the end with different initial weights.

    Attributes:
        losses: In nats per token, one for each training.
    """

    losses: tuple[float, ...] = ()

    @cached_property
    def mean(self) -> float | None:
        """The mean loss; None without a training."""
        return statistics.fmean(self.losses) if self.losses else None

    @cached_property
    def deviation(self) -> float | None:
        """The standard deviation of the losses; None for fewer than two."""
        return statistics.stdev(self.losses) if len(self.losses) > 1 else None

    def floor(self, compared: int = 1) -> float | None:
        """The gain, in nats per token, that chance alone gives with a probability of 5 % only.

        None if the noise is not known.

        Args:
            compared: How many programs are compared, of which the best is looked at.
        """
        deviation = self.deviation
        if deviation is None:
            return None
        return deviation * floor_in_deviations(len(self.losses), compared)


@cache
def floor_in_deviations(trainings: int, compared: int = 1) -> float:
    """The noise floor in standard deviations, for at least two trainings of the first seed.

    It is the c for which, with probability 95 %, none of `compared` programs that are no
    better than the seed is ahead of the seed's mean by c estimated standard deviations.
    """
    low, high = 0.0, 1.0
    while _none_beyond(high, trainings, compared) < 1 - LEVEL:
        high *= 2
    while high - low > EXACT * high:
        middle = (low + high) / 2
        if _none_beyond(middle, trainings, compared) < 1 - LEVEL:
            low = middle
        else:
            high = middle
    return high


def _none_beyond(bound: float, trainings: int, compared: int) -> float:
    """P(no program is ahead by more than `bound` estimated deviations).

    Given the error z of the seed's mean and the ratio s of the estimated to the true deviation,
    programs are independent: each stays below with probability Phi(bound s + z).
    """
    total = 0.0
    for ratio, weight in _ratios(trainings - 1):
        for error, share in _errors():
            below = _phi(bound * ratio + error / math.sqrt(trainings))
            total += weight * share * below**compared
    return total


@cache
def _errors() -> tuple[tuple[float, float], ...]:
    """Points of a standard normal variable, and their weights."""
    points = [-6 + 12 * (node + 0.5) / NODES for node in range(NODES)]
    return _weighted(points, [math.exp(-(point**2) / 2) for point in points])


@cache
def _ratios(freedom: int) -> tuple[tuple[float, float], ...]:
    """Points of an estimated standard deviation over the true one, and their weights.

    The square of the ratio times `freedom` has a chi-squared distribution. The points are
    evenly spaced in the logarithm, since few trainings spread over orders of magnitude.
    """
    points = [math.exp(-7 + 9 * (node + 0.5) / (4 * NODES)) for node in range(4 * NODES)]
    densities = [freedom * math.log(p) - freedom * p * p / 2 for p in points]
    most = max(densities)
    return _weighted(points, [math.exp(density - most) for density in densities])


def _weighted(points: list[float], densities: list[float]) -> tuple[tuple[float, float], ...]:
    total = math.fsum(densities)
    return tuple(
        (point, density / total)
        for point, density in zip(points, densities, strict=True)
        if density > 1e-12 * total
    )


def _phi(value: float) -> float:
    return 0.5 * math.erfc(-value / math.sqrt(2))
