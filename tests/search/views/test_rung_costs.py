"""The ledger tells what each rung took, and what the measuring of noise took apart from it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from helpers.toys import LADDER, Scripted, begin, toy_script

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome
from primeval.scripts.cli import main
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.run.folder import Run
from primeval.search.views.ledger import ledger

CAUSES = ("build", "compile", "calibrate", "train", "evaluate", "probe")


@pytest.fixture
def run(toy_config: Callable[..., RunConfig]) -> Run:
    """A run with three rungs and four trainings of the seed on each."""
    sets = ["workers.evaluator=local", "budget.max_candidates=90", LADDER]
    config = toy_config(*sets)
    made, search = begin(config)
    script = toy_script(config)

    def timed(candidate: Candidate) -> Outcome:
        # eighths are added without rounding
        seconds = {cause: (candidate.id + at) / 8 for at, cause in enumerate(CAUSES)}
        return replace(script(candidate), seconds=seconds)

    drive(made, search, Scripted(timed, capacity=3))
    assert ledger(made).spent == search.spent
    return made


def test_rungs_and_causes_add_up_to_all_that_was_spent(run: Run) -> None:
    account = ledger(run)
    spent = math.fsum(sum(one.seconds.values()) for _, one in run.store.outcomes())
    assert account.spent == spent
    assert sum(row.spent for row in account.rungs) == spent
    assert sum(row.spent for row in account.mutations) == spent
    by_cause = sum((row.causes for row in account.rungs), Counter[str]())
    for at, cause in enumerate(CAUSES):
        assert by_cause[cause] == sum((number + at) / 8 for number in range(90))
    assert sum(row.individuals for row in account.rungs) == 90
    assert math.isclose(sum(row.budget for row in account.rungs), 1.0)


def test_the_seed_trained_again_is_noise_and_its_first_training_is_not(run: Run) -> None:
    rows = {(row.rung, row.noise): row for row in ledger(run).rungs}
    assert [key for key in rows if key[1]] == [(1, True), (2, True), (3, True)]
    for rung in (1, 2, 3):
        assert rows[rung, True].individuals == 3
        mine = [one for one in run.store.individuals() if one.rung == rung and one.of == 0]
        later = mine if rung == 1 else mine[1:]
        took = [sum(run.store.outcome(one.id).seconds.values()) for one in later]  # type: ignore[union-attr]
        assert rows[rung, True].spent == sum(took)
    kinds = {row.kind: row for row in ledger(run).mutations}
    assert (kinds["noise"].children, kinds["noise"].new) == (9, 0)
    promoted = rows[2, False].individuals + rows[3, False].individuals
    assert (kinds["promotion"].children, kinds["promotion"].new) == (promoted, 0)


def test_the_ledger_prints_a_line_for_each_rung(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", str(run.folder), "--ledger"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("rung "))
    names = [line.partition("  ")[0].rstrip() for line in lines[first + 1 : first + 7]]
    assert [name[:7].strip() for name in names] == [
        *("1", "1 noise", "2", "2 noise", "3", "3 noise"),
    ]
    assert main(["top", str(run.folder), "--ledger", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["rungs"] == [row.as_json() for row in ledger(run).rungs]
