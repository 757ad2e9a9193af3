"""The forecast of a run follows by arithmetic from a few measured seconds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from helpers.toys import TOY

from primeval.dna.cost import measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.evaluators.budget import Budget
from primeval.search.config.config import parse_config
from primeval.search.forecast.forecast import Forecast, Measured, Pace, forecast
from primeval.search.forecast.rehearsal import workers_here
from primeval.search.forecast.work import mean_share
from primeval.search.statistics.noise import floor_in_deviations

PACE = Pace(step=0.1, overhead=5.0, reference=0.0, validation=0.5, weights=30)
MEASURED = Measured(
    startup=10.0,
    workers=2,
    worker_memory=1_000,
    other_memory=500,
    tokens=70,
    rungs=(PACE,),
)
LADDER = (
    "budget.max_candidates=400",
    "candidate.replicates=4",
    "rungs=[{promote: 0.1, candidate: {budget: {steps: 620}, hurdles: 1}}, {promote: 0.5}]",
)
ON_LADDER = replace(MEASURED, rungs=(PACE, replace(PACE, reference=20.0), PACE))


def reckoned(measured: Measured = MEASURED, *sets: str) -> Forecast:
    sets = ("workers={evaluator: ray, count: 2, recycle_after: 10}", *sets)
    config = parse_config(
        TOY, ["candidate={budget: {steps: 310}, replicates: 1}", *sets], source="toy"
    )
    cost = measure(build_graph(load_seed("transformer")), config.scale)
    return forecast(config, [cost] * len(config.rung_numbers), measured)


def test_half_of_the_candidates_at_each_hurdle_leave_five_thirty_firsts_of_the_budget() -> None:
    assert [mean_share(hurdles) for hurdles in (0, 1, 2, 4)] == [1, 2 / 3, 3 / 7, 5 / 31]
    for hurdles in range(6):
        marks = (0.0, *Budget("steps", 1, hurdles).marks())
        bands = [after - before for before, after in pairwise(marks)]
        expected = sum(band * 0.5**passed for passed, band in enumerate(bands))
        assert mean_share(hurdles) == pytest.approx(expected)


def test_a_run_is_reckoned_from_a_step_a_validation_and_the_overhead() -> None:
    found = reckoned()
    (rung,) = found.rungs
    overhead = 5 + 10 / 10  # a tenth of a worker's start belongs to each candidate
    assert rung.training == pytest.approx(31.0)
    assert rung.full == pytest.approx(overhead + 31 + 5 * 0.5)
    validations = 1 + 1 / 2 + 1 / 4 + 1 / 8 + 1 / 16
    assert rung.mean == pytest.approx(overhead + 5 + validations * 0.5)
    assert found.per_hour == pytest.approx(2 * 3600 / (0.8 * rung.mean))
    # four meet no threshold, and one more is in flight before there is one
    # of the 29 children a fifth fail at once
    assert rung.seconds == pytest.approx(5 * rung.full + (24.2 - 5) * rung.mean)
    assert found.seconds == pytest.approx(10 + rung.seconds / 2)
    assert (found.candidates, found.ends_by) == (30, "candidates")
    assert found.memory == 2_500
    assert (found.token_bytes, found.weight_bytes) == (70, 12 * 30)
    assert found.disk == 70 + 12 * 30 + found.store_bytes


def test_the_time_ends_a_run_with_as_many_candidates_as_fit() -> None:
    found = reckoned(MEASURED, "budget.max_time=120s")
    assert (found.seconds, found.ends_by) == (120, "time")
    (rung,) = found.rungs
    trained = 5 + ((120 - 10) * 2 - 5 * rung.full) / rung.mean
    assert found.candidates == 1 + int((trained - 1) / 0.8)
    assert reckoned(MEASURED, "budget.max_time=1h").ends_by == "candidates"
    assert reckoned(MEASURED, "budget.max_time=5s").candidates == 0


def test_the_compute_ends_a_run_whatever_the_number_of_workers() -> None:
    found = reckoned(MEASURED, "budget.max_compute=300s")
    assert found.ends_by == "compute"
    (rung,) = found.rungs
    trained = 5 + (300 - 5 * rung.full) / rung.mean
    assert found.candidates == 1 + int((trained - 1) / 0.8)
    assert found.seconds == pytest.approx(10 + 300 / 2, abs=rung.mean)


def test_without_hurdles_every_candidate_uses_its_budget() -> None:
    found = reckoned(MEASURED, "candidate.hurdles=0")
    assert found.rungs[0].mean == pytest.approx(found.rungs[0].full)


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        ("steps: 400", 40.0),
        ("reference_steps: 400", 40.0),
        ("seconds: 17", 17.0),
        (f"tokens: {400 * 32 * 64}", 40.0),
    ],
)
def test_every_unit_of_the_budget_is_reckoned_in_seconds(budget: str, seconds: float) -> None:
    found = reckoned(MEASURED, f"candidate.budget={{{budget}}}")
    assert found.rungs[0].training == pytest.approx(seconds)


def test_replicates_are_full_trainings_and_count_as_candidates() -> None:
    plain, found = reckoned(), reckoned(MEASURED, "candidate.replicates=4")
    (before,), (rung,) = plain.rungs, found.rungs
    assert (rung.programs, rung.replicates, found.candidates) == (27, 3, 30)
    assert rung.noise == pytest.approx(3 * rung.full)
    assert rung.seconds == pytest.approx(before.seconds + 3 * (rung.full - 0.8 * rung.mean))
    assert rung.compared == 5 + int((21.8 - 5) / 16) - 1
    assert rung.floor == floor_in_deviations(4, rung.compared)
    assert before.floor is None


def test_a_rung_takes_its_share_of_what_was_trained_to_the_end() -> None:
    found = reckoned(ON_LADDER, *LADDER)
    first, second, third = found.rungs
    assert sum(one.programs + one.replicates for one in found.rungs) <= 400
    assert found.candidates == 400
    # of 4 + 1 and every sixteenth trained to the end on the first rung
    ended = int(5 + (1 + 0.8 * (first.programs - 1) - 5) / 16)
    assert second.programs == 1 + ended - 1 < 0.1 * first.programs
    assert third.programs == 1 + second.programs // 2
    assert [one.replicates for one in found.rungs] == [3, 3, 3]
    few = reckoned(ON_LADDER, *LADDER, "rungs.2.promote=0.01")
    assert few.rungs[1].programs == 1 + int(0.01 * few.rungs[0].programs)


def test_a_number_of_the_best_is_overtaken_now_and_then() -> None:
    found = reckoned(ON_LADDER, *LADDER, "candidate.hurdles=0", "rungs.2.promote=5")
    promoted, due = found.rungs[1].programs - 1, (found.rungs[0].programs - 1) // 2
    assert 5 < promoted < due / 3


def test_a_process_compiles_the_reference_of_a_rung_once() -> None:
    found = reckoned(ON_LADDER, *LADDER)
    free = reckoned(replace(ON_LADDER, rungs=(PACE,) * 3), *LADDER)
    extra = found.rungs[1].seconds - free.rungs[1].seconds
    # some of the 40 processes train more than one of these programs
    assert 0.7 < extra / 20 / found.rungs[1].programs < 1.0
    assert found.rungs[2].seconds == free.rungs[2].seconds


def test_without_a_promotion_a_rung_costs_nothing() -> None:
    none = reckoned(ON_LADDER, *LADDER, "rungs.2.promote=0.001")
    assert [one.seconds for one in none.rungs[1:]] == [0.0, 0.0]
    assert none.rungs[0].share == 1.0


def test_time_and_compute_are_shared_by_the_rungs() -> None:
    found = reckoned(ON_LADDER, *LADDER, "budget.max_compute=1500s")
    assert found.ends_by == "compute"
    assert sum(one.share for one in found.rungs) == pytest.approx(1.0)
    spent = sum(one.seconds for one in found.rungs)
    assert 1500 - 6 * found.rungs[1].full < spent <= 1500
    assert found.rungs[1].seconds > 0


def test_workers_without_cores_add_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    def here(workers: str) -> int:
        return workers_here(parse_config(TOY, [f"workers={{{workers}}}"]))

    assert here("evaluator: ray, count: 3") == 3
    assert here("evaluator: ray, count: 32") == 4
    assert here("evaluator: ray, count: 32, threads: 2") == 2
    assert here("evaluator: ray, count: 32, threads: 8") == 1
    assert here("evaluator: ray, count: 32, address: auto") == 32
    assert here("evaluator: local, count: 3") == 1
