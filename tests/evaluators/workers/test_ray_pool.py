"""Promises of worker processes: time limits that kill, and deaths that cost one candidate."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.pools import busy_processes
from helpers.training import DIVERGING, SEED, outcomes, task

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Status
from primeval.evaluators.settings import WorkerSettings

pytestmark = [pytest.mark.tf, pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def pool(ray_session: None) -> Iterator[Any]:
    from primeval.evaluators.workers.ray_pool import RayEvaluator

    settings = task("steps", 100_000)
    settings = replace(
        settings,
        workers=WorkerSettings(count=2),
        candidate=replace(settings.candidate, timeout=15.0),
    )
    made = RayEvaluator(settings)
    made.processes()  # waits until they are ready
    yield made
    made.close()


def test_a_candidate_out_of_time_is_killed_and_the_pool_continues(pool: Any) -> None:
    began = time.monotonic()
    done = outcomes(pool, Candidate(0, SEED, 1), Candidate(1, DIVERGING, 1))
    assert done[0].status is Status.TIMED_OUT
    assert "candidate.timeout" in done[0].message
    assert done[1].status is Status.DIVERGED
    assert time.monotonic() - began < 100
    assert outcomes(pool, Candidate(2, DIVERGING, 1))[2].status is Status.DIVERGED


def test_a_worker_logs_what_it_does(pool: Any) -> None:
    import ray

    outcomes(pool, Candidate(5, DIVERGING, 1), Candidate(6, SEED, 1, probe=True))
    logs = Path(ray._private.worker.global_worker.node.get_logs_dir_path())
    said = "".join(log.read_text(errors="replace") for log in logs.glob("worker-*.out"))
    assert "train #5\n" in said
    assert "probe #6\n" in said


def test_a_candidate_whose_process_is_killed_is_evaluated_again(pool: Any) -> None:
    pool.submit(Candidate(3, SEED, 1))
    (process,) = busy_processes(pool)
    os.kill(process, 9)
    deadline, done = time.monotonic() + 150, list[Any]()
    while not done and time.monotonic() < deadline:
        done = pool.wait(1.0)
    ((number, outcome),) = done  # it runs out of time, as it would have the first time
    assert (number, outcome.status) == (3, Status.TIMED_OUT)
    assert outcome.seconds["lost"] > 15.0
    assert outcomes(pool, Candidate(4, DIVERGING, 1))[4].status is Status.DIVERGED


def test_a_worker_that_cannot_start_is_reported_with_the_reason(ray_session: None) -> None:
    import ray

    from primeval.evaluators.workers.ray_pool import RayEvaluator

    class Broken:
        def prepare(self) -> int:
            raise RuntimeError("no room for it")

    pool = RayEvaluator(task(), hire=ray.remote(Broken).options(num_cpus=0).remote)
    try:
        with pytest.raises(ValueError, match=r"cannot start: RuntimeError: no room for it"):
            pool.processes()
    finally:
        pool.close()
