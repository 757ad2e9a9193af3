"""Faults that similar searches have had; each test is named after what went wrong there.

Other such faults have files of their own: duplicates that were trained nevertheless
(test_known.py), digests that collided (test_probe.py), misspelt settings (test_config.py).
"""

from __future__ import annotations

import dataclasses
import random
import sqlite3
from array import array
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from helpers.toys import Scripted, begin, by_length, history, outcome, toy_script

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.evolution import Search
from primeval.search.config.settings import ALGORITHMS, RunConfig, SearchBudget, SearchSettings
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay, verify
from primeval.search.drive.starting import load_seeds, make_search
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, create_run, open_run

Make = Callable[..., RunConfig]


def driven(config: RunConfig, **how: Any) -> tuple[Run, Search]:
    run, search = begin(config)
    drive(run, search, Scripted(toy_script(config), **how))
    return run, search


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_evaluator_that_always_fails_looped_for_ever(
    toy_config: Make, algorithm: str
) -> None:
    def script(candidate: Candidate) -> Outcome:
        return outcome(2.0) if candidate.id == 0 else outcome(None, status=Status.CRASHED)

    run, search = begin(toy_config(f"search.algorithm={algorithm}"))
    stop = drive(run, search, Scripted(script))
    assert stop.reason == "failures"
    assert run.store.statuses() == {"completed": 1, "crashed": 20}


def test_the_clock_decided_which_is_older(toy_config: Make) -> None:
    run, _ = driven(toy_config(), capacity=3)
    run.close()
    with sqlite3.connect(run.store.path) as connection:
        for table in ("individuals", "outcomes", "events"):
            connection.execute(f"UPDATE {table} SET elapsed = abs(random()) % 1000")
        connection.execute("UPDATE events SET time = -seq")
    assert verify(open_run(run.folder)) == 30


def test_the_seed_of_the_global_random_numbers_was_set(toy_config: Make) -> None:
    runs = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        states = random.getstate(), str(np.random.get_state())
        run, _ = driven(toy_config(run_dir=f"run{seed}"), capacity=3)
        assert (random.getstate(), str(np.random.get_state())) == states
        runs.append(history(run))
    assert runs[0] == runs[1]


# Two values of each setting; runs with different values must differ.
SETTINGS = {
    "search.algorithm": ("evolution", "random"),
    "search.seeds": ("[transformer]", "[transformer, squared_relu]"),
    "search.population_size": ("8", "4"),
    "search.tournament_size": ("3", "1"),
    "search.mutations": ("{insert: 1, delete: 1}", "{insert: 1, swap: 1}"),
    "search.reevaluations": ("0", "2"),
    "budget.max_candidates": ("20", "19"),
    "budget.max_time": ("1000s", "0.000001s"),
    "budget.max_compute": ("1000s", "9s"),
    "budget.target_loss": ("0.5", "3.0"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_was_read_and_did_nothing(toy_config: Make, name: str) -> None:
    histories = []
    for number, value in enumerate(SETTINGS[name]):
        more = ["budget.max_candidates=20"] if "max_candidates" not in name else []
        config = toy_config(*more, f"{name}={value}", run_dir=f"run{number}")
        run = create_run(config, load_seeds(config.search.seeds))
        search = make_search(config, list(run.store.seeds.values()), run.language)
        script = toy_script(config)

        def timed(candidate: Candidate, script: Any = script) -> Outcome:
            return dataclasses.replace(script(candidate), seconds={"train": 2.0})

        drive(run, search, Scripted(timed, digests=by_length))
        histories.append(history(run))
    assert histories[0] != histories[1]


def test_no_setting_of_the_search_is_left_out_above() -> None:
    sections = {"search": SearchSettings, "budget": SearchBudget}
    names = {
        f"{section}.{field.name}"
        for section, kind in sections.items()
        for field in dataclasses.fields(kind)
    }
    assert set(SETTINGS) == names


NEVER_CHANGE = {"rungs", "_rungs", "_vocabulary"}  # functions and tables


def plain(value: Any) -> Any:
    """A search's state as plain values that can be compared."""
    if isinstance(value, sqlite3.Connection):
        return list(value.iterdump())
    if dataclasses.is_dataclass(value) or isinstance(
        value, (str, int, float, bytes, type(None))
    ):
        return value
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, (list, tuple, deque, array)):
        return [plain(one) for one in value]
    return {key: plain(one) for key, one in vars(value).items() if key not in NEVER_CHANGE}


@pytest.mark.parametrize("derive", [0, 5, 40])
def test_parts_of_the_state_were_missing_after_a_resume(toy_config: Make, derive: int) -> None:
    config = toy_config("search.reevaluations=2", "budget.max_candidates=40")
    run, search = driven(config, capacity=3, digests=by_length)
    again = replay(run, derive)
    assert plain(again) == plain(search)
    assert again.ask() == search.ask()


def test_the_whole_state_was_written_again_at_every_event(toy_config: Make) -> None:
    config = toy_config("budget.max_candidates=60")
    run, search = begin(config)
    rows = [run.store._connection.total_changes]

    class Counting(Scripted):
        def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
            rows.append(run.store._connection.total_changes)
            return super().wait(timeout)

    drive(run, search, Counting(toy_script(config), digests=by_length))
    assert max(after - before for before, after in pairwise(rows)) <= 3


def test_a_run_was_overwritten_by_a_new_one(toy_config: Make) -> None:
    run, _ = driven(toy_config())
    run.close()
    before = history(open_run(run.folder))
    with pytest.raises(RunError, match="holds a run already"):
        begin(toy_config())
    with pytest.raises(RunError, match="holds a run already"):
        create_run(toy_config("seed=5"), {})
    assert history(open_run(run.folder)) == before


def test_a_first_candidate_without_a_number_stayed_the_best(toy_config: Make) -> None:
    run, search = begin(toy_config("search.seeds=[transformer]"))
    script = toy_script(run.config)
    worst = {1: float("nan"), 2: float("inf"), 3: float("-inf")}

    def sick(candidate: Candidate) -> Outcome:
        if candidate.id in worst:
            return Outcome(Status.COMPLETED, loss=worst[candidate.id])
        return script(candidate)

    drive(run, search, Scripted(sick))
    assert search.best is not None
    best = search.best[1].id
    assert best == run.store.ranked(1)[0]
    assert best not in worst
    assert {run.store.ranked()[-at] for at in (1, 2, 3)} == set(worst)
