"""The forecast of a run follows by arithmetic from a few measured seconds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from helpers.toys import TOY

from primeval.dna.cost import measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.evaluators.budget import Budget
from primeval.search.config.config import parse_config
from primeval.search.forecast.forecast import Forecast, Measured, forecast, mean_share
from primeval.search.forecast.rehearsal import workers_here

MEASURED = Measured(
    startup=10.0,
    step=0.1,
    overhead=5.0,
    validation=0.5,
    workers=2,
    worker_memory=1_000,
    other_memory=500,
    tokens=70,
    weights=30,
)


def reckoned(measured: Measured = MEASURED, *sets: str) -> Forecast:
    sets = ("workers={evaluator: ray, count: 2, recycle_after: 10}", *sets)
    config = parse_config(TOY, ["candidate.budget.steps=310", *sets])
    cost = measure(build_graph(load_seed("transformer")), config.scale)
    return forecast(config, cost, measured)


def test_half_of_the_candidates_at_each_hurdle_leave_five_thirty_firsts_of_the_budget() -> None:
    assert [mean_share(hurdles) for hurdles in (0, 1, 2, 4)] == [1, 2 / 3, 3 / 7, 5 / 31]
    for hurdles in range(6):
        marks = (0.0, *Budget("steps", 1, hurdles).marks())
        bands = [after - before for before, after in pairwise(marks)]
        expected = sum(band * 0.5**passed for passed, band in enumerate(bands))
        assert mean_share(hurdles) == pytest.approx(expected)


def test_a_run_is_reckoned_from_a_step_a_validation_and_the_overhead() -> None:
    found = reckoned()
    overhead = 5 + 10 / 10  # a tenth of a worker's start belongs to each candidate
    assert found.training == pytest.approx(31.0)
    assert found.full == pytest.approx(overhead + 31 + 5 * 0.5)
    validations = 1 + 1 / 2 + 1 / 4 + 1 / 8 + 1 / 16
    assert found.mean == pytest.approx(overhead + 5 + validations * 0.5)
    assert found.per_hour == pytest.approx(2 * 3600 / found.mean)
    # four meet no threshold, and one more is in flight before there is one
    assert found.seconds == pytest.approx(10 + (5 * found.full + 25 * found.mean) / 2)
    assert (found.candidates, found.ends_by) == (30, "candidates")
    assert found.memory == 2_500
    assert (found.token_bytes, found.weight_bytes) == (70, 12 * 30)
    assert found.disk == 70 + 12 * 30 + found.store_bytes


def test_the_time_ends_a_run_with_as_many_candidates_as_fit() -> None:
    found = reckoned(MEASURED, "budget.max_time=120s")
    assert (found.seconds, found.ends_by) == (120, "time")
    first = 5 * found.full / 2
    assert found.candidates == 5 + int((120 - 10 - first) * 2 / found.mean)
    assert reckoned(MEASURED, "budget.max_time=1h").ends_by == "candidates"
    assert reckoned(MEASURED, "budget.max_time=5s").candidates == 0


def test_the_compute_ends_a_run_whatever_the_number_of_workers() -> None:
    found = reckoned(MEASURED, "budget.max_compute=300s")
    assert found.ends_by == "compute"
    assert found.candidates == 5 + int((300 - 5 * found.full) / found.mean)
    assert found.seconds == pytest.approx(10 + 300 / 2, abs=found.mean)


def test_without_hurdles_every_candidate_uses_its_budget() -> None:
    found = reckoned(MEASURED, "candidate.hurdles=0")
    assert found.mean == pytest.approx(found.full)


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
    assert found.training == pytest.approx(seconds)


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
