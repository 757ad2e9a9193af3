"""Where a worker's time and memory go, and how steady its calibration is.

Each figure comes from the search's own parts: from `primeval search` with Ray, or from the
keeper of a worker's process, which replaces the process as in a search.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from primeval.dna.library import load_seed, seed_text
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.task import Task
from primeval.evaluators.workers.keeper import Keeper
from primeval.evaluators.workers.ray_cluster import worker_environment
from primeval.search.config.config import load_config
from primeval.search.drive.loop import drive
from primeval.search.drive.starting import make_search
from primeval.search.run.folder import Run, create_run, open_run

EARLY = 20  # memory is first measured after this many candidates
BUSY = """
import os
parent = os.getppid()
while os.getppid() == parent:
    sum(range(100_000))
"""
TINY = (
    "model.layers=1",
    "model.parameters=[6_000, 10_000]",
    "candidate.budget={reference_steps: 31}",
    "search.population_size=20",
    "budget.max_time=1d",
    "workers.count=1",
)


@contextmanager
def as_in_a_worker() -> Iterator[None]:
    """Sets the environment of a search's worker for the processes started within."""
    before = dict(os.environ)
    os.environ.update(worker_environment(load_config("laptop").workers))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def share(candidates: int, sets: Sequence[str] = ()) -> dict[str, Any]:
    """The share of the workers' wall time by cause, in a search with the laptop config."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        command = [sys.executable, "-m", "primeval.scripts.cli", "search", "laptop"]
        command += ["--run-dir", str(folder)]
        for one in (f"budget.max_candidates={candidates}", *sets):
            command += ["--set", one]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        run = open_run(folder)
        try:
            return shares(run)
        finally:
            run.close()


def shares(run: Run) -> dict[str, Any]:
    """Where the workers' wall time went, from the first candidate asked to the last told.

    Outcomes report most of it. The first candidate of all also waited for its worker, which
    imported TensorFlow and compiled the reference program; every start of a worker takes this
    long. The rest is time in which workers waited.
    """
    times = run.store.times()
    asked = {number: asked for number, (asked, _) in times.items()}
    told = {number: told for number, (_, told) in times.items() if told is not None}
    outcomes = dict(run.store.outcomes())
    seconds = Counter[str]()
    for outcome in outcomes.values():
        seconds.update(outcome.seconds)
    workers = run.config.workers.count
    log = (run.folder / "run.log").read_text(encoding="utf-8")
    started = workers + len(re.findall("replacing a worker", log))
    whole = workers * (max(told.values()) - min(asked.values()))
    start = told[0] - asked[0] - sum(outcomes[0].seconds.values())
    seconds["import"] = start * started
    seconds["wait"] = whole - sum(seconds.values())
    return {
        "useful_share": seconds["train"] / whole,
        "share": {
            "candidates": len(outcomes),
            "workers": workers,
            "workers_started": started,
            "worker_seconds": whole,
            "statuses": run.store.statuses(),
            "by_cause": {cause: spent / whole for cause, spent in seconds.most_common()},
        },
    }


class _OneWorker(Evaluator):
    """A worker's keeper without Ray; records the memory of its process after each candidate."""

    probes = True

    def __init__(self, task: Task) -> None:
        self.held: list[int] = []
        self.replaced = 0
        self._keeper = Keeper(task)
        self._done: list[tuple[int, Outcome]] = []

    def submit(self, candidate: Candidate) -> None:
        report = self._keeper.evaluate(candidate)
        self._done.append((candidate.id, report.outcome))
        if not candidate.probe:
            self.held.append(report.held)
            self.replaced += bool(report.replaced)

    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        self._keeper.close()


def memory(candidates: int, sets: Sequence[str] = ()) -> dict[str, Any]:
    """Memory of a worker late in a search over its memory early on.

    It is measured after a candidate and before its process is replaced, if that is due, so that
    replacing does not hide anything.
    """
    with tempfile.TemporaryDirectory() as name, as_in_a_worker():
        given = [*TINY, f"run_dir={name}/run", f"budget.max_candidates={candidates}", *sets]
        config = load_config("laptop", given)
        run = create_run(config, {"transformer": load_seed("transformer")})
        worker = _OneWorker(config.task(run.reference))
        drive(run, make_search(config, list(run.store.seeds.values()), run.language), worker)
        statuses = run.store.statuses()
        run.close()
    held = [size / 1e6 for size in worker.held]
    early = min(EARLY, max(1, len(held) // 2))
    return {
        "memory_growth": held[-1] / held[early - 1],
        "memory": {
            "trained": len(held),
            "processes": 1 + worker.replaced,
            f"megabytes_after_{early}": held[early - 1],
            f"megabytes_after_{len(held)}": held[-1],
            "megabytes_at_most": max(held),
            "statuses": statuses,
        },
    }


def spread(repeats: int, sets: Sequence[str] = ()) -> dict[str, Any]:
    """(largest - smallest) / median of the steps that squared ReLU gets, repeatedly.

    Unrelated processes keep the other cores busy meanwhile. Evaluations stop at the second
    hurdle, before which the ratio is measured precisely.
    """
    short = "candidate.budget={reference_steps: 6_000}"
    task = load_config("laptop", [short, *sets]).task(seed_text("transformer"))
    program, steps = seed_text("squared_relu"), list[int]()
    others = max(1, (os.cpu_count() or 2) - 1)
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(others)]
    try:
        with as_in_a_worker(), closing(Keeper(task)) as keeper:
            for number in range(repeats):
                candidate = Candidate(number, program, number, thresholds=(None, 0.0))
                outcome = keeper.evaluate(candidate).outcome
                if outcome.step_ratio is None:
                    raise RuntimeError(f"{outcome.status.value}: {outcome.message}")
                steps.append(round(task.candidate.budget.amount / outcome.step_ratio))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return {
        "budget_spread": (max(steps) - min(steps)) / statistics.median(steps),
        "spread": {"steps": steps},
    }
