"""Training on the recall task: only what counts counts, and accuracy measures it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.training import SEED, task

from primeval.evaluators.data_settings import DataSettings, RecallSettings
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.task import Task

pytestmark = pytest.mark.tf
PAIRS, QUERIES, VOCABULARY = 3, 2, 9


def recall_task(**training: object) -> Task:
    recall = RecallSettings(pairs=PAIRS, queries=QUERIES, examples=400)
    data = DataSettings(source="recall", vocabulary=VOCABULARY, recall=recall)
    return replace(task(amount=8, **training), data=data)


@pytest.fixture(scope="module")
def bench() -> Any:
    return workbench(recall_task())


def workbench(settings: Task) -> Any:
    from primeval.evaluators.training.workbench import Workbench  # imports TensorFlow

    return Workbench(settings)


def evaluate(bench: Any) -> Outcome:
    from primeval.evaluators.training import trial  # imports TensorFlow

    return trial.evaluate(bench, Candidate(0, SEED, seed=1))


@pytest.fixture(scope="module")
def trainer(bench: Any) -> Any:
    from primeval.dna.cost import measure

    return bench.trainer(measure(bench._reference_graph, bench.scale), seed=3)


@pytest.mark.parametrize("held_out", [False, True])
def test_windows_are_examples_and_models_do_not_read_the_answers(
    trainer: Any, bench: Any, held_out: bool
) -> None:
    batches = bench._batches
    keys = (VOCABULARY - 1) // 2
    for step in range(2):
        windows = batches.windows(7, step, held_out)
        tokens, targets, counted = (one.numpy() for one in batches.parts(windows))
        assert (counted.sum(axis=1) == QUERIES).all()
        for row, target, counts in zip(tokens, targets, counted, strict=True):
            given = dict(zip(row[: 2 * PAIRS : 2], row[1 : 2 * PAIRS : 2], strict=True))
            assert all(target[place] == given[row[place]] for place in np.flatnonzero(counts))
            assert not (row[2 * PAIRS :] > keys).any()  # values are among the pairs only


def test_loss_and_accuracy_are_those_of_the_answers_alone(trainer: Any, bench: Any) -> None:
    weights = [weight.value for weight in trainer.model.trainable_variables]
    losses, right = [], []
    for step in range(2):
        tokens, targets, counted = bench._batches.parts(trainer._batch(step, True))
        logits = np.asarray(trainer.model(tokens), np.float64)[counted.numpy()]
        wanted = targets.numpy()[counted.numpy()]
        chosen = logits[np.arange(len(wanted)), wanted]
        losses += list(np.log(np.exp(logits).sum(axis=1)) - chosen)
        right += list(logits.argmax(axis=1) == wanted)
    assert len(losses) == 2 * 4 * QUERIES
    assert float(
        np.mean([trainer._loss(weights, trainer._batch(at, True)) for at in (0, 1)])
    ) == pytest.approx(np.mean(losses), abs=1e-5)
    assert trainer.validate() == pytest.approx(np.mean(losses), abs=1e-5)
    assert trainer.accuracy == pytest.approx(np.mean(right))
    trainer.validate()
    assert trainer.accuracy == pytest.approx(np.mean(right)), "each validation counts anew"


@pytest.mark.parametrize("accumulation", [1, 2])
def test_an_outcome_has_an_accuracy_and_no_bits(accumulation: int) -> None:
    outcome = evaluate(workbench(recall_task(accumulation=accumulation)))
    assert outcome.status is Status.COMPLETED
    assert outcome.bits_per_byte is None
    assert outcome.accuracy is not None
    assert 0 <= outcome.accuracy <= 1
    assert (8 * QUERIES * outcome.accuracy).is_integer()
    assert outcome.loss is not None
    assert outcome.loss < math.log(VOCABULARY) + 1


def test_compiled_steps_measure_the_same(bench: Any) -> None:
    compiled, plain = evaluate(workbench(recall_task(jit=True))), evaluate(bench)
    assert compiled.loss == pytest.approx(plain.loss, abs=1e-3)
    assert compiled.accuracy == pytest.approx(plain.accuracy, abs=0.13)


def test_text_has_no_accuracy() -> None:
    outcome = evaluate(workbench(task(amount=1)))
    assert outcome.accuracy is None
    assert outcome.bits_per_byte is not None


def test_an_outcome_that_was_stored_before_there_was_an_accuracy_is_read() -> None:
    stored = Outcome(Status.COMPLETED, loss=1.0).to_dict()
    del stored["accuracy"]
    assert Outcome.from_dict(stored) == Outcome(Status.COMPLETED, loss=1.0)
