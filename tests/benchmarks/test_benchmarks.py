"""`benchmarks/training.py` computes ratios correctly, and its small contest runs."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from helpers.places import BENCHMARKS

COUNTS = {"transformer": 1000, "primer_ez": 1015, "keras": 1000, "torch_eager": 1000}
TIMES = {  # CPU seconds per step in each round; in the last one the machine is twice as slow
    "transformer": (1.0, 1.1, 2.0),
    "primer_ez": (1.1, 1.1, 2.2),
    "keras": (2.0, 2.0, 4.0),
    "torch_eager": (1.25, 1.25, 2.5),
}


@pytest.fixture(scope="module")
def steps() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    import steps

    return steps


def contest(steps: ModuleType, counts: dict[str, int] = COUNTS) -> Any:
    """A finished contest at one size, in which `torch.compile` was not ready in time."""
    size = steps.Shape(64, 2)
    rounds = [{name: (times[at], 9.0) for name, times in TIMES.items()} for at in range(3)]
    return steps.Contest(
        {steps.Entry(name, size): count for name, count in counts.items()},
        {steps.Entry("torch_compiled", size): "not compiled in time"},
        {size: rounds},
    )


def test_ratios_are_taken_within_rounds(steps: ModuleType) -> None:
    found = steps.figures(contest(steps))
    assert found["step_over_keras"] == {"64x2": 0.5}
    assert found["primer_ez_over_transformer"] == {"64x2": pytest.approx(1.1)}


def test_the_faster_of_pytorch_counts_and_the_missing_one_is_named(steps: ModuleType) -> None:
    held = contest(steps)
    found = steps.figures(held)
    assert found["step_over_torch"] == {"64x2": 0.8}
    assert found["steps"]["64x2"]["absent"] == {"torch_compiled": "not compiled in time"}
    for at in held.rounds[steps.Shape(64, 2)]:
        at["torch_compiled"] = (at["torch_eager"][0] / 2, 9.0)
    assert steps.figures(held)["step_over_torch"] == {"64x2": 1.6}


def test_models_of_different_sizes_are_not_compared(steps: ModuleType) -> None:
    with pytest.raises(RuntimeError, match="keras at 64x2"):
        steps.figures(contest(steps, {**COUNTS, "keras": 1021}))


@pytest.mark.tf
@pytest.mark.slow
def test_every_contestant_of_the_step_contest_makes_steps() -> None:
    command = [sys.executable, BENCHMARKS / "training.py", "--json", "--only", "steps"]
    command += ["--sizes", "16x1", "--limit", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    steps = found["steps"]["16x1"]
    assert steps["rounds"] >= 3
    assert {"transformer", "primer_ez", "keras"} <= set(steps["cpu_ms"])
    assert 0.2 < found["step_over_keras"]["16x1"] < 5
    assert 0.2 < found["primer_ez_over_transformer"]["16x1"] < 5
    missing = {"torch_eager", "torch_compiled"} - set(steps["cpu_ms"])
    assert missing == set(steps["absent"])
