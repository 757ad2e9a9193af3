"""Whatever a candidate or a machine does, a run loses at most the candidates in flight."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from helpers.drivers import TINY
from helpers.places import HOSTILE
from helpers.pools import busy_processes
from helpers.training import SEED

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import parse_config
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress
from primeval.search.drive.starting import load_seeds, make_search
from primeval.search.run.folder import create_run
from primeval.search.views.ledger import ledger

pytestmark = [pytest.mark.tf, pytest.mark.ray, pytest.mark.slow]

RELU = "  c = MAX a const0\n"
ENDS = {
    "HANG": (Status.TIMED_OUT, "candidate.timeout"),
    "DEVOUR": (Status.OUT_OF_MEMORY, "workers.memory"),
    "ABORT": (Status.CRASHED, "SIGABRT"),
    "CRASH": (Status.CRASHED, "SIGSEGV"),
    "LOG": (Status.DIVERGED, "nan"),
}


def hostile_program(name: str) -> str:
    """The Transformer with a hostile primitive after its activation; LOG gives NaN at once."""
    return SEED.replace(RELU, f"{RELU}  d = {name} c\n")


class Killer(Progress):
    """Kills one process that trains, and later one worker that keeps such a process."""

    def __init__(self, pool: Any) -> None:
        self.pool, self.killed = pool, list[int]()
        self.told_outcomes: list[Outcome] = []

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.told_outcomes.append(outcome)

    def tick(self, elapsed: float) -> None:
        if len(self.killed) == 2 or len(self.told_outcomes) < 2 * len(self.killed) + 1:
            return
        for trainer in busy_processes(self.pool):
            with suppress(psutil.NoSuchProcess):  # the process has just been replaced
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
    from primeval.evaluators.workers.ray_pool import RayEvaluator

    config = parse_config(
        f"{TINY}language: {{modules: ['{HOSTILE}']}}\nbudget: {{max_candidates: 8}}\n",
        [f"run_dir={tmp_path / 'run'}"],
    )
    names = list(ENDS)
    random.Random(order).shuffle(names)
    for name in names:
        (tmp_path / f"{name}.dna").write_text(hostile_program(name), encoding="utf-8")
    files = [f"{tmp_path / name}.dna" for name in names]
    vocabulary = config.make_language().vocabulary
    seeds = load_seeds(["transformer", *files], vocabulary=vocabulary)
    run = create_run(config, seeds)
    search = make_search(config, list(run.store.seeds.values()), run.language)
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
    for row in ledger(run).failures:
        lost[row.status] += row.count
    assert lost["crashed"] == 2
    assert lost["timed_out"] == lost["out_of_memory"] == 1
    run.close()
