"""The steps a budget buys a candidate: counted, timed, or calibrated against the reference."""

from __future__ import annotations

import math
import time

from primeval.dna.cost import Cost
from primeval.evaluators.budget import StepCost
from primeval.evaluators.training.calibration import (
    FINE,
    MOST_PAIRS,
    PAIR_STEPS,
    ROUGH,
    Calibration,
    calibrate,
)
from primeval.evaluators.training.stopwatch import Stopwatch
from primeval.evaluators.training.trainer import Trainer
from primeval.evaluators.training.workbench import Workbench

# Calibration in two stages pays if there are at least this many reference steps between the
# first two hurdles. The second stage then ends before the second hurdle, even for a candidate
# whose step takes four times as long as the reference's.
WORTH_TWO_STAGES = 4 * PAIR_STEPS * MOST_PAIRS


class Allowance:
    """The training steps of one candidate.

    Args:
        bench: Has the budget, the reference program and the clock.
        trainer: The candidate, compiled.
        cost: The candidate at the bench's scale.
        watch: Receives the seconds of calibration, and of training steps made meanwhile.

    Attributes:
        ratio: The candidate's step time over the reference's; None where it is not measured.
    """

    def __init__(
        self, bench: Workbench, trainer: Trainer, cost: Cost, watch: Stopwatch
    ) -> None:
        self.ratio: float | None = None
        self._bench, self._trainer, self._watch = bench, trainer, watch
        self._budget, training = bench.task.candidate.budget, bench.task.training
        tokens = training.batch_size * bench.scale.length
        self._counted = StepCost(tokens, 3.0 * cost.flops * tokens)
        self._found = Calibration()
        first, *later = self._budget.marks()
        gap = (later[0] - first) * self._budget.amount if later else 0.0
        self._horizon_matters = training.schedule == "cosine"
        self._staged = not self._horizon_matters and gap >= WORTH_TWO_STAGES

    @property
    def step_seconds(self) -> float:
        """Wall time of the fastest step so far; infinite before there was one."""
        return self._found.step_seconds

    def total(self, is_reference: bool) -> int:
        """The steps that the budget buys; 0 if the candidate diverged while they were measured.

        Args:
            is_reference: Whether the candidate is the reference program itself.
        """
        unit, seconds = self._budget.unit, math.inf
        if unit == "reference_steps" and not is_reference:
            return self._calibrated()
        self._staged = False
        if unit == "reference_steps":
            self.ratio = 1.0
        elif unit == "seconds":
            start = time.perf_counter()
            self._trainer.advance(PAIR_STEPS)
            seconds = (time.perf_counter() - start) / PAIR_STEPS
            self._watch.add("calibrate", seconds * PAIR_STEPS)
            self._trainer.restart()
        return self._budget.total_steps(1.0, seconds, self._counted)

    def refined(self, total: int) -> int:
        """A better value of `total`, for a candidate that has passed the first hurdle."""
        if not self._staged:
            return total
        own, other = self._measure(FINE)
        self._watch.add("train", own)
        self._watch.add("calibrate", other)
        return max(self._steps() or total, self._trainer.steps)

    def _calibrated(self) -> int:
        """The steps that `reference_steps` buy, by a calibration that leaves no trace.

        The steps that are made to measure count as the first ones of the training. They are
        undone in two cases: if the first hurdle comes before their end, so that every candidate
        is validated at the same mark; and if the schedule depends on the total, which is only
        known now.
        """
        own, other = self._measure(ROUGH if self._staged else FINE)
        total, trainer = self._steps(), self._trainer
        first_hurdle = round(self._budget.marks()[0] * total)
        if total and (self._horizon_matters or trainer.steps > first_hurdle):
            trainer.restart()
            own, other = 0.0, own + other
        self._watch.add("train", own)
        self._watch.add("calibrate", other)
        return total

    def _measure(self, precision: float) -> tuple[float, float]:
        """Continue the calibration; the seconds it took for the candidate's and other steps."""
        bench, found = self._bench, self._found
        with self._watch.measure("reference"):
            reference = bench.reference()
        own, other = found.seconds
        calibrate(found, self._trainer, reference, bench.clock, precision)
        return found.seconds[0] - own, found.seconds[1] - other

    def _steps(self) -> int:
        """The steps that follow from what has been measured; 0 if the candidate diverged."""
        if not self._found.finite:
            return 0
        self.ratio = self._found.ratio
        return self._budget.total_steps(self.ratio, math.inf, self._counted)
