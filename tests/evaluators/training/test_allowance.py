"""How many steps a budget buys: measured roughly first, and precisely when it is worth it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from helpers.training import task

from primeval.dna.library import seed_text
from primeval.evaluators.budget import Budget
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.training.calibration import FINE, ROUGH

pytestmark = pytest.mark.tf

STEPS = 1100  # reference steps; with one hurdle, 733 of them come after it
ONE = Candidate(1, seed_text("squared_relu"), seed=5)


def evaluated(budget: Budget, one: Candidate = ONE, **training: object) -> Outcome:
    from primeval.evaluators.training.trial import evaluate
    from primeval.evaluators.training.workbench import Workbench

    settings = task(jit=True, **training)
    candidate = replace(settings.candidate, budget=budget)
    return evaluate(Workbench(replace(settings, candidate=candidate)), one)


@pytest.fixture
def precisions(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The precision asked of each calibration."""
    from primeval.evaluators.training import allowance

    wanted: list[float] = []

    def noted(*arguments: Any, calibrate: Any = allowance.calibrate) -> Any:
        wanted.append(arguments[-1])
        return calibrate(*arguments)

    monkeypatch.setattr(allowance, "calibrate", noted)
    return wanted


@pytest.mark.slow
def test_measuring_in_two_stages_leaves_no_trace_in_the_training(
    precisions: list[float],
) -> None:
    measured = evaluated(Budget("reference_steps", STEPS, hurdles=1))
    assert precisions == [ROUGH, FINE]
    assert measured.step_ratio is not None
    assert measured.steps == round(STEPS / measured.step_ratio)
    assert measured.curve[0].step == pytest.approx(measured.steps / 3, rel=0.15)
    assert measured.seconds["calibrate"] > 0
    told = evaluated(Budget("steps", measured.steps, hurdles=1))
    assert precisions == [ROUGH, FINE]
    assert (told.steps, told.loss) == (measured.steps, measured.loss)


@pytest.mark.parametrize(
    ("budget", "training", "expected"),
    [
        (Budget("reference_steps", STEPS, hurdles=1), {}, [ROUGH]),
        # too short for two stages
        (Budget("reference_steps", STEPS / 2, hurdles=1), {}, [FINE]),
        (Budget("reference_steps", STEPS, hurdles=1), {"schedule": "cosine"}, [FINE]),
        (Budget("steps", STEPS, hurdles=1), {}, []),
    ],
)
def test_a_candidate_stopped_at_the_first_hurdle_is_measured_roughly(
    budget: Budget, training: dict[str, object], expected: list[float], precisions: list[float]
) -> None:
    outcome = evaluated(budget, replace(ONE, thresholds=(0.0,)), **training)
    assert (outcome.status, outcome.hurdle) == (Status.STOPPED, 0)
    assert precisions == expected
