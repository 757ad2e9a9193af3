"""How long a program's step takes, as a ratio to the reference program's.

The two programs make a few steps in turn, so that other load on the machine slows both. The
result is the median of the pairs' ratios. Pairs are added until the median is known precisely
enough: on a quiet machine a dozen are enough, beside a busy process it takes more.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from primeval.evaluators.training.trainer import Trainer

PAIR_STEPS = 2  # steps of each program in a pair
LEAST_PAIRS, MOST_PAIRS = 12, 90
# CHOICE: there are enough pairs when the standard error of the median, as a share of the ratio,
# is this small. In ten repeats the largest and the smallest ratio are about three standard
# errors apart. Up to the first hurdle, which most candidates miss, the rough ratio suffices.
FINE, ROUGH = 0.006, 0.012


@dataclass
class Calibration:
    """What has been measured so far.

    Attributes:
        ratios: Step time of the program over the reference's, pair by pair.
        finite: Whether all losses of the program were finite.
        seconds: Wall time of the program's steps, and of the reference's, in seconds.
        step_seconds: Wall time of the program's fastest step, in seconds.
    """

    ratios: list[float] = field(default_factory=list)
    finite: bool = True
    seconds: tuple[float, float] = (0.0, 0.0)
    step_seconds: float = math.inf

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios; there must be at least one pair."""
        return statistics.median(self.ratios)

    def settled(self, precision: float) -> bool:
        """Whether to stop: the ratio is precise enough, or there are `MOST_PAIRS` pairs.

        Args:
            precision: Largest standard error of the ratio, as a share of it.
        """
        count = len(self.ratios)
        if count < LEAST_PAIRS:
            return False
        low, _, high = statistics.quantiles(self.ratios, n=4)
        # For a normal distribution the standard deviation is 0.74 of the distance between the
        # quartiles, and the median's standard error is 1.25 deviations / root of the count.
        error = 1.25 * 0.74 * (high - low) / math.sqrt(count)
        return error <= precision * self.ratio or count >= MOST_PAIRS


def calibrate(
    found: Calibration,
    trainer: Trainer,
    reference: Trainer,
    clock: Callable[[], float],
    precision: float,
) -> None:
    """Compare a program's step time with the reference's, continuing from `found`.

    Both programs make training steps, which are not undone here.

    Args:
        found: What was measured before; the new measurements are added to it.
        trainer: The program.
        reference: The reference program.
        clock: The time in seconds that ratios are computed from (`Workbench.clock`).
        precision: See `Calibration.settled`.
    """
    while found.finite and not found.settled(precision):
        start, began = clock(), time.perf_counter()
        found.finite = math.isfinite(trainer.advance(PAIR_STEPS))
        middle, between = clock(), time.perf_counter()
        reference.advance(PAIR_STEPS)
        own, other = between - began, time.perf_counter() - between
        found.seconds = (found.seconds[0] + own, found.seconds[1] + other)
        if found.finite:  # otherwise the loop ended early, and the time means nothing
            found.ratios.append((middle - start) / (clock() - middle))
            found.step_seconds = min(found.step_seconds, own / PAIR_STEPS)
