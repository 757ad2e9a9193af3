"""Promises that every evaluator keeps: toy, local and Ray."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from helpers.training import SEED, outcomes, task

from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.settings import WorkerSettings
from primeval.evaluators.workers.factory import make_evaluator

RELU = "  c = MAX a const0\n"
REJECTED = SEED.replace("g = T_MAT_MUL f d", "g = MAT_MUL f d")
KINDS = [
    "toy",
    pytest.param("local", marks=pytest.mark.tf),
    pytest.param("ray", marks=[pytest.mark.tf, pytest.mark.ray]),
]


@pytest.fixture(scope="module", params=KINDS)
def evaluator(request: pytest.FixtureRequest) -> Iterator[Evaluator]:
    if request.param == "ray":
        request.getfixturevalue("ray_session")
    settings = replace(task(), workers=WorkerSettings(evaluator=request.param, count=2))
    made = make_evaluator(settings)
    yield made
    made.close()


def test_every_candidate_comes_back_once(evaluator: Evaluator) -> None:
    done = outcomes(evaluator, *(Candidate(number, SEED, number) for number in range(4)))
    assert {outcome.status for outcome in done.values()} == {Status.COMPLETED}
    assert all(outcome.loss and outcome.curve for outcome in done.values())


def test_a_missed_hurdle_stops_a_candidate(evaluator: Evaluator) -> None:
    (outcome,) = outcomes(evaluator, Candidate(7, SEED, 1, (0.0,))).values()
    assert (outcome.status, outcome.hurdle) == (Status.STOPPED, 0)
    assert len(outcome.curve) == 1


def test_a_program_without_meaning_gets_an_outcome(evaluator: Evaluator) -> None:
    (outcome,) = outcomes(evaluator, Candidate(8, REJECTED, 1)).values()
    assert outcome.status is Status.REJECTED
    assert "MAT_MUL" in outcome.message


def test_a_probed_candidate_is_trained_only_when_submitted_again(evaluator: Evaluator) -> None:
    if not evaluator.probes:
        pytest.skip("this one trains nothing, so there is nothing to save")
    squared = SEED.replace(RELU, f"{RELU}  d = SQUARE c\n")
    multiplied = SEED.replace(RELU, f"{RELU}  d = MULTIPLY c c\n")
    texts = (SEED, squared, multiplied)
    candidates = [Candidate(at, text, at, probe=True) for at, text in enumerate(texts)]
    done = outcomes(evaluator, *candidates)
    assert {outcome.status for outcome in done.values()} == {Status.PROBED}
    assert all(outcome.steps == 0 and outcome.seconds["probe"] > 0 for outcome in done.values())
    assert done[0].digest != done[1].digest == done[2].digest is not None
    (trained,) = outcomes(evaluator, replace(candidates[1], probe=False)).values()
    assert trained.status is Status.COMPLETED


def test_waiting_without_candidates_returns(evaluator: Evaluator) -> None:
    assert evaluator.wait(0.01) == []


def test_outcomes_survive_the_store(evaluator: Evaluator) -> None:
    (outcome,) = outcomes(evaluator, Candidate(9, SEED, 1)).values()
    assert Outcome.from_dict(outcome.to_dict()) == outcome
