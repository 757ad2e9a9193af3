"""Driving and resuming: nothing lost, nothing twice, the same again."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import Scripted, begin, history, outcome, primeval, toy_script

from primeval.evaluators import make_evaluator
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.config import ConfigError
from primeval.search.evolution import Search
from primeval.search.loop import Stop, drive
from primeval.search.replay import ReplayError, replay, verify
from primeval.search.runs import Run, open_run, reopen_run
from primeval.search.settings import RunConfig
from primeval.search.weights import weights_file

Make = Callable[..., RunConfig]


class PowerCutError(Exception):
    """Ends a drive in the midst of it."""


def dying(config: RunConfig, after: int, capacity: int = 1, seed: int = 0) -> Scripted:
    """An evaluator that takes the driver with it after so many candidates."""
    script, left = toy_script(config), [after]

    def mortal(candidate: Candidate) -> Outcome:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCutError
        return script(candidate)

    return Scripted(mortal, capacity, seed)


def finish(folder: Path, *sets: str) -> Run:
    run = reopen_run(folder, sets)
    stop = drive(run, replay(run), make_evaluator(run.config.task(run.reference)))
    assert stop.reason == "candidates"
    return run


def test_the_budget_counts_evaluated_individuals_seeds_included(toy_config: Make) -> None:
    run, search = begin(toy_config())
    stop = drive(run, search, make_evaluator(run.config.task(run.reference)))
    assert stop.reason == "candidates"
    assert (run.store.asked(), run.store.told()) == (30, 30)
    assert [event.kind for event in run.store.events()] == ["started", "stopped"]


def test_bars_travel_with_candidates_and_stop_some(toy_config: Make) -> None:
    run, search = begin(toy_config())
    drive(run, search, make_evaluator(run.config.task(run.reference)))
    individuals, _ = history(run)
    assert individuals[0].thresholds == ()
    assert None not in individuals[-1].thresholds
    assert len(individuals[-1].thresholds) == 4
    assert run.store.statuses()["stopped"] > 0


def test_the_same_configuration_gives_the_same_run(toy_config: Make) -> None:
    runs = []
    for folder in ("one", "two"):
        run, search = begin(toy_config(run_dir=folder))
        drive(run, search, make_evaluator(run.config.task(run.reference)))
        runs.append(history(run))
    assert runs[0] == runs[1]


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deaths=st.lists(st.integers(0, 7), min_size=1, max_size=3))
def test_a_run_that_died_anywhere_goes_on_as_if_it_had_not(
    toy_config: Make, tmp_path: Path, deaths: list[int]
) -> None:
    fifteen = "budget.max_candidates=15"
    if not (tmp_path / "whole").exists():
        run, search = begin(toy_config(fifteen, run_dir="whole"))
        drive(run, search, make_evaluator(run.config.task(run.reference)))
        run.close()
    whole = history(open_run(tmp_path / "whole"))
    config = toy_config(fifteen, run_dir=f"died{len(list(tmp_path.iterdir()))}")
    run, search = begin(config)
    for after in deaths:
        try:
            drive(run, search, dying(config, after))
        except PowerCutError:
            run.close()
            run = reopen_run(config.run_dir)
            search = replay(run)
        else:
            break
    drive(run, search, make_evaluator(config.task(run.reference)))
    assert history(run) == whole


@pytest.mark.parametrize("seed", range(3))
def test_many_workers_in_random_order_replay_exactly(toy_config: Make, seed: int) -> None:
    config = toy_config(run_dir=f"many{seed}")
    run, search = begin(config)
    with pytest.raises(PowerCutError):
        drive(run, search, dying(config, 12, capacity=8, seed=seed))
    run.close()
    before = history(open_run(config.run_dir))
    run = reopen_run(config.run_dir)
    search = replay(run)
    assert len(search.in_flight) == 8
    evaluator = Scripted(toy_script(config), capacity=8, seed=seed + 100)
    drive(run, search, evaluator)
    assert verify(run) == 30
    after = history(run)
    assert after[0][: len(before[0])] == before[0]
    assert after[1][: len(before[1])] == before[1]
    known = {number for number, _ in before[1]}
    assert known.isdisjoint(candidate.id for candidate in evaluator.submitted)


def test_candidates_in_flight_are_submitted_again_as_they_were(toy_config: Make) -> None:
    config = toy_config()
    run, search = begin(config)
    first = dying(config, 5, capacity=3)
    with pytest.raises(PowerCutError):
        drive(run, search, first)
    assert first.closed
    run.close()
    run = reopen_run(config.run_dir)
    second = Scripted(toy_script(config), capacity=3)
    search = replay(run)
    lost = list(search.in_flight)
    drive(run, search, second)
    before = {candidate.id: candidate for candidate in first.submitted}
    again = [candidate for candidate in second.submitted if candidate.id in before]
    assert [candidate.id for candidate in again] == lost
    assert all(candidate == before[candidate.id] for candidate in again)


def test_time_is_summed_over_resumes(toy_config: Make) -> None:
    def slow(candidate: Candidate) -> Outcome:
        time.sleep(0.05)
        return outcome(2.0)

    config = toy_config("budget.max_time=0.4s")
    run, search = begin(config)
    assert drive(run, search, Scripted(slow)).reason == "time"
    told = run.store.told()
    assert told < 30
    run.close()
    run = reopen_run(config.run_dir)
    assert drive(run, replay(run), Scripted(slow)).reason == "time"
    assert run.store.told() == told
    run.close()
    run = reopen_run(config.run_dir, ["budget.max_time=10m"])
    assert drive(run, replay(run), Scripted(toy_script(config))).reason == "candidates"


def test_failures_in_a_row_stop_the_search_with_the_reason(toy_config: Make) -> None:
    config = toy_config("failure.max_consecutive=4")

    def script(candidate: Candidate) -> Outcome:
        if candidate.id < 6 and candidate.id % 2 == 0:
            return outcome(2.0)
        return Outcome(Status.CRASHED, message="the disk is on fire")

    run, search = begin(config)
    stop = drive(run, search, Scripted(script))
    assert stop.failed
    assert "last 4 candidates failed" in stop.message
    assert "the disk is on fire" in stop.message
    assert run.store.told() == 9


def test_a_seed_that_fails_stops_the_search_with_the_reason(toy_config: Make) -> None:
    run, search = begin(toy_config())
    stop = drive(run, search, Scripted(lambda candidate: outcome(None)))
    assert stop.reason == "stuck"
    assert "not finite" in stop.message


def test_with_nobody_left_to_mutate_the_search_waits_for_who_is_in_flight(
    toy_config: Make,
) -> None:
    run, search = begin(toy_config())
    evaluator = Scripted(lambda one: outcome(2.0 if one.id == 1 else None), capacity=2)
    drive(run, search, evaluator)
    assert {one.parent for one in list(run.store.individuals())[4:]} == {1}


def test_budgets_and_settings_may_change_and_the_run_still_replays(toy_config: Make) -> None:
    config = toy_config("budget.max_candidates=12")
    run, search = begin(config)
    drive(run, search, make_evaluator(config.task(run.reference)))
    run.close()
    sets = [
        "budget.max_candidates=24",
        "search.population_size=4",
        "search.mutations={bank: 1}",
    ]
    finish(run.folder, *sets).close()
    run = finish(run.folder, "budget.max_candidates=30", "search.population_size=9")
    assert verify(run) == 30
    resumed = [event for event in run.store.events() if event.kind == "resumed"]
    assert resumed[0].data["set"] == sets
    assert (resumed[0].asked, resumed[0].told) == (12, 12)
    individuals, _ = history(run)
    assert {one.edit.kind for one in individuals[12:] if one.edit} == {"bank"}


@pytest.mark.parametrize(
    "assignment",
    [
        "seed=3",
        "model.layers=3",
        "model.width=64",
        "training.learning_rate=1",
        "candidate.budget.steps=32",
        "candidate.hurdles=2",
        "search.seeds=[primer_ez]",
        "data.source=moby-dick",
        "workers.evaluator=local",
        "run_dir=elsewhere",
    ],
)
def test_what_makes_outcomes_incomparable_is_refused(toy_config: Make, assignment: str) -> None:
    run, _ = begin(toy_config())
    run.close()
    with pytest.raises(ConfigError):
        reopen_run(run.folder, [assignment])
    assert [event.kind for event in open_run(run.folder).store.events()] == ["started"]
    reopen_run(run.folder).close()  # and the lock was let go


def test_a_tampered_store_is_noticed(toy_config: Make) -> None:
    run, search = begin(toy_config())
    drive(run, search, make_evaluator(run.config.task(run.reference)))
    run.close()
    with sqlite3.connect(run.store.path) as connection:
        connection.execute("UPDATE individuals SET parent = 0, seed = 4 WHERE id = 20")
    with pytest.raises(ReplayError, match="Individual 20 does not follow"):
        verify(open_run(run.folder))


def test_weights_of_the_best_are_kept_over_resumes_and_no_others(toy_config: Make) -> None:
    config = toy_config("keep_weights=3")
    script = toy_script(config)

    def training(candidate: Candidate) -> Outcome:
        assert candidate.weights is not None
        result = script(candidate)
        if result.status is Status.COMPLETED:
            Path(candidate.weights).parent.mkdir(exist_ok=True)
            Path(candidate.weights).touch()
        return result

    run, search = begin(toy_config("keep_weights=3", "budget.max_candidates=10"))
    drive(run, search, Scripted(training))
    run.close()
    run = reopen_run(run.folder, ["budget.max_candidates=20"])
    drive(run, replay(run), Scripted(training))
    completed = [
        number
        for number in run.store.ranked()
        if (found := run.store.outcome(number)) and found.status is Status.COMPLETED
    ]
    kept = {int(file.stem) for file in (run.folder / "weights").iterdir()}
    losses = [run.store.outcome(number).loss for number in kept]  # type: ignore[union-attr]
    best = [run.store.outcome(number).loss for number in completed[:3]]  # type: ignore[union-attr]
    assert sorted(losses) == best
    assert all(weights_file(run.folder, number).exists() for number in kept)


class Recorder:
    """Watches a search."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        self.calls.append("begin")

    def asked(self, individual: object) -> None:
        self.calls.append("asked")

    def told(self, individual: object, result: Outcome, elapsed: float) -> None:
        self.calls.append("told")

    def tick(self, elapsed: float) -> None:
        pass

    def end(self, stop: Stop, elapsed: float) -> None:
        self.calls.append(stop.reason)


