"""How long a program's step takes, as a ratio to the reference program's.

The two programs make a few steps in turn, so that other load on the machine slows both. The
result is the median of the pairs' ratios. Pairs are added until the median is known precisely
enough: on a quiet machine a dozen are enough, beside a busy process it takes more.
"""

from __future__ import annotations

import math
import statistics

from primeval.evaluators.training.stopwatch import Stopwatch
from primeval.evaluators.training.trainer import Trainer
from primeval.evaluators.training.workbench import Workbench

PAIR_STEPS = 2  # steps of each program in a pair
LEAST_PAIRS, MOST_PAIRS = 12, 90
# CHOICE: there are enough pairs when the standard error of the median, as a share of the ratio,
# is this small. In ten repeats the largest and the smallest ratio are about three standard
# errors apart. Up to the first hurdle, which most candidates miss, the rough ratio suffices.
FINE, ROUGH = 0.006, 0.012


def settled(ratios: list[float], precision: float) -> bool:
    """Whether the median is precise enough, or there are `MOST_PAIRS` pairs.

    Args:
        ratios: Step time of the program over the reference's, pair by pair.
        precision: Largest standard error of the median, as a share of it.
    """
    count = len(ratios)
    if count < LEAST_PAIRS:
        return False
    low, _, high = statistics.quantiles(ratios, n=4)
    # For a normal distribution the standard deviation is 0.74 of the distance between the
    # quartiles, and the median's standard error is 1.25 deviations / root of the count.
    error = 1.25 * 0.74 * (high - low) / math.sqrt(count)
    return error <= precision * statistics.median(ratios) or count >= MOST_PAIRS


def calibrate(
    ratios: list[float], bench: Workbench, trainer: Trainer, watch: Stopwatch, precision: float
) -> bool:
    """Compare a program's step time with the reference's, until the ratio is precise enough.

    Both programs make training steps, which are not undone here.

    Args:
        ratios: What was measured before; the ratios of new pairs are added to it.
        bench: Has the reference program and the clock that ratios are computed from.
        trainer: The program.
        watch: Receives the seconds of the program's steps as `train`, of the reference's as
            `calibrate`.
        precision: See `settled`.

    Returns:
        Whether all losses of the program were finite; if not, the comparison has ended early.
    """
    with watch.measure("reference"):
        reference = bench.reference()
    while not settled(ratios, precision):
        start = bench.clock()
        with watch.measure("train"):
            loss = trainer.advance(PAIR_STEPS)
        middle = bench.clock()
        if not math.isfinite(loss):  # the steps ended early, so their time means nothing
            return False
        with watch.measure("calibrate"):
            reference.advance(PAIR_STEPS)
        ratios.append((middle - start) / (bench.clock() - middle))
    return True
