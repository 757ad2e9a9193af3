"""Promises that every evaluator keeps: toy, local and Ray."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.training import SEED, outcomes, task

from primeval.dna.cost import measure
from primeval.dna.graph import build_graph
from primeval.dna.library import seed_text
from primeval.dna.parsing import parse
from primeval.evaluators.budget import Budget
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.errors import DataError
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.settings import CandidateSettings, ModelSettings, WorkerSettings
from primeval.evaluators.task import Task
from primeval.evaluators.toy import toy_loss
from primeval.evaluators.workers.factory import make_evaluator

RELU = "  c = MAX a const0\n"
REJECTED = SEED.replace("g = T_MAT_MUL f d", "g = MAT_MUL f d")
KINDS = [
    "toy",
    pytest.param("local", marks=pytest.mark.tf),
    pytest.param("ray", marks=[pytest.mark.tf, pytest.mark.ray]),
]


BRIEF = 3  # a rung with a time limit that no training can keep


def ladder(kind: str) -> Task:
    """A task of three rungs; the second has a smaller model, other text and fewer steps."""
    first = replace(task(), workers=WorkerSettings(evaluator=kind, count=2))
    second = replace(
        first,
        model=ModelSettings(layers=2, length=8, width=8),
        data=DataSettings(source="moby-dick"),
        candidate=CandidateSettings(Budget("steps", 15, hurdles=3), timeout=100),
    )
    endless = CandidateSettings(Budget("steps", 10_000_000), timeout=1.0)
    return replace(first, higher=(second, replace(second, candidate=endless)))


@pytest.fixture(scope="module", params=KINDS)
def evaluator(request: pytest.FixtureRequest) -> Iterator[Evaluator]:
    if request.param == "ray":
        request.getfixturevalue("ray_session")
    made = make_evaluator(ladder(request.param))
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


def test_a_candidate_is_trained_with_the_model_and_the_budget_of_its_rung(
    evaluator: Evaluator, tmp_path: Path
) -> None:
    kept = [tmp_path / f"{rung}.npz" for rung in (1, 2)]
    done = outcomes(
        evaluator,
        *(Candidate(at, SEED, 1, weights=str(kept[at]), rung=at + 1) for at in range(2)),
    )
    assert [done[at].steps for at in range(2)] == [31, 15]
    assert [len(done[at].curve) for at in range(2)] == [5, 4]
    assert done[0].loss != done[1].loss
    if not evaluator.probes:
        return  # it has no model
    graph = build_graph(parse(SEED))
    for rung in (1, 2):
        counted = measure(graph, ladder("toy").on(rung).model.scale(256)).parameters
        weights = np.load(kept[rung - 1])
        assert sum(weights[name].size for name in weights.files) == counted
        assert done[rung - 1].parameters == counted


def test_a_process_takes_candidates_of_other_rungs_in_turn(evaluator: Evaluator) -> None:
    before = sorted(evaluator.processes())
    losses: dict[int, set[float | None]] = {1: set(), 2: set()}
    for rung in (1, 1, 2, 2, 1, 1):  # two processes take turns
        (outcome,) = outcomes(evaluator, Candidate(0, SEED, 1, rung=rung)).values()
        losses[rung].add(outcome.loss)
    assert sorted(evaluator.processes()) == before
    assert [len(found) for found in losses.values()] == [1, 1]


def test_a_probe_is_of_the_first_rung(evaluator: Evaluator) -> None:
    if not evaluator.probes:
        pytest.skip("this one trains nothing, so there is nothing to save")
    probes = [Candidate(rung, SEED, 1, probe=True, rung=rung) for rung in (1, 2)]
    assert len({outcome.digest for outcome in outcomes(evaluator, *probes).values()}) == 1


def test_a_candidate_has_the_time_limit_of_its_rung(evaluator: Evaluator) -> None:
    if not evaluator.prompt:
        pytest.skip("this one cannot stop a candidate")
    (outcome,) = outcomes(evaluator, Candidate(0, SEED, 1, rung=BRIEF)).values()
    assert outcome.status is Status.TIMED_OUT
    assert outcome.message == "not finished within candidate.timeout (1s) of rung 3"
    (outcome,) = outcomes(evaluator, Candidate(1, SEED, 1, rung=2)).values()
    assert outcome.status is Status.COMPLETED


@pytest.mark.parametrize("kind", KINDS[1:])
def test_data_that_a_higher_rung_cannot_use_are_reported_before_anything_trains(
    kind: str,
) -> None:
    settings = ladder(kind)
    absent = replace(settings.on(2), data=DataSettings(files=("no-such.txt",)))
    with pytest.raises(DataError, match=r"^Rung 2: .*no-such\.txt"):
        make_evaluator(replace(settings, higher=(absent,)))
    greedy = replace(settings.training, batch_size=10_000_000)
    with pytest.raises(DataError, match=r"^Rung 2: The train split is too small"):
        make_evaluator(replace(settings, higher=(replace(settings.on(2), training=greedy),)))


def test_the_toy_ranks_programs_otherwise_on_a_higher_rung() -> None:
    convolved, squared = (seed_text(name) for name in ("mdha", "squared_relu"))
    assert toy_loss(convolved) < toy_loss(squared)
    assert toy_loss(convolved, rung=2) > toy_loss(squared, rung=2)
