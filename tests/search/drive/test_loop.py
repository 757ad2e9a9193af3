"""Driving a search: budgets, stops, and what observers receive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from helpers.toys import Scripted, begin, history, outcome

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.workers.factory import make_evaluator
from primeval.search.algorithm.evolution import Search
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay
from primeval.search.drive.stops import Stop
from primeval.search.run.folder import Run, reopen_run

Make = Callable[..., RunConfig]


def test_the_budget_counts_evaluated_individuals_seeds_included(toy_config: Make) -> None:
    run, search = begin(toy_config())
    stop = drive(run, search, make_evaluator(run.config.task(run.reference)))
    assert stop.reason == "candidates"
    assert (run.store.asked(), run.store.told()) == (30, 30)
    assert [event.kind for event in run.store.events()] == ["started", "stopped"]


def test_thresholds_travel_with_candidates_and_stop_some(toy_config: Make) -> None:
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


def test_with_no_parent_left_the_search_waits_for_candidates_in_flight(
    toy_config: Make,
) -> None:
    run, search = begin(toy_config())
    evaluator = Scripted(lambda one: outcome(2.0 if one.id == 1 else None), capacity=2)
    drive(run, search, evaluator)
    assert {one.parent for one in list(run.store.individuals())[4:]} == {1}


class Recorder:
    """An observer that records all events."""

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


def test_a_search_stops_when_its_compute_is_used_up(toy_config: Make) -> None:
    """Each takes three seconds, failures too; the fourth exceeds ten."""

    def script(candidate: Candidate) -> Outcome:
        failed = Outcome(Status.CRASHED, seconds={"lost": 3.0}, message="gone")
        return failed if candidate.id == 1 else replace(outcome(2.0), seconds={"train": 3.0})

    run, search = begin(toy_config("budget.max_compute=10s"))
    stop = drive(run, search, Scripted(script))
    assert (stop.reason, stop.message) == (
        "compute",
        "The compute (10s of workers' time) is used up.",
    )
    assert run.store.told() == 4
    run.close()
    run = reopen_run(run.folder)
    assert replay(run).spent == 12.0
    assert drive(run, replay(run), Scripted(script)).reason == "compute"
    assert run.store.told() == 4
    run.close()
    run = reopen_run(run.folder, ["budget.max_compute=20s"])
    assert drive(run, replay(run), Scripted(script)).reason == "compute"
    assert run.store.told() == 7


def test_a_search_stops_at_its_target_loss(toy_config: Callable[..., RunConfig]) -> None:
    run, search = begin(toy_config("budget.max_candidates=500", "budget.target_loss=2.005"))
    stop = drive(run, search, make_evaluator(run.config.task(run.reference)))
    assert stop.reason == "target"
    assert search.best is not None
    assert -search.best[0] <= 2.005
    assert search.told < 500
