"""Searches in processes of their own: killed, interrupted, or out of disk space."""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.drivers import told, wait_for
from helpers.processes import start
from helpers.toys import (
    finish,
    history,
    primeval,
)

from primeval.search.drive.replay import verify
from primeval.search.run.folder import open_run


def test_a_killed_run_loses_nothing_it_recorded(config_file: Path, tmp_path: Path) -> None:
    run, rng = tmp_path / "killed", random.Random(4)
    recorded: tuple[list[object], list[object]] = ([], [])
    for _ in range(4):
        process = start(config_file, run, "--set", "budget.max_candidates=600")
        had = len(recorded[1])
        wait_for(lambda had=had: told(run) > had, every=0.005)  # type: ignore[misc]
        time.sleep(rng.random() * 0.1)
        process.kill()
        process.communicate()
        now = history(open_run(run))
        for before, after in zip(recorded, now, strict=True):
            assert after[: len(before)] == before
        recorded = now  # type: ignore[assignment]
    result = primeval("resume", run)
    assert result.returncode == 0, result.stderr
    final = history(open_run(run))
    assert [len(rows) for rows in final] == [600, 600]
    assert final[1][: len(recorded[1])] == recorded[1]
    with sqlite3.connect(run / "run.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert verify(open_run(run)) == 600
    whole = tmp_path / "whole"
    primeval("search", config_file, "--run-dir", whole, "--set", "budget.max_candidates=600")
    assert history(open_run(whole)) == final


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_cleanly_and_says_how_to_resume(
    config_file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    process = start(config_file, run, "--set", "budget.max_candidates=100_000")
    wait_for(lambda: told(run) > 3, every=0.005)
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert f"primeval resume {run}" in output
    store = open_run(run).store
    assert store.events()[-1].data["reason"] == "interrupted"
    # it was given up, and is asked again on resume
    assert store.asked() - store.told() in (
        0,
        1,
    )


def test_a_full_disk_stops_the_run_which_resumes_when_there_is_room(
    config_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "full"
    command = [sys.executable, "-m", "primeval.scripts.cli", "search", str(config_file)]
    result = subprocess.run(
        [*command, "--run-dir", str(run), "--set", "budget.max_candidates=90"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000)),
    )
    assert result.returncode == 1
    assert "could not be written" in result.stderr
    assert "Traceback" not in result.stderr
    recorded = history(open_run(run))
    assert 0 < len(recorded[1]) < 90
    finished = finish(run)
    assert history(finished)[1][: len(recorded[1])] == recorded[1]
    assert finished.store.told() == 90
