"""Resuming after any stop loses nothing, repeats nothing, and gives the same run."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.toys import (
    PowerCutError,
    Scripted,
    begin,
    dying,
    finish,
    history,
    outcome,
    toy_script,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.workers.factory import make_evaluator
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import ReplayError, replay, verify
from primeval.search.errors import ConfigError
from primeval.search.run.folder import open_run, reopen_run
from primeval.search.run.kept_weights import weights_file

Make = Callable[..., RunConfig]


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deaths=st.lists(st.integers(0, 7), min_size=1, max_size=3))
def test_a_run_that_died_anywhere_resumes_as_if_it_had_not(
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
    reopen_run(run.folder).close()  # the lock was released


def test_a_tampered_store_is_noticed(toy_config: Make) -> None:
    run, search = begin(toy_config())
    drive(run, search, make_evaluator(run.config.task(run.reference)))
    run.close()
    with sqlite3.connect(run.store.path) as connection:
        connection.execute("UPDATE individuals SET parent = 0, seed = 4 WHERE id = 20")
    with pytest.raises(ReplayError, match="Individual 20 does not follow"):
        verify(open_run(run.folder))


def test_a_changed_outcome_is_noticed_though_nothing_was_asked_after_it(
    toy_config: Make,
) -> None:
    run, search = begin(toy_config())
    drive(run, search, make_evaluator(run.config.task(run.reference)))
    run.close()
    with sqlite3.connect(run.store.path) as connection:
        change = "json_set(outcome, '$.loss', 1.5)"
        connection.execute(f"UPDATE outcomes SET outcome = {change} WHERE id = 29")
    for derive in (1, 30):
        with pytest.raises(ReplayError, match=r"population does not follow .* 30 outcomes"):
            replay(open_run(run.folder), derive)
    assert replay(open_run(run.folder), derive=0).asked == 30


def test_populations_are_compared_where_they_were_noted(toy_config: Make) -> None:
    """Between the same two candidates the run stops, shrinks, stops, and grows again."""
    config = toy_config("budget.max_candidates=20")
    run, search = begin(config)
    drive(run, search, Scripted(toy_script(config), capacity=3))
    for size in (4, 9):
        run.close()
        run = reopen_run(run.folder, [f"search.population_size={size}"])
        search = replay(run)
        drive(run, search, Scripted(toy_script(config), capacity=3))
    assert len(search.population) == 4
    noted = [one.data["population"] for one in run.store.events() if "population" in one.data]
    assert len(noted) == 3
    assert noted[0] != noted[1] == noted[2] == search.population.digest
    assert verify(open_run(run.folder)) == 20


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


def test_a_forked_child_does_not_hold_the_run(toy_config: Make) -> None:
    run, _ = begin(toy_config())
    run.close()
    assert not os.get_inheritable(reopen_run(run.folder).lock.fileno())  # type: ignore[union-attr]
