"""The steps a budget buys a candidate: counted, timed, or measured against the reference."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

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
from primeval.evaluators.training.trainer import Trainer

if TYPE_CHECKING:
    from primeval.evaluators.training.trial import Stopwatch, Workbench

# Reference steps between the first two hurdles from which it pays to calibrate in two stages:
# as many as let the second end before the second hurdle, if a step takes up to four times the
# reference's.
WORTH_TWO_STAGES = 4 * PAIR_STEPS * MOST_PAIRS


class Allowance:
    """The steps of one candidate.

    Attributes:
        ratio: Its step time over the reference's; None where that is not measured.
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
        """What the budget buys; 0 if the candidate diverged while that was found out."""
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
        """The same, known better, for a candidate that has passed the first hurdle."""
        if not self._staged:
            return total
        own, other = self._measure(FINE)
        self._watch.add("train", own)
        self._watch.add("calibrate", other)
        return max(self._steps() or total, self._trainer.steps)

    def _calibrated(self) -> int:
        """The steps that `reference_steps` buy, by a calibration that leaves no trace.

        Its steps are the first ones of the training, unless the first hurdle stands before
        their end, so that all candidates reach a hurdle at the step it stands for, or the
        schedule depends on the number that is only known now.
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
        """Go on calibrating; the seconds it took, of the candidate's steps and the others."""
        bench, found = self._bench, self._found
        with self._watch.measure("reference"):
            reference = bench.reference()
        own, other = found.seconds
        calibrate(found, self._trainer, reference, bench.clock, precision)
        return found.seconds[0] - own, found.seconds[1] - other

    def _steps(self) -> int:
        """By what has been measured; 0 of a candidate that diverged."""
        if not self._found.finite:
            return 0
        self.ratio = self._found.ratio
        return self._budget.total_steps(self.ratio, math.inf, self._counted)
