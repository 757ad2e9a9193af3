"""Starts real searches in processes of their own, and finds the processes that these start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from primeval.search.run.folder import open_run
from primeval.search.run.store import Store

TINY = """\
search: {population_size: 4, tournament_size: 2}
candidate: {budget: {steps: 16}, hurdles: 1, timeout: 45s, replicates: 1}
model: {layers: 1, length: 16, width: 16}
training: {batch_size: 4, validation_batches: 2, jit: false, warmup_steps: 4}
workers: {count: 2, memory: 1500MB}
"""
COMMAND = [sys.executable, "-m", "primeval.scripts.cli"]
LONG = "budget.max_candidates=200"
ENDLESS = "candidate.budget={steps: 100_000_000}"  # only its time limit ends it


def start(folder: Path, *sets: str) -> subprocess.Popen[str]:
    """Start a search in a process group of its own, as a terminal does."""
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


def wait_for(condition: Callable[[], bool], seconds: float = 120, every: float = 0.1) -> None:
    """Wait until the condition holds; fail after this many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(every)


def _store(run: Path, count: Callable[[Store], int]) -> int:
    """A number read from a run's store; 0 if there is no store yet."""
    if not (run / "run.sqlite").exists():
        return 0
    opened = open_run(run)
    try:
        return count(opened.store)
    finally:
        opened.close()


def told(run: Path) -> int:
    return _store(run, Store.told)


def asked(run: Path) -> int:
    return _store(run, Store.asked)


def training(driver: int) -> list[psutil.Process]:
    """The processes that train candidates for a driver."""
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        with suppress(psutil.Error):  # the process has just ended
            if "primeval.evaluators.workers.process" in process.cmdline():
                found.append(process)
    return found
