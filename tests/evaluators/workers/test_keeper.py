"""How the process that trains can end, and what its keeper reports."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from helpers.places import HOSTILE
from helpers.training import DIVERGING, SEED, task

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Status
from primeval.evaluators.settings import WorkerSettings
from primeval.evaluators.task import Task
from primeval.evaluators.workers.keeper import Keeper, WorkerError
from primeval.evaluators.workers.memory import held_memory

pytestmark = [pytest.mark.tf, pytest.mark.slow]

RELU = "  c = MAX a const0\n"
LIMIT = 1200 << 20


def settings(timeout: float = 60.0, **workers: object) -> Task:
    made = task("steps", 4)
    return replace(
        made,
        candidate=replace(made.candidate, timeout=timeout),
        workers=replace(WorkerSettings(memory=LIMIT), **workers),  # type: ignore[arg-type]
        modules=(str(HOSTILE),),
    )


@pytest.fixture(scope="module")
def keeper() -> Iterator[Keeper]:
    made = Keeper(settings())
    yield made
    made.close()


def assert_ended(keeper: Keeper, name: str, status: Status, words: str) -> None:
    """The candidate has this status, and its process has ended and been replaced."""
    process = keeper.prepare()
    report = keeper.evaluate(Candidate(0, SEED.replace(RELU, f"{RELU}  d = {name} c\n"), 1))
    assert report.outcome.status is status, report.outcome
    assert words in report.outcome.message
    assert set(report.outcome.seconds) == {"lost"}
    assert not psutil.pid_exists(process)
    assert report.process != process


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("DEVOUR", Status.OUT_OF_MEMORY, "workers.memory (1.17GB)"),
        ("ABORT", Status.CRASHED, "SIGABRT"),
        ("CRASH", Status.CRASHED, "SIGSEGV"),
    ],
)
def test_a_hostile_candidate_is_ended_and_named_and_the_keeper_continues(
    keeper: Keeper, name: str, status: Status, words: str
) -> None:
    assert_ended(keeper, name, status, words)


def test_a_candidate_that_hangs_is_ended_and_named_and_the_keeper_continues() -> None:
    impatient = Keeper(settings(timeout=15.0))
    try:
        assert_ended(impatient, "HANG", Status.TIMED_OUT, "candidate.timeout (15s)")
    finally:
        impatient.close()


def test_the_last_output_of_a_process_is_kept(keeper: Keeper) -> None:
    text = SEED.replace(RELU, f"{RELU}  d = ABORT c\n")
    message = keeper.evaluate(Candidate(0, text, 1)).outcome.message
    assert "Fatal Python error: Aborted" in message
    assert "hostile.py" in message


def test_a_candidate_that_fails_in_python_leaves_the_process_as_it_is(keeper: Keeper) -> None:
    process = keeper.prepare()
    report = keeper.evaluate(Candidate(0, "nonsense", 1))
    assert report.outcome.status is Status.CRASHED
    report = keeper.evaluate(Candidate(1, DIVERGING, 1))
    assert report.outcome.status is Status.DIVERGED
    assert report.process == process
    assert report.held > 100 << 20


def test_a_process_killed_from_outside_is_not_the_candidates_fault(keeper: Keeper) -> None:
    process = keeper.prepare()
    text = SEED.replace(RELU, f"{RELU}  d = HANG c\n")
    killer = threading.Timer(1.0, os.kill, (process, signal.SIGKILL))
    killer.start()
    outcome = keeper.evaluate(Candidate(0, text, 1)).outcome
    assert outcome.status is Status.LOST
    assert "SIGKILL" in outcome.message


def test_a_process_is_replaced_before_its_memory_grows_but_a_new_rung_is_no_growth() -> None:
    task = settings(recycle_growth=1 << 20)
    growing = Keeper(replace(task, higher=(task,)))
    try:
        process = growing.prepare()
        held = held_memory([process])
        report = growing.evaluate(Candidate(0, SEED, 1, rung=2))
        assert report.outcome.status is Status.COMPLETED
        assert (report.process, report.replaced) == (process, "")
        assert report.held > held + (1 << 20)
        report = growing.evaluate(Candidate(0, SEED, 1))
        assert report.outcome.status is Status.COMPLETED
        assert "grown by" in report.replaced
        assert report.process != process
    finally:
        growing.close()


def test_the_process_ends_with_its_keeper_even_in_a_compiled_call(tmp_path: Path) -> None:
    code = (
        "import pickle, sys, threading\n"
        "from primeval.evaluators.workers.keeper import Keeper\n"
        "task, candidate = pickle.load(open(sys.argv[1], 'rb'))\n"
        "keeper = Keeper(task)\n"
        "print(keeper.prepare(), flush=True)\n"
        "keeper.evaluate(candidate)\n"
    )
    text = SEED.replace(RELU, f"{RELU}  d = HANG c\n")
    given = tmp_path / "given"
    given.write_bytes(pickle.dumps((settings(), Candidate(0, text, 1))))
    keeper = subprocess.Popen(
        [sys.executable, "-c", code, str(given)], stdout=subprocess.PIPE, text=True
    )
    assert keeper.stdout is not None
    process = psutil.Process(int(keeper.stdout.readline()))
    time.sleep(2.0)
    keeper.kill()
    keeper.wait()
    process.wait(10)


def test_a_process_that_cannot_start_says_why() -> None:
    made = task("steps", 4)
    broken = Keeper(replace(made, modules=("no.such.module",)))
    with pytest.raises(WorkerError, match=r"no\.such\.module"):
        broken.prepare()
    broken.close()