def test_observers_see_every_event(toy_config: Make) -> None:
    run, search = begin(toy_config("budget.max_candidates=3"))
    watching = Recorder()
    drive(run, search, make_evaluator(run.config.task(run.reference)), watching)
    assert watching.calls == ["begin", *["asked", "told"] * 3, "candidates"]


def start(config_file: Path, run: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command as a process: search, or resume where there is a run."""
    command = "resume" if run.exists() else "search"
    where = [str(run)] if command == "resume" else [str(config_file), "--run-dir", str(run)]
    return subprocess.Popen(
        [sys.executable, "-m", "primeval.scripts.cli", command, *where, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_killed_run_loses_nothing_it_recorded(config_file: Path, tmp_path: Path) -> None:
    run, rng = tmp_path / "killed", random.Random(4)
    recorded: tuple[list[object], list[object]] = ([], [])
    for _ in range(4):
        process = start(config_file, run, "--set", "budget.max_candidates=600")
        had = len(recorded[1])
        wait_for(lambda had=had: (run / "run.sqlite").exists() and told(run) > had)  # type: ignore[misc]
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


def told(folder: Path) -> int:
    return open_run(folder).store.told()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(
    config_file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    process = start(config_file, run, "--set", "budget.max_candidates=100_000")
    wait_for(lambda: (run / "run.sqlite").exists() and told(run) > 3)
    process.send_signal(number)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert f"primeval resume {run}" in output
    store = open_run(run).store
    assert store.events()[-1].data["reason"] == "interrupted"
    assert store.asked() - store.told() in (0, 1)  # given up, and asked again on resume


def test_a_full_disk_stops_the_run_and_it_goes_on_when_there_is_room(
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


def test_a_forked_child_does_not_hold_the_run(toy_config: Make) -> None:
    run, _ = begin(toy_config())
    run.close()
    assert not os.get_inheritable(reopen_run(run.folder).lock._file.fileno())  # type: ignore[union-attr]


def test_a_search_stops_at_its_target_loss(toy_config: Callable[..., RunConfig]) -> None:
    run, search = begin(toy_config("budget.max_candidates=500", "budget.target_loss=2.005"))
    stop = drive(run, search, make_evaluator(run.config.task(run.reference)))
    assert stop.reason == "target"
    assert search.best is not None
    assert -search.best[0] <= 2.005
    assert search.told < 500
