"""Drivers that are killed, interrupted, or run side by side: what ends and what continues."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from helpers.drivers import COMMAND, ENDLESS, LONG, asked, start, told, training, wait_for
from helpers.toys import primeval

from primeval.evaluators.workers.watchman import members
from primeval.search.run.folder import open_run

pytestmark = [pytest.mark.tf, pytest.mark.ray, pytest.mark.slow]

ONE = "workers.count=1"


def family_of(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes that a driver has started, including Ray's and those that Ray started."""
    return psutil.Process(driver.pid).children(recursive=True)


def gone(family: list[psutil.Process], seconds: float) -> bool:
    """Whether all of these processes end within the time."""
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def test_no_process_outlives_a_driver_that_is_killed(tmp_path: Path) -> None:
    driver, run = start(tmp_path, LONG, ONE), tmp_path / "run"
    wait_for(lambda: told(run) >= 1)
    family = family_of(driver)
    assert len(training(driver.pid)) == 1
    driver.kill()
    driver.communicate()
    assert gone(family, 60)
    assert not members(driver.pid)
    before = told(run)
    assert before < 200
    resumed = subprocess.run(
        [*COMMAND, "resume", "run", "--set", f"budget.max_candidates={before + 1}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert told(run) == before + 1


def test_ctrl_c_gives_up_candidates_in_flight_at_once(tmp_path: Path) -> None:
    driver, run = start(tmp_path, LONG, ENDLESS, ONE), tmp_path / "run"
    wait_for(lambda: asked(run) >= 1 and bool(training(driver.pid)))
    family, began = family_of(driver), time.monotonic()
    os.killpg(driver.pid, signal.SIGINT)  # to all its processes, as a terminal does
    output, _ = driver.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert driver.returncode == 0, output
    assert "1 given up, to be tried again on resume" in output
    assert "primeval resume run" in output
    assert open_run(run).store.events()[-1].data["reason"] == "interrupted"
    assert gone(family, 10)


def test_ctrl_c_lets_candidates_in_flight_finish_if_they_may(tmp_path: Path) -> None:
    grace = "workers.grace=90s"
    driver, run = start(tmp_path, LONG, grace, "workers.count=2"), tmp_path / "run"
    wait_for(lambda: asked(run) >= 3)
    os.killpg(driver.pid, signal.SIGINT)
    output, _ = driver.communicate(timeout=90)
    assert driver.returncode == 0, output
    assert 3 <= asked(run) == told(run) < 200
    lost = [one for _, one in open_run(run).store.outcomes() if "lost" in one.seconds]
    assert not lost  # the processes that train ignore the signal


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    driver, run = start(tmp_path, LONG, ENDLESS, ONE, "workers.grace=10m"), tmp_path / "run"
    wait_for(lambda: asked(run) >= 1 and bool(training(driver.pid)))
    family = family_of(driver)
    os.killpg(driver.pid, signal.SIGINT)
    time.sleep(2)
    assert driver.poll() is None  # it waits for the candidates in flight
    began = time.monotonic()
    os.killpg(driver.pid, signal.SIGINT)
    output, _ = driver.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert driver.returncode == 130, output
    assert "Traceback" not in output
    assert gone(family, 10)


def test_two_runs_share_a_machine_and_no_two_a_folder(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    twins = [start(one, LONG, ONE), start(one, LONG, ONE)]
    neighbour = start(other, "budget.max_candidates=2", ONE)
    wait_for(lambda: any(twin.poll() is not None for twin in twins))
    twins.sort(key=lambda twin: twin.poll() is None)
    loser, driver = twins
    output, _ = loser.communicate()
    assert loser.returncode == 2, output
    refused = f"is being driven by process {driver.pid}" in output or "holds a run" in output
    assert refused, output
    second = primeval("resume", "run", cwd=one)
    assert second.returncode == 2
    assert f"run is being driven by process {driver.pid}" in second.stderr
    assert "primeval top run" in second.stderr
    wait_for(lambda: told(one / "run") >= 1)
    driver.send_signal(signal.SIGTERM)  # as Slurm does
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode == 0, output
    replayed = primeval("replay", "run", cwd=one)
    assert replayed.returncode == 0, replayed.stderr
    output, _ = neighbour.communicate(timeout=150)
    assert neighbour.returncode == 0, output
    assert told(other / "run") == 2
