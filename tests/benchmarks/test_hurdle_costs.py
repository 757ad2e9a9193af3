"""`benchmarks/hurdles.py` computes the costs of individuals relative to full training."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.places import BENCHMARKS
from helpers.toys import TOY, Scripted, toy_script
from hurdles import PAPER, figures, lines, recorded, train_seeds

from primeval.dna.library import load_seed
from primeval.evaluators.budget import Budget
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.algorithm.hurdles import Hurdles
from primeval.search.config.config import parse_config
from primeval.search.drive.loop import drive
from primeval.search.drive.starting import make_search
from primeval.search.run.folder import create_run

MARKS = Budget("steps", 310).marks()


def noisy(candidate: Candidate) -> Outcome:
    """Training that stops at missed hurdles; its losses are noise, as one program's are."""
    rng, curve = random.Random(candidate.seed), list[Point]()
    for at, mark in enumerate(MARKS):
        curve.append(Point(at + 1, 3 - mark + rng.gauss(0, 0.02)))
        threshold = candidate.thresholds[at] if at < len(candidate.thresholds) else None
        if threshold is not None and curve[-1].loss > threshold:
            return Outcome(Status.STOPPED, loss=curve[-1].loss, hurdle=at, curve=tuple(curve))
    return Outcome(Status.COMPLETED, loss=curve[-1].loss, curve=tuple(curve))


def test_noise_alone_costs_about_what_the_paper_says() -> None:
    found = figures(train_seeds(noisy, "the seed", Hurdles(4, 12), 4000), MARKS)
    assert found["paper_saving"] == pytest.approx(6.2, abs=0.01)
    assert found["ideal_saving"] == pytest.approx(31 / 5)
    assert found["saving"] == pytest.approx(6.2, rel=0.12)
    assert all(passed == pytest.approx(0.5, abs=0.08) for passed in found["passed"])


def test_costs_are_shares_of_full_training() -> None:
    short, whole = (Point(1, 2.0),), tuple(Point(at, 2.0) for at in range(5))
    outcomes = [Outcome(Status.COMPLETED, loss=2.0, curve=whole)] * 4
    outcomes += [Outcome(Status.STOPPED, loss=2.0, curve=short)] * 3
    outcomes += [Outcome(Status.DIVERGED), Outcome(Status.COMPLETED, loss=2.0, curve=whole)]
    found = figures(outcomes, MARKS)
    assert found["individuals"] == 8
    assert found["reached"] == [8, 5, 5, 5, 5]
    assert found["mean_cost"] == pytest.approx((3 / 31 + 1) / 4)
    assert found["mean_cost_with_the_first"] == pytest.approx((3 / 31 + 5) / 8)
    assert found["passed"] == [1 / 4, 1, 1, 1]


def test_without_training_there_is_no_cost() -> None:
    with pytest.raises(ValueError, match="Nothing was trained"):
        figures([Outcome(Status.REJECTED)], MARKS)


def test_what_a_run_paid_is_read_from_its_store(tmp_path: Path) -> None:
    config = parse_config(TOY, [f"run_dir={tmp_path / 'run'}"])
    run = create_run(config, {"transformer": load_seed("transformer")})
    search = make_search(config, list(run.store.seeds.values()), run.language)
    drive(run, search, Scripted(toy_script(config)))
    outcomes, marks = recorded(tmp_path / "run")
    shown = "\n".join(lines(figures(outcomes, marks), marks))
    assert "30 individuals, 4 hurdles" in shown
    assert f"the paper          {PAPER:.2f}" in shown


def test_the_command_trains_the_seed_under_thresholds_of_its_own() -> None:
    script = BENCHMARKS / "hurdles.py"
    command = [sys.executable, script, "--individuals", "5", "--hurdles", "1", "--json"]
    command += ["--set", "workers.evaluator=toy"]  # the toy evaluator does not train
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"individuals": 5' in done.stdout
    assert '"ideal_saving": 1.5' in done.stdout
