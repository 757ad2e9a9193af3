"""How long a program's step takes, as a ratio to the reference program's.

The two make a few steps in turn, so that what the machine does meanwhile falls on both, and the
median of the pairs' ratios counts. There are as many pairs as it takes to know it: on a quiet
machine a dozen will do, beside a busy process it takes more.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from primeval.evaluators.training.trainer import Trainer

PAIR_STEPS = 2  # of each program
LEAST_PAIRS, MOST_PAIRS = 12, 90
# CHOICE: standard errors of the median at which there are enough pairs. Of ten repeats the
# largest and the smallest are about three standard errors apart. Roughly is well enough for the
# way to the first hurdle, which most candidates do not pass.
FINE, ROUGH = 0.006, 0.012


@dataclass
class Calibration:
    """What was measured.

    Attributes:
        ratios: Step time of the program over the reference's, pair by pair.
        finite: Whether the program's losses were.
        seconds: Wall time of the program's steps, and of the reference's.
        step_seconds: Wall time of the program's fastest step.
    """

    ratios: list[float] = field(default_factory=list)
    finite: bool = True
    seconds: tuple[float, float] = (0.0, 0.0)
    step_seconds: float = math.inf

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def settled(self, precision: float) -> bool:
        """Whether the ratio is known to so much of itself, or will not be."""
        count = len(self.ratios)
        if count < LEAST_PAIRS:
            return False
        low, _, high = statistics.quantiles(self.ratios, n=4)
        # of a normal distribution the deviation is 0.74 of the quartiles' distance, and the
        # standard error of the median 1.25 deviations over the root of the count
        error = 1.25 * 0.74 * (high - low) / math.sqrt(count)
        return error <= precision * self.ratio or count >= MOST_PAIRS


def calibrate(
    found: Calibration,
    trainer: Trainer,
    reference: Trainer,
    clock: Callable[[], float],
    precision: float,
) -> None:
    """Measure a program against the reference, on from what was found before.

    Both have made steps afterwards; the program's are steps of its training.
    """
    while found.finite and not found.settled(precision):
        start, began = clock(), time.perf_counter()
        found.finite = math.isfinite(trainer.advance(PAIR_STEPS))
        middle, between = clock(), time.perf_counter()
        reference.advance(PAIR_STEPS)
        own, other = between - began, time.perf_counter() - between
        found.seconds = (found.seconds[0] + own, found.seconds[1] + other)
        if found.finite:  # else its steps took no time
            found.ratios.append((middle - start) / (clock() - middle))
            found.step_seconds = min(found.step_seconds, own / PAIR_STEPS)
