"""What a run shows of its rungs follows from its store, and noise is never called a gain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.ladders import by_rung, ladder_config, ladder_run
from helpers.toys import Scripted, begin, by_length, outcome

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.evolution import Search
from primeval.search.config.settings import RunConfig
from primeval.search.drive.ladder import read_ladder
from primeval.search.drive.loop import drive
from primeval.search.run.folder import Run
from primeval.search.views.comparing import Verdict, judge, loss_gap, mean_outcome
from primeval.search.views.history import read_history
from primeval.search.views.lineage import lineage
from primeval.search.views.ranking import individual_row, ranking
from primeval.search.views.rungs import read_rungs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    made = ladder_run(tmp_path_factory.mktemp("rungs") / "run")
    yield made
    made.close()


def driven(folder: Path, *sets: str, digests: bool = False) -> tuple[Run, Search]:
    """A run in which every ninth candidate is lost, and its search as it ended."""
    run, search = begin(ladder_config(folder, "failure.max_consecutive=9", *sets))
    script = by_rung(run)

    def losing(candidate: Candidate) -> Outcome:
        return Outcome(Status.LOST) if candidate.id % 9 == 8 else script(candidate)

    drive(run, search, Scripted(losing, capacity=3, digests=by_length if digests else None))
    return run, search


@pytest.mark.parametrize("digests", [False, True])
def test_the_ladder_of_a_store_is_the_one_of_its_search(tmp_path: Path, digests: bool) -> None:
    sets = ("search.reevaluations=1", "budget.max_candidates=70")
    run, search = driven(tmp_path / "run", *sets, digests=digests)
    rebuilt, own = read_ladder(run), search.ladder
    assert rebuilt.digest == own.digest
    for rung in run.config.rung_numbers:
        assert rebuilt.noise(rung) == own.noise(rung)
        assert rebuilt.compared(rung) == own.compared(rung)
    programs = run.store.ranked()
    assert len(programs) > 10
    assert [rebuilt.standing(one) for one in programs] == [
        own.standing(one) for one in programs
    ]
    run.close()


def test_the_ranking_goes_by_standing_and_has_each_program_once(run: Run) -> None:
    rows, ladder = ranking(run).rows, read_ladder(run)
    numbers = [row.id for row in rows]
    assert sorted(numbers) == sorted(set(numbers)) == sorted(run.store.ranked())
    standings = [ladder.standing(number) for number in numbers]
    assert standings == sorted(standings, reverse=True)
    assert ranking(run, 3).rows == rows[:3]
    assert max(row.proved or 0 for row in rows) == 3


def test_a_row_tells_what_its_trials_reached_against_the_seed_of_each_rung(run: Run) -> None:
    ladder, told = read_ladder(run), 0
    for row in ranking(run).rows:
        assert row.rungs[0].id == row.id
        for one in row.rungs[1:]:
            trial = run.store.individual(one.id)
            assert trial is not None
            assert (trial.of, trial.rung) == (row.id, one.rung)
        for one in row.rungs:
            assert one.figures.seed_loss == pytest.approx(ladder.noise(one.rung).mean)
            if one.status == "completed":
                assert one.gain == pytest.approx(ladder.gain(row.id, one.rung), abs=1e-9)
                told += 1
    assert told > 40


def test_a_gain_is_claimed_only_beyond_the_floor_of_its_rung(run: Run) -> None:
    seen = set()
    for row in ranking(run).rows:
        for one in row.rungs:
            floor = one.figures.floor
            assert floor is not None
            seen.add(one.verdict)
            claimed = one.as_json()["beyond_noise"]
            if one.verdict is Verdict.GAIN:
                assert one.status == "completed"
                assert one.gain is not None
                assert one.gain > floor
                assert claimed is True
            elif one.status == "completed" and row.id:
                assert one.gain is not None
                assert one.gain <= floor
                assert claimed is False
            elif row.id == 0:
                assert claimed is None
    assert seen == set(Verdict)


def test_the_floor_grows_with_the_programs_compared(run: Run) -> None:
    for figures in read_rungs(run).figures:
        noise = read_ladder(run).noise(figures.rung)
        assert figures.trainings == 4
        assert figures.floor == pytest.approx(noise.floor(figures.compared))
        assert (figures.floor or 0) > (noise.floor(1) or 0)
        assert (figures.pair_floor or 0) > (figures.floor or 0)


def test_without_replicates_no_gain_is_claimed(tmp_path: Path) -> None:
    sets = ("candidate.replicates=1", "budget.max_candidates=40")
    run = ladder_run(tmp_path / "run", *sets)
    found = ranking(run)
    assert not found.noise_known
    assert found.found is None
    verdicts = {one.verdict for row in found.rows for one in row.rungs}
    assert verdicts == {Verdict.UNKNOWN}
    run.close()


def test_losses_are_compared_with_the_mean_of_the_seed(
    tmp_path: Path, toy_config: Callable[..., RunConfig]
) -> None:
    losses = iter([2.0, 2.1, 2.2, 2.3])
    config = toy_config("workers.evaluator=local", "budget.max_candidates=8", "rungs=[]")
    run, search = begin(replace(config, run_dir=str(tmp_path / "run")))
    drive(run, search, Scripted(lambda candidate: outcome(next(losses, 2.0))))
    seed, *rows = sorted(ranking(run).rows, key=lambda row: row.id)
    assert (seed.loss_vs_seed, seed.loss, seed.evaluations) == (0, pytest.approx(2.15), 4)
    assert [row.loss_vs_seed for row in rows] == pytest.approx([-0.15] * len(rows))
    assert len(rows) == 4
    run.close()


def test_trials_are_no_new_programs_in_the_history(run: Run) -> None:
    history, trials = read_history(run), set()
    for one in run.store.individuals():
        trials |= {one.id} if one.of is not None else set()
    assert {one.id for one in history.trials} == trials
    assert not trials & {one.id for one in history.told}
    assert not trials & {one.id for one in history.records()}
    bands = history.bands()
    assert sum(band.count for band in bands) == run.store.told()
    assert sum(band.compute for band in bands) == pytest.approx(1)
    above = [band for band in bands if band.name.startswith("trained on rung")]
    assert len(above) == 2
    assert all(band.best is None for band in above)
    assert history.seed_loss == pytest.approx(read_ladder(run).noise(1).mean)


def test_a_trial_is_shown_as_the_program_that_it_trains(run: Run) -> None:
    trial = next(one for one in run.store.individuals() if one.rung == 2 and one.of)
    row, first = individual_row(run, trial), run.store.individual(trial.of or 0)
    assert first is not None
    assert row.edit == f"#{trial.of} on rung 2: {individual_row(run, first).edit}"
    assert (row.rung, row.trial_of, row.rungs) == (2, trial.of, ())
    reached = individual_row(run, first).on(2)
    assert reached is not None
    assert row.loss_vs_seed == pytest.approx(-(reached.gain or 0))


def test_in_a_lineage_small_gains_are_noise(run: Run) -> None:
    found = ranking(run).found
    assert found is not None
    rows = lineage(run, found.id)
    for row in rows[1:]:
        if row.gain is not None and row.floor is not None:
            small = abs(row.gain) <= row.floor
            assert (row.gain_verdict is Verdict.NOISE) == small
    assert any(row.gain is not None for row in rows)
    stopped = next(row for row in ranking(run).rows if row.status == "stopped")
    assert {row.floor for row in lineage(run, stopped.id)} == {None}


def test_a_difference_is_judged_beside_the_floor() -> None:
    assert judge(-0.2, 0.1) is Verdict.GAIN
    assert judge(-0.1, 0.1) is judge(0.1, 0.1) is Verdict.NOISE
    assert judge(0.2, 0.1) is Verdict.WORSE
    assert judge(-0.2, None) is judge(None, 0.1) is Verdict.UNKNOWN
    assert judge(-0.2, 0.1, ended=False) is Verdict.UNKNOWN


def test_several_outcomes_of_a_program_make_one_of_means() -> None:
    mean = mean_outcome([outcome(None), outcome(2.0, 3), outcome(3.0, 3)])
    assert mean is not None
    assert mean.loss == 2.5
    assert [point.loss for point in mean.curve] == [4.5, 3.5, 2.5]
    assert loss_gap(outcome(2.0, 3), mean) == -0.5
    assert mean_outcome([outcome(None)]) == outcome(None)
    assert mean_outcome([]) is None
