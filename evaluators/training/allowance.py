"""The steps a budget buys a candidate: counted, timed, or calibrated against the reference."""

from __future__ import annotations

import math
import statistics

from primeval.dna.cost import Cost
from primeval.evaluators.budget import StepCost
from primeval.evaluators.training.calibration import (
    FINE,
    MOST_PAIRS,
    PAIR_STEPS,
    ROUGH,
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
        ratio: What the candidate's step takes over what the reference's takes, in time or in
            counted operations, whichever the budget goes by; None if it goes by neither.
    """

    def __init__(
        self, bench: Workbench, trainer: Trainer, cost: Cost, watch: Stopwatch
    ) -> None:
        self.ratio: float | None = None
        self._bench, self._trainer, self._watch = bench, trainer, watch
        self._budget = bench.task.candidate.budget
        tokens = trainer.settings.batch_size * bench.scale.length
        self._counted = StepCost(tokens, 3.0 * cost.flops * tokens)
        self._flops = cost.flops
        self._ratios: list[float] = []
        self._staged = False  # whether `refined` measures again

    def total(self, is_reference: bool) -> int:
        """The steps that the budget buys; 0 if the candidate diverged while they were measured.

        Args:
            is_reference: Whether the candidate is the reference program itself.
        """
        if self._budget.unit == "reference_steps":
            if not is_reference:
                return self._calibrated()
            self.ratio = 1.0
        elif self._budget.unit == "counted_steps":
            self.ratio = self._flops / self._bench.reference_cost.flops
            return self._budget.total_steps(self.ratio, math.inf, self._counted)
        elif self._budget.unit == "seconds":
            with self._watch.measure("calibrate"):
                self._trainer.advance(PAIR_STEPS)
            self._trainer.restart()
        return self._budget.total_steps(1.0, self._trainer.step_seconds, self._counted)

    def refined(self, total: int) -> int:
        """A better value of `total`, for a candidate that has passed the first hurdle."""
        if not self._staged:
            return total
        return max(self._measured(FINE) or total, self._trainer.steps)

    def _calibrated(self) -> int:
        """The steps that `reference_steps` buy, by a calibration that leaves no trace.

        The steps that are made to measure count as the first ones of the training. They are
        undone in two cases: if the first hurdle comes before their end, so that every candidate
        is validated at the same mark; and if the schedule depends on the total, which is only
        known now.
        """
        trainer, watch = self._trainer, self._watch
        first, *later = self._budget.marks()
        gap = (later[0] - first) * self._budget.amount if later else 0.0
        horizon_matters = trainer.settings.schedule == "cosine"
        self._staged = not horizon_matters and gap >= WORTH_TWO_STAGES
        total = self._measured(ROUGH if self._staged else FINE)
        if total and (horizon_matters or trainer.steps > round(first * total)):
            trainer.restart()
            watch.add("calibrate", watch.seconds.pop("train"))
        return total

    def _measured(self, precision: float) -> int:
        """The steps that follow from a calibration; 0 if the candidate diverged in it."""
        if not calibrate(self._ratios, self._bench, self._trainer, self._watch, precision):
            return 0
        self.ratio = statistics.median(self._ratios)
        return self._budget.total_steps(self.ratio, math.inf, self._counted)
