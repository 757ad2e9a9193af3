"""`benchmarks/scale.py`: how busy one driver keeps many workers, and how small it stays.

Bounds are wide, as machines are busy; what a quiet one gives is in docs/cluster.md.
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
    assert weights[-1] - weights[4] < 4  # MB, of 2,000 individuals; a task name each would be 8


@pytest.mark.slow
def test_the_driver_does_not_grow_with_the_individuals() -> None:
    found = measured("--toy", "8000")
    weights = list(found["driver_megabytes"].values())
    assert len(weights) == 10
    assert weights[-1] - weights[4] < 2.5  # MB, of 4,000 individuals
    assert found["store_bytes_per_individual"] < 3000
