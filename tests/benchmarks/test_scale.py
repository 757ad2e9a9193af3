"""One driver keeps many workers busy and stays small (`benchmarks/scale.py`).

The bounds are wide because machines are busy; docs/cluster.md has figures of a quiet one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from helpers.places import BENCHMARKS

BENCHMARK = BENCHMARKS / "scale.py"


def measured(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARK), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.mark.ray
@pytest.mark.slow
def test_one_driver_keeps_64_workers_busy() -> None:
    found = measured("--concurrent", "64", "--rounds", "6", "--seconds", "2")
    assert found["candidates"] == 384
    assert 0.5 < found["busy_share"] < 1
    assert found["driver_cpu_ms_per_event"] < 4


@pytest.mark.ray
@pytest.mark.slow
def test_with_ray_the_driver_does_not_grow_with_the_individuals() -> None:
    found = measured("--concurrent", "128", "--rounds", "32", "--seconds", "0.5")
    weights = list(found["driver_megabytes"].values())
    assert len(weights) == 10
    # MB for 2,000 individuals; keeping a task name for each would take 8
    assert weights[-1] - weights[4] < 4


@pytest.mark.slow
def test_the_driver_does_not_grow_with_the_individuals() -> None:
    found = measured("--toy", "8000")
    weights = list(found["driver_megabytes"].values())
    assert len(weights) == 10
    assert weights[-1] - weights[4] < 2.5  # MB for 4,000 individuals
    assert found["store_bytes_per_individual"] < 3000
