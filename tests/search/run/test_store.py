"""The run store keeps everything that was appended, whatever happens to the process."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.toys import begin, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primeval.dna.library import load_seed
from primeval.dna.mutations import Edit
from primeval.dna.printing import format_program
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import RunConfig
from primeval.search.errors import RunError, StoreError
from primeval.search.run.folder import open_run, reopen_run
from primeval.search.run.locking import RunLock
from primeval.search.run.store import Store, create_store, open_store

TEXT = format_program(load_seed("transformer"))
SEEDS = {"transformer": TEXT}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return create_store(tmp_path / "run.sqlite", SEEDS, primeval="test")


def child(number: int, text: str = TEXT) -> Individual:
    edit = Edit("insert", 9, 1, "S9: + d = SQUARE c")
    return Individual(
        number, number - 1 if number else None, edit if number else None, text, "ab" * 32,
        17 + number, (1.5, None), number, 120_064, {"known": 2},
    )  # fmt: skip


def test_what_is_appended_is_read_back_equal(store: Store) -> None:
    result = Outcome(
        Status.STOPPED, 2.5, 3.6, 1, (Point(1, 3.0), Point(3, 2.5)), 3, 1.2, 0.9,
        {"train": 1.5}, 120_064, 9, "missed a hurdle",
    )  # fmt: skip
    for number in range(3):
        store.append_individual(child(number), number)
    store.append_outcome(1, result, 3.5)
    assert list(store.individuals()) == [child(number) for number in range(3)]
    assert store.individual(2) == child(2)
    assert store.individual(3) is None
    assert list(store.outcomes()) == [(1, result)]
    assert (store.outcome(1), store.outcome(2)) == (result, None)
    assert (store.asked(), store.told(), store.elapsed()) == (3, 1, 3.5)
    assert store.seeds == SEEDS
    assert store.meta("primeval") == "test"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_any_text_is_kept(store: Store, text: str) -> None:
    one = child(store.asked(), text)
    store.append_individual(one, 0.0)
    assert store.individual(one.id) == one


def test_the_ranking_puts_what_has_no_fitness_last(store: Store) -> None:
    losses = [3.0, None, 2.0, float("nan"), 2.0, float("inf")]
    for number, loss in enumerate(losses):
        store.append_individual(child(number), 0.0)
        store.append_outcome(number, outcome(loss), 0.0)
    assert store.ranked() == [2, 4, 0, 1, 3, 5]
    assert store.ranked(2) == [2, 4]


def test_nothing_is_recorded_twice(store: Store) -> None:
    store.append_individual(child(0), 0.0)
    store.append_outcome(0, outcome(2.0), 0.0)
    with pytest.raises(StoreError, match="UNIQUE"):
        store.append_outcome(0, outcome(1.0), 0.0)
    with pytest.raises(StoreError):
        store.append_individual(child(0), 0.0)
    assert store.outcome(0) == outcome(2.0)


def test_each_program_is_ranked_once_by_its_mean(store: Store) -> None:
    results = [outcome(2.0), outcome(1.0), outcome(None), outcome(1.5)]
    repeats = [replace(outcome(3.0), same_as=1), Outcome(Status.KNOWN, same_as=0)]
    repeats += [replace(outcome(None), same_as=1), Outcome(Status.KNOWN, same_as=2)]
    for number, result in enumerate([*results, *repeats]):
        store.append_individual(child(number), 0.0)
        store.append_outcome(number, result, 0.0)
    assert store.means() == {1: (-2.0, 2)}
    assert store.ranked() == [3, 0, 1, 2]
    assert store.ranked(2) == [3, 0]
    assert [one.mean for one in store.standings()] == [None, None, (-2.0, 2), None]
    assert [one.individual.id for one in store.standings(2)] == [3, 0]


def test_an_event_of_several_rows_is_in_the_store_whole_or_not_at_all(store: Store) -> None:
    store.append_individual(child(0), 0.0)
    store.append_outcome(0, replace(outcome(2.0), same_as=9), 0.0)
    store._connection.execute("INSERT INTO repeats VALUES (1, 9)")
    store.append_individual(child(1), 0.0)
    with pytest.raises(StoreError, match="UNIQUE"):
        store.append_outcome(1, replace(outcome(2.0), same_as=9), 0.0)
    assert store.outcome(1) is None
    store.append_outcome(1, outcome(3.0), 0.0)
    assert store.told() == 2


def test_events_say_when_they_happened(store: Store) -> None:
    store.append_event("started", {"config": "seed: 1"}, 0.0)
    store.append_individual(child(0), 1.0)
    store.append_event("stopped", {"reason": "time"}, 2.0)
    started, stopped = store.events()
    assert (started.kind, started.asked, started.data) == ("started", 0, {"config": "seed: 1"})
    assert (stopped.kind, stopped.asked, stopped.elapsed) == ("stopped", 1, 2.0)


def test_readers_see_each_event_at_once(store: Store) -> None:
    reader = open_store(store.path)
    for number in range(3):
        store.append_individual(child(number), 0.0)
        assert reader.asked() == number + 1


def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match="readonly"):
        open_store(store.path).append_individual(child(0), 0.0)


def test_a_program_takes_little_room(store: Store) -> None:
    changed = TEXT.replace("c = MAX a const0", "c = MAX a const0\n  d = SQUARE c")
    assert len(store._packer.compress(changed)) < 100


def test_a_run_in_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    store = create_store(folder / "run.sqlite", SEEDS)
    store.append_individual(child(0), 0.0)
    store.close()
    assert not (folder / "run.sqlite-wal").exists()
    folder.chmod(0o500)
    try:
        assert open_store(folder / "run.sqlite").asked() == 1
    finally:
        folder.chmod(0o700)


def broken(path: Path, how: str) -> None:
    if how == "foreign":
        path.unlink()
        sqlite3.connect(path).execute("CREATE TABLE t (a)").connection.close()
    elif how == "text":
        path.write_text("not a database, but long enough to look like one" * 50)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    elif how in ("newer", "older"):
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {99 if how == 'newer' else 1}")
        connection.close()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("foreign", "is not a run store"),
        ("text", "cannot be read as a run store"),
        ("empty", "is not a run store"),
        ("truncated", "cannot be read as a run store"),
        ("newer", "Upgrade primeval"),
        ("older", "Start the search again"),
    ],
)
def test_a_file_that_is_no_store_is_refused(store: Store, how: str, message: str) -> None:
    for number in range(300):
        store.append_individual(child(number, TEXT + str(number) * 40), 0.0)
    store.close()
    broken(store.path, how)
    with pytest.raises(RunError, match=message):
        open_store(store.path, write=True).check()


def test_a_folder_is_driven_by_one_process(toy_config: Callable[..., RunConfig]) -> None:
    run, _ = begin(toy_config())
    with pytest.raises(RunError, match=f"process {os.getpid()}"):
        reopen_run(run.folder)
    assert open_run(run.folder).store.asked() == 0
    run.close()
    reopen_run(run.folder).close()


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    child_process = os.fork()
    if child_process == 0:
        RunLock(tmp_path)
        os._exit(0)  # ends as abruptly as a kill
    os.waitpid(child_process, 0)
    lock = RunLock(tmp_path)
    assert (tmp_path / "run.lock").read_text().startswith(f"process {os.getpid()} ")
    lock.close()


def test_an_event_costs_the_same_in_a_long_run(store: Store) -> None:
    def seconds(first: int, count: int) -> float:
        began = time.process_time()
        for number in range(first, first + count):
            store.append_individual(child(number), 0.0)
            store.append_outcome(number, outcome(2.0), 0.0)
        return time.process_time() - began

    seconds(0, 300)
    early, _, late = seconds(300, 800), seconds(1100, 5000), seconds(6100, 800)
    assert late < 1.5 * early
