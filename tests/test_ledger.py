"""The ledger: every draw, every individual and every failure is accounted for, once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from toys import Scripted, begin, outcome, toy_script

from primeval.dna.mutate import MUTATIONS
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.scripts.cli import main
from primeval.search.ledger import ledger
from primeval.search.loop import drive
from primeval.search.runs import Run
from primeval.search.settings import RunConfig


@pytest.fixture
def run(toy_config: Callable[..., RunConfig]) -> Run:
    """Sixty individuals, of which every fifth fails, one way or another."""
    config = toy_config("budget.max_candidates=60")
    made, search = begin(config)
    script = toy_script(config)

    def failing(candidate: Candidate) -> Outcome:
        if candidate.id % 5 == 4:
            status = Status.CRASHED if candidate.id % 2 else Status.DIVERGED
            return outcome(None, status=status)
        return script(candidate)

    drive(made, search, Scripted(failing))
    return made


def test_every_draw_and_every_individual_is_counted_once(run: Run) -> None:
    rows = ledger(run)["mutations"]
    attempts = sum(sum(one.attempts.values()) for one in run.store.individuals())
    assert {row["kind"] for row in rows} <= {*MUTATIONS, "seed"}
    assert sum(row["new"] for row in rows) == 60
    assert sum(row["tried"] for row in rows) == 60 + attempts
    assert math.isclose(sum(row["budget"] for row in rows), 1.0)
    for row in rows:
        assert row["tried"] >= row["valid"] >= row["new"] >= row["better"] + row["lost"]


def test_every_failure_is_in_it_with_its_message(run: Run) -> None:
    rows = ledger(run)["failures"]
    assert sum(row["count"] for row in rows) == 12
    assert {row["status"] for row in rows} == {"crashed", "diverged"}
    assert {row["message"] for row in rows} == {"not finite"}


def test_top_prints_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", str(run.folder), "--ledger"]) == 0
    printed = capsys.readouterr().out
    assert "mutation" in printed
    assert "Lost to failures" in printed
    assert main(["top", str(run.folder), "--ledger", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ledger(run)
