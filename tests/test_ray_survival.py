"""Nothing that a candidate or a machine does costs more than the candidates in flight."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_train import SEED

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.config import parse_config
from primeval.search.ledger import ledger
from primeval.search.loop import Silent, drive
from primeval.search.population import Individual
from primeval.search.reference import load_seeds
from primeval.search.runs import create_run, make_search, open_run

# Written on a machine too busy to start Ray in time, and not seen to pass there: on request.
unproven = pytest.mark.skipif(
    not os.environ.get("PRIMEVAL_UNPROVEN_TESTS"),
    reason="not seen to pass yet; run with PRIMEVAL_UNPROVEN_TESTS=1",
)

pytestmark = [pytest.mark.tf, pytest.mark.ray, pytest.mark.slow]

RELU = "  c = MAX a const0\n"
HOSTILE = Path(__file__).parent / "hostile.py"
ENDS = {
    "HANG": (Status.TIMED_OUT, "candidate.timeout"),
    "DEVOUR": (Status.OUT_OF_MEMORY, "workers.memory"),
    "ABORT": (Status.CRASHED, "SIGABRT"),
    "CRASH": (Status.CRASHED, "SIGSEGV"),
    "LOG": (Status.DIVERGED, "nan"),
}
TINY = """\
search: {population_size: 4, tournament_size: 2}
candidate: {budget: {steps: 16}, hurdles: 1, timeout: 45s}
model: {layers: 1, length: 16, width: 16}
training: {batch_size: 4, validation_batches: 2, jit: false, warmup_steps: 4}
workers: {count: 2, memory: 1500MB}
"""
COMMAND = [sys.executable, "-m", "primeval.scripts.cli"]
LONG = "budget.max_candidates=200"
ENDLESS = "candidate.budget={steps: 100_000_000}"  # and only its time limit ends it


def hostile_program(name: str) -> str:
    """The Transformer with one of them after its activation; LOG is NaN from the start."""
    return SEED.replace(RELU, f"{RELU}  d = {name} c\n")


class Killer(Silent):
    """Kills once a process that trains, and once a worker that keeps one."""

    def __init__(self, pool: Any) -> None:
        self.pool, self.killed = pool, list[int]()
        self.told_outcomes: list[Outcome] = []

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.told_outcomes.append(outcome)

    def tick(self, elapsed: float) -> None:
        if len(self.killed) == 2 or len(self.told_outcomes) < 2 * len(self.killed) + 1:
            return
        for trainer in self.pool.busy_processes():
            with suppress(psutil.NoSuchProcess):  # it has just been replaced
                victim = psutil.Process(trainer)
                if self.killed:
                    victim = victim.parent()
                victim.kill()
                self.killed.append(victim.pid)
                return


@pytest.mark.parametrize("order", [0, 1])
def test_a_run_survives_whatever_its_candidates_do(
    tmp_path: Path, ray_session: None, order: int
) -> None:
    from primeval.evaluators.ray_pool import RayEvaluator

    config = parse_config(
        f"{TINY}language: {{modules: ['{HOSTILE}']}}\nbudget: {{max_candidates: 8}}\n",
        [f"run_dir={tmp_path / 'run'}"],
    )
    names = list(ENDS)
    random.Random(order).shuffle(names)
    for name in names:
        (tmp_path / f"{name}.dna").write_text(hostile_program(name), encoding="utf-8")
    seeds = load_seeds(["transformer", *(f"{tmp_path / name}.dna" for name in names)])
    run = create_run(config, seeds)
    search = make_search(config, list(run.store.seeds.values()))
    pool = RayEvaluator(config.task(run.reference))
    killer = Killer(pool)
    assert drive(run, search, pool, killer).reason == "candidates"
    found = dict(run.store.outcomes())
    assert sorted(found) == list(range(8))
    assert len(killer.killed) == 2
    for number, name in enumerate(names, 1):
        status, word = ENDS[name]
        assert (name, found[number].status) == (name, status), found[number]
        assert word in found[number].message
    others = [found[0], *(found[number] for number in range(len(names) + 1, 8))]
    assert {one.status for one in others} <= {Status.COMPLETED, Status.STOPPED, Status.DIVERGED}
    lost = Counter[str]()
    for row in ledger(run)["failures"]:
        lost[row["status"]] += row["count"]
    assert lost["crashed"] == 2
    assert lost["timed_out"] == lost["out_of_memory"] == 1
    run.close()


def start(folder: Path, *sets: str) -> subprocess.Popen[str]:
    """A search as a process of its own, in a group of its own as a terminal makes them."""
    (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    given = [part for one in sets for part in ("--set", one)]
    return subprocess.Popen(
        [*COMMAND, "search", "tiny.yaml", "--run-dir", "run", *given],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def told(run: Path) -> int:
    if not (run / "run.sqlite").exists():
        return 0
    opened = open_run(run)
    try:
        return opened.store.told()
    finally:
        opened.close()


def training(driver: int) -> list[psutil.Process]:
    """The processes that train for a driver."""
    return [
        process
        for process in psutil.Process(driver).children(recursive=True)
        if "primeval.evaluators.bench_process" in process.cmdline()
    ]


@unproven
def test_no_process_outlives_a_driver_that_is_killed(tmp_path: Path) -> None:
    driver = start(tmp_path, LONG)
    wait_for(lambda: told(tmp_path / "run") >= 1)
    family = psutil.Process(driver.pid).children(recursive=True)
    assert len(training(driver.pid)) == 2
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    before = told(tmp_path / "run")
    assert before < 200
    resumed = subprocess.run(
        [*COMMAND, "resume", "run", "--set", f"budget.max_candidates={before + 1}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert told(tmp_path / "run") == before + 1


@unproven
@pytest.mark.parametrize("grace", ["0s", "5s"])
def test_ctrl_c_in_a_terminal_stops_within_ten_seconds(tmp_path: Path, grace: str) -> None:
    driver = start(tmp_path, LONG, ENDLESS, f"workers.grace={grace}")
    wait_for(lambda: (tmp_path / "run" / "run.sqlite").exists() and bool(training(driver.pid)))
    wait_for(lambda: open_run(tmp_path / "run").store.asked() >= 1)
    family = psutil.Process(driver.pid).children(recursive=True)
    began = time.monotonic()
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to everybody
    output, _ = driver.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert driver.returncode == 0, output
    assert "primeval resume run" in output
    assert open_run(tmp_path / "run").store.events()[-1].data["reason"] == "interrupted"
    assert not psutil.wait_procs(family, timeout=10)[1]


@unproven
def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    driver = start(tmp_path, LONG, ENDLESS, "workers.grace=10m")
    wait_for(lambda: (tmp_path / "run" / "run.sqlite").exists() and bool(training(driver.pid)))
    wait_for(lambda: open_run(tmp_path / "run").store.asked() >= 1)
    family = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGINT)
    time.sleep(3)
    assert driver.poll() is None  # it waits for those in flight
    began = time.monotonic()
    os.killpg(driver.pid, signal.SIGINT)
    output, _ = driver.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert driver.returncode == 130, output
    assert "Traceback" not in output
    assert not psutil.wait_procs(family, timeout=10)[1]


@unproven
def test_two_runs_share_a_machine_and_no_two_a_folder(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    drivers = [
        start(folder, "budget.max_candidates=4", "workers.count=1") for folder in folders
    ]
    wait_for(lambda: (folders[0] / "run" / "run.sqlite").exists())
    again = [*COMMAND, "resume", "run"]
    second = subprocess.run(again, cwd=folders[0], capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert f"is being driven by process {drivers[0].pid}" in second.stderr
    begun = start(folders[0])
    output, _ = begun.communicate(timeout=60)
    assert begun.returncode == 2
    assert "holds a run" in output
    for driver, folder in zip(drivers, folders, strict=True):
        output, _ = driver.communicate(timeout=150)
        assert driver.returncode == 0, output
        assert told(folder / "run") == 4
