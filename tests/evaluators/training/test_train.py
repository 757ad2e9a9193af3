"""Training one candidate: budgets, hurdles, divergence and repeatability."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.training import DIVERGING, SEED, task

from primeval.dna.cost import measure
from primeval.dna.graph import build_graph
from primeval.dna.library import seed_text
from primeval.dna.parsing import parse
from primeval.evaluators.budget import Budget, StepCost
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.task import Task


def test_hurdles_give_each_band_the_same_expected_compute() -> None:
    marks = Budget("steps", 25_200).marks()
    assert marks == (1 / 31, 3 / 31, 7 / 31, 15 / 31, 1.0)
    bands = [after - before for before, after in zip((0.0, *marks), marks, strict=False)]
    shares = [0.5**hurdle * band for hurdle, band in enumerate(bands)]
    assert shares == pytest.approx([1 / 31] * 5)
    assert 25_200 * sum(shares) == pytest.approx(4064.5, abs=0.1)  # the paper's mean cost


@pytest.mark.parametrize(
    ("unit", "amount", "steps"),
    [
        ("steps", 100, 100),
        ("reference_steps", 100, 50),
        ("counted_steps", 100, 50),
        ("tokens", 6400, 100),
        ("flops", 1000, 10),
        ("seconds", 5, 20),
        ("steps", 0.1, 1),
    ],
)
def test_every_budget_becomes_steps(unit: str, amount: float, steps: int) -> None:
    assert Budget(unit, amount).total_steps(2.0, 0.25, StepCost(64, 100.0)) == steps


@pytest.fixture(scope="module")
def bench() -> Any:
    """One workbench for several tests: real training, tiny."""
    return workbench(task())


def workbench(settings: Task) -> Any:
    from primeval.evaluators.training.workbench import Workbench  # imports TensorFlow

    return Workbench(settings)


def evaluate(bench: Any, candidate: Candidate) -> Outcome:
    from primeval.evaluators.training import trial  # imports TensorFlow

    return trial.evaluate(bench, candidate)


@pytest.mark.tf
def test_training_learns_and_measures_at_every_hurdle(bench: Any) -> None:
    outcome = evaluate(bench, Candidate(0, SEED, seed=1))
    assert outcome.status is Status.COMPLETED
    assert [point.step for point in outcome.curve] == [1, 3, 7, 15, 31]
    assert outcome.curve[-1].loss == outcome.loss < outcome.curve[0].loss < 6.0
    assert outcome.bits_per_byte == pytest.approx(outcome.loss / math.log(2))
    assert outcome.steps == 31
    assert outcome.parameters == 256 * 16 + 16 * 16 + 32 + 12 * 256 + 64 + 80
    assert {"build", "trace", "compile", "train", "evaluate"} <= set(outcome.seconds)


@pytest.mark.tf
def test_what_it_takes_to_open_a_rung_is_part_of_its_first_candidates_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from primeval.evaluators.training import workbench as module

    settings = task("reference_steps", 4)
    bench = workbench(replace(settings, higher=(settings,)))

    def slowly(task: Task, open_corpus: Any = module.open_corpus) -> Any:
        time.sleep(1.0)
        return open_corpus(task)

    monkeypatch.setattr(module, "open_corpus", slowly)
    first, second = (
        evaluate(bench, Candidate(n, seed_text("squared_relu"), 1, rung=2)) for n in range(2)
    )
    assert first.seconds["build"] > 1.0
    assert first.seconds["reference"] > 10 * second.seconds["reference"]


@pytest.mark.tf
def test_counted_steps_follow_from_counted_operations_and_nothing_is_timed() -> None:
    bench = workbench(task("counted_steps", 40))
    flops = {
        name: measure(build_graph(parse(seed_text(name))), bench.scale).flops
        for name in ("transformer", "evolved_transformer")
    }
    ratio = flops["evolved_transformer"] / flops["transformer"]
    same, dearer = (evaluate(bench, Candidate(0, seed_text(name), seed=1)) for name in flops)
    assert (same.step_ratio, same.steps) == (1.0, 40)
    assert (dearer.step_ratio, dearer.steps) == (ratio, round(40 / ratio))
    assert not {"calibrate", "reference"} & {*same.seconds, *dearer.seconds}


@pytest.mark.tf
def test_steps_repeat_to_the_last_bit(bench: Any) -> None:
    one, other = (evaluate(bench, Candidate(n, SEED, seed=7)) for n in range(2))
    assert one.curve == other.curve


@pytest.mark.tf
def test_two_seeds_give_two_losses(bench: Any) -> None:
    one, other = (evaluate(bench, Candidate(0, SEED, seed=n)) for n in range(2))
    assert one.loss != other.loss


@pytest.mark.tf
def test_a_missed_hurdle_stops_the_training(bench: Any) -> None:
    outcome = evaluate(bench, Candidate(0, SEED, 1, thresholds=(None, 0.1, None, None)))
    assert (outcome.status, outcome.hurdle) == (Status.STOPPED, 1)
    assert outcome.steps == 3
    assert outcome.fitness == -outcome.curve[-1].loss


@pytest.mark.tf
def test_a_loss_that_is_not_finite_is_a_divergence(bench: Any) -> None:
    outcome = evaluate(bench, Candidate(0, DIVERGING, seed=1))
    assert outcome.status is Status.DIVERGED
    assert outcome.loss is None
    assert outcome.fitness == -math.inf
    assert "compile" not in outcome.seconds  # the first step's loss is not a number already


@pytest.mark.tf
def test_a_program_without_meaning_is_rejected_with_the_reason(bench: Any) -> None:
    text = SEED.replace("g = T_MAT_MUL f d", "g = MAT_MUL f d")
    outcome = evaluate(bench, Candidate(0, text, seed=1))
    assert outcome.status is Status.REJECTED
    assert "S1 self_attention" in outcome.message


@pytest.mark.tf
def test_a_broken_text_crashes_that_candidate_only(bench: Any) -> None:
    assert evaluate(bench, Candidate(0, "nonsense", seed=1)).status is Status.CRASHED


@pytest.mark.tf
def test_weights_are_kept_where_asked(bench: Any, tmp_path: Path) -> None:
    from primeval.dna.cost import measure
    from primeval.dna.graph import build_graph
    from primeval.dna.parsing import parse
    from primeval.evaluators.lowering.model import LanguageModel, load_weights
    from primeval.evaluators.training.trainer import Trainer

    path = tmp_path / "weights" / "0.npz"
    outcome = evaluate(bench, Candidate(0, SEED, seed=1, weights=str(path)))
    graph = build_graph(parse(SEED))
    cost = measure(graph, bench.scale)
    model = LanguageModel(bench.scale, cost)
    model.build((4, 16))
    load_weights(model, path)
    fresh: Trainer = bench.trainer(cost, seed=5)
    values = [weight.value for weight in model.trainable_variables]
    losses = [float(fresh._loss(values, fresh._batch(at, True))) for at in range(2)]
    assert np.mean(losses) == pytest.approx(outcome.loss, abs=1e-4)


@pytest.mark.tf
@pytest.mark.parametrize("optimizer", ["adam", "adafactor"])
def test_validation_leaves_no_trace_in_the_training(optimizer: str) -> None:
    from primeval.dna.cost import measure

    bench = workbench(task(optimizer=optimizer))
    cost = measure(bench._reference_graph, bench.scale)
    looked_at, left_alone = (bench.trainer(cost, seed=3) for _ in range(2))
    for trainer in (looked_at, left_alone):
        trainer.advance(2)
    assert looked_at.validate() == looked_at.validate()
    assert looked_at.advance(2) == left_alone.advance(2)


@pytest.mark.tf
@pytest.mark.parametrize("optimizer", ["adam", "adafactor"])
def test_a_batch_in_parts_trains_as_the_whole_batch(optimizer: str) -> None:
    whole, parts = (
        workbench(task(amount=8, optimizer=optimizer, accumulation=count)) for count in (1, 2)
    )
    losses = [evaluate(bench, Candidate(0, SEED, 1)).loss for bench in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.tf
def test_bfloat16_trains_with_weights_in_float32() -> None:
    exact, rounded = (
        workbench(task(amount=20, precision=name)) for name in ("float32", "mixed_bfloat16")
    )
    losses = [evaluate(bench, Candidate(0, SEED, 1)).loss for bench in (exact, rounded)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    kept = rounded.reference().model.trainable_variables
    assert {str(weight.dtype) for weight in kept} == {"float32"}


@pytest.mark.tf
@pytest.mark.parametrize("optimizer", ["adam", "adafactor", "sgd", "lion"])
def test_any_keras_optimizer_trains(optimizer: str) -> None:
    bench = workbench(task(amount=20, optimizer=optimizer, learning_rate=0.01))
    outcome = evaluate(bench, Candidate(0, SEED, seed=1))
    assert outcome.status is Status.COMPLETED
    assert outcome.loss is not None
    assert outcome.loss < outcome.curve[0].loss


@pytest.mark.tf
@pytest.mark.parametrize("schedule", ["rsqrt", "cosine", "constant"])
def test_learning_rates_rise_in_the_warm_up_and_then_follow_the_schedule(schedule: str) -> None:
    from primeval.evaluators.training.schedule import learning_rate

    settings = task(schedule=schedule, learning_rate=1.0, warmup_steps=10).training
    rates = [float(learning_rate(settings, step, 100.0)) for step in (0, 4, 9, 39, 99)]
    after = {"rsqrt": (0.5, 0.316), "cosine": (0.689, 0.1), "constant": (1.0, 1.0)}[schedule]
    assert rates[:2] == pytest.approx([0.1, 0.5], rel=0.05)
    assert rates[3:] == pytest.approx(after, abs=0.01)


@pytest.mark.tf
@pytest.mark.slow
def test_a_reference_budget_buys_a_slower_program_fewer_steps() -> None:
    settings = task("reference_steps", 60)
    settings = replace(settings, model=replace(settings.model, length=32, width=32))
    bench = workbench(settings)
    slow = SEED.replace("  c = MAX a const0\n", "  c = MAX a const0\n  d = CONV_31X1 c dim2\n")
    same, slower = (evaluate(bench, Candidate(n, t, 1)) for n, t in enumerate((SEED, slow)))
    assert (same.step_ratio, same.steps) == (1.0, 60)
    assert slower.step_ratio is not None
    assert slower.step_ratio > 1.2
    assert slower.steps == max(1, round(60 / slower.step_ratio))
