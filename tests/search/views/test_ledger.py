"""The ledger counts every draw, every individual and every failure exactly once."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from helpers.toys import Scripted, begin, outcome, toy_script

from primeval.dna.mutate import mutate
from primeval.dna.mutations import MUTATIONS
from primeval.dna.parsing import parse
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.scripts.cli import main
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.run.folder import Run
from primeval.search.views.ledger import ledger


@pytest.fixture
def run(toy_config: Callable[..., RunConfig]) -> Run:
    """Sixty individuals, of which every fifth fails, with several causes."""
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
    rows = ledger(run).mutations
    attempts = sum(sum(one.attempts.values()) for one in run.store.individuals())
    assert {row.kind for row in rows} <= {*MUTATIONS, "seed"}
    assert sum(row.new for row in rows) == 60
    assert sum(row.tried for row in rows) == 60 + attempts
    assert math.isclose(sum(row.budget for row in rows), 1.0)
    for row in rows:
        assert row.tried >= row.valid >= row.new >= row.better + row.lost


def test_every_failure_is_in_the_ledger_with_its_message(run: Run) -> None:
    rows = ledger(run).failures
    assert sum(row.count for row in rows) == 12
    assert {row.status for row in rows} == {"crashed", "diverged"}
    for row in rows:
        assert (row.message, list(row.messages)) == ("not finite", ["not finite"])
        assert len(row.messages["not finite"]) == row.count
    lost = [number for row in rows for number in row.messages["not finite"]]
    assert sorted(lost) == list(range(4, 60, 5))


def test_top_prints_the_ledger(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", str(run.folder), "--ledger"]) == 0
    printed = capsys.readouterr().out
    assert "mutation" in printed
    assert "Lost to failures" in printed
    assert main(["top", str(run.folder), "--ledger", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ledger(run).as_json()


def test_a_failure_has_its_share_of_the_budget(toy_config: Callable[..., RunConfig]) -> None:
    made, search = begin(toy_config("budget.max_candidates=4"))

    def script(candidate: Candidate) -> Outcome:
        if candidate.id == 2:
            return Outcome(Status.TIMED_OUT, seconds={"lost": 60.0}, message="too long")
        return replace(outcome(2.0), seconds={"compile": 5.0, "train": 15.0})

    drive(made, search, Scripted(script))
    account = ledger(made)
    assert (account.unit, account.spent) == ("seconds", 120.0)
    (row,) = account.failures
    assert (row.status, row.budget) == ("timed_out", 0.5)


def test_draws_of_a_mutation_that_was_given_up_count_as_its_own() -> None:
    """Swapping is impossible where no subprogram has two lines."""
    program = parse("width 4\n\nS0 main(a, b):\n  c = SIN a\n")
    weights = {"swap": 1.0, "insert": 0.5}
    children = [mutate(program, random.Random(seed), weights) for seed in range(12)]
    given_up = Counter(reason for child in children for reason in child.attempts)
    assert given_up["swap inapplicable"] > 0
    for child in children:
        assert child.attempts.get("swap inapplicable", 0) % 200 == 0
        assert child.attempts.get("inapplicable", 0) == 0
