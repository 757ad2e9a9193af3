"""Confirming uses fresh seeds and the test split, trains nothing twice, leaves nothing out."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
from helpers.commands import printed
from helpers.toys import Scripted, begin, history, outcome

from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.workers.factory import make_evaluator
from primeval.scripts.tables.confirmed import loss_text
from primeval.search.config.settings import RunConfig
from primeval.search.confirm.figures import read_confirmed, reference_of
from primeval.search.confirm.training import (
    Entry,
    best_entries,
    confirm,
    distinct,
    entry_of,
    fresh_seeds,
    missing_jobs,
)
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import verify
from primeval.search.run.folder import Run, open_run, reopen_run
from primeval.search.views.confirmed_rows import confirmed_rows
from primeval.search.views.ranking import ranking

Capture = pytest.CaptureFixture[str]
Script = Callable[[Candidate], Outcome]


# -- training and keeping -----------------------------------------------------------------


@pytest.fixture
def run(toy_config: Callable[..., RunConfig]) -> Run:
    """A finished toy search, opened for confirming."""
    opened, search = begin(toy_config("budget.max_candidates=12"))
    drive(opened, search, make_evaluator(opened.config.task(opened.reference)))
    return opened


def entries_of(run: Run, *names: str, best: int = 0) -> list[Entry]:
    programs = ("transformer", *names)
    named = [entry_of(name, load_seed(name), run.config) for name in programs]
    return distinct([*named, *best_entries(run, best)])


def noisy(**offsets: float) -> Script:
    """A loss that depends on the order of the data far more than on the program."""

    def script(candidate: Candidate) -> Outcome:
        assert candidate.data_seed is not None
        rng = random.Random(candidate.data_seed)
        common, own = rng.gauss(2.0, 0.2), random.Random(candidate.id).gauss(0.0, 0.001)
        squared = "SQUARE" in candidate.text
        return outcome(common + own + (offsets.get("squared_relu", 0.0) if squared else 0.0))

    return script


def train(run: Run, entries: list[Entry], seeds: int, script: Script) -> list[Candidate]:
    """Confirm with a scripted evaluator; returns what was submitted to it."""
    evaluator = Scripted(script, capacity=3)
    jobs = missing_jobs(run, entries, seeds)
    assert confirm(run, jobs, evaluator, lambda job, outcome: None)
    assert evaluator.closed
    return evaluator.submitted


def test_pairing_takes_out_what_the_seeds_do_to_all(run: Run) -> None:
    entries = entries_of(run, "squared_relu")
    train(run, entries, 5, noisy(squared_relu=-0.03))
    (better, seed) = confirmed_rows(run)
    assert (better.name, seed.name) == ("squared_relu", "transformer")
    figures = better.figures
    assert figures.deviation is not None
    assert figures.deviation > 0.05
    assert figures.interval is not None
    low, high = figures.interval
    assert low < -0.03 < high
    assert high - low < 0.01
    assert figures.loss_vs_seed == pytest.approx((low + high) / 2)
    assert (figures.pairs, seed.figures.interval, seed.figures.loss_vs_seed) == (5, None, 0.0)


def test_seeds_are_fresh_and_the_same_for_every_program(run: Run) -> None:
    entries = entries_of(run, "squared_relu", best=2)
    submitted = train(run, entries, 3, noisy())
    assert len(submitted) == 3 * len(entries) == 12
    by_program: dict[str, list[tuple[int, int | None]]] = {}
    for candidate in submitted:
        by_program.setdefault(candidate.text, []).append((candidate.seed, candidate.data_seed))
    (pairs,) = {tuple(sorted(seeds)) for seeds in by_program.values()}
    assert len(set(pairs)) == len({weights for weights, _ in pairs}) == 3
    used = {individual.seed for individual in run.store.individuals()} | {run.config.seed}
    assert not used & {number for pair in pairs for number in pair}
    recorded = {(one.weight_seed, one.data_seed) for one in run.store.confirmations()}
    assert recorded == set(pairs)


def test_other_runs_have_other_seeds() -> None:
    drawn = {one for seed in range(9) for n in range(9) for one in fresh_seeds(seed, n)}
    assert len(drawn) == 2 * 9 * 9
    assert max(drawn) < 2**31


def test_confirmed_candidates_meet_no_threshold(run: Run) -> None:
    assert any(individual.thresholds for individual in run.store.individuals())
    assert {one.thresholds for one in train(run, entries_of(run, best=3), 1, noisy())} == {()}


def test_what_is_confirmed_is_not_trained_again(run: Run) -> None:
    entries = entries_of(run, "squared_relu")
    train(run, entries, 2, noisy())
    assert missing_jobs(run, entries, 2) == []
    more = missing_jobs(run, [*entries, *entries_of(run, "mdha")[1:]], 3)
    assert [(job.entry.name, job.seed) for job in more] == [
        *(("mdha", 0), ("mdha", 1)),
        *(("transformer", 2), ("squared_relu", 2), ("mdha", 2)),
    ]


def test_a_stop_keeps_what_is_done(run: Run) -> None:
    entries, told = entries_of(run, "squared_relu", "mdha"), 0

    def script(candidate: Candidate) -> Outcome:
        nonlocal told
        told += 1
        if told == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return noisy()(candidate)

    jobs = missing_jobs(run, entries, 3)
    assert not confirm(run, jobs, Scripted(script, capacity=2), lambda job, outcome: None)
    done = len(list(run.store.confirmations()))
    assert 3 <= done <= 4
    assert len(train(run, entries, 3, noisy())) == 9 - done
    assert {len(one.outcomes) for one in read_confirmed(run).values()} == {3}


def test_each_program_is_trained_once_under_all_its_names(run: Run) -> None:
    same = entry_of("mine.dna", load_seed("squared_relu"), run.config)
    individual = replace(same, name="#7", individual=7)
    entries = distinct([*entries_of(run, "squared_relu"), same, individual, same])
    assert [entry.name for entry in entries] == [
        "transformer",
        "squared_relu = mine.dna = #7",
    ]
    assert entries[1].individual == 7


def test_missing_weights_of_an_individual_are_kept_once(run: Run) -> None:
    (best,) = best_entries(run, 1)
    submitted = train(run, entries_of(run, best=1), 2, noisy())
    asked = [one.weights for one in submitted if one.weights is not None]
    assert asked == [str(run.folder.resolve() / "weights" / f"{best.individual}.npz")]


def test_the_search_takes_no_notice(run: Run) -> None:
    before, events = history(run), run.store.events()
    train(run, entries_of(run, best=3), 2, noisy())
    run.close()
    reopen_run(run.folder, ["workers.count=2"], lasting=False).close()
    again = open_run(run.folder)
    assert (history(again), again.store.events()) == (before, events)
    assert again.config.workers.count == 1
    assert verify(again) == 12


# -- failures -----------------------------------------------------------------------------


def failing(name: str, seeds: set[int], status: Status, run: Run) -> Script:
    """The noisy losses, but one program fails with some of its seeds."""
    text = entries_of(run, name)[-1].text
    bad = {fresh_seeds(run.config.seed, seed)[1] for seed in seeds}

    def script(candidate: Candidate) -> Outcome:
        if candidate.text == text and candidate.data_seed in bad:
            return Outcome(status, message="something happened")
        return noisy(squared_relu=-0.5)(candidate)

    return script


def test_a_diverged_seed_is_shown_and_never_dropped(run: Run, capsys: Capture) -> None:
    entries = entries_of(run, "squared_relu", "mdha")
    train(run, entries, 5, failing("squared_relu", {1, 3}, Status.DIVERGED, run))
    rows = confirmed_rows(run)
    last = rows[-1]  # even though its other seeds are by far the best
    figures = last.figures
    assert last.name == "squared_relu"
    assert (figures.loss, figures.interval, figures.loss_vs_seed) == (None, None, None)
    assert (figures.seeds, figures.failures) == (5, {"diverged": 2})
    assert loss_text(figures) == "diverged in 2 of 5"
    assert [one["status"] for one in last.as_json()["runs"]].count("diverged") == 2
    assert missing_jobs(run, entries, 5) == []
    table = printed(capsys, "top", run.folder, "--confirmed")
    assert "diverged in 2 of 5" in table
    assert "squared_relu, seed 3: diverged: something happened" in table


def test_a_reference_that_failed_leaves_the_other_pairs(run: Run) -> None:
    entries = entries_of(run, "mdha")
    train(run, entries, 4, failing("transformer", {0}, Status.DIVERGED, run))
    mdha, reference = confirmed_rows(run)
    assert (mdha.name, mdha.figures.seeds, mdha.figures.pairs) == ("mdha", 4, 3)
    assert mdha.figures.loss_vs_seed == pytest.approx(0, abs=0.01)
    assert (reference.figures.loss, reference.figures.loss_vs_seed) == (None, None)


@pytest.mark.parametrize("status", [Status.CRASHED, Status.TIMED_OUT, Status.OUT_OF_MEMORY])
def test_what_may_be_the_machines_fault_is_tried_again(run: Run, status: Status) -> None:
    entries = entries_of(run, "mdha")
    train(run, entries, 2, failing("mdha", {1}, status, run))
    assert [(job.entry.name, job.seed) for job in missing_jobs(run, entries, 2)] == [
        ("mdha", 1)
    ]
    assert confirmed_rows(run)[-1].figures.failures == {status.value: 1}
    train(run, entries, 2, noisy())
    assert all(row.figures.failures == {} for row in confirmed_rows(run))
    assert len(list(run.store.confirmations())) == 5  # nothing is overwritten


# -- reading ------------------------------------------------------------------------------


def test_the_ranking_follows_confirmed_figures_once_there_are_some(run: Run) -> None:
    before = ranking(run).rows
    assert not any("confirmed" in row for row in ranking(run).as_json())
    best = best_entries(run, 3)
    ids = [entry.individual for entry in best]
    losses = dict(zip([entry.text for entry in best], (1.9, 1.5, 1.7), strict=True))
    train(run, entries_of(run, best=3), 2, lambda one: outcome(losses.get(one.text, 2.0)))
    after = ranking(run).rows
    assert [row.id for row in after[:4]] == [ids[1], ids[2], ids[0], 0]
    figures = [row["confirmed"] for row in ranking(run).as_json()]
    assert [one["loss"] for one in figures[:4]] == [1.5, 1.7, 1.9, 2.0]
    assert all(one is None for one in figures[4:])
    assert len(after) == len(before)
    assert [row.id for row in ranking(run, 2).rows] == [ids[1], ids[2]]
    assert {row.id: row.loss for row in after} == {row.id: row.loss for row in before}


def test_rows_tell_what_the_search_thought(run: Run) -> None:
    train(run, entries_of(run, "mdha", best=1), 1, noisy())
    (best,) = best_entries(run, 1)
    rows = {row.name: row.as_json() for row in confirmed_rows(run)}
    searched = run.store.outcome(best.individual or 0)
    assert searched is not None
    assert rows[best.name]["search_loss"] == searched.loss
    assert rows[best.name]["id"] == best.individual
    assert (rows["mdha"]["search_loss"], rows["mdha"]["id"]) == (None, None)
    assert rows["transformer"]["search_loss_vs_seed"] == 0.0
    assert reference_of(run, read_confirmed(run)) is not None
