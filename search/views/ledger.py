"""Where a run's budget went: the yield of each mutation, and what was lost to failures.

Read from the store in one pass, also while the run goes on. Rows are plain data, ready for
JSON. Budget is wall time of evaluation, or training steps where nobody measured time (the toy
evaluator).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual
from primeval.search.run.folder import Run
from primeval.search.views.ranking import loss_gap
from primeval.search.views.savings import savings

LOST = (
    *(Status.DIVERGED, Status.REJECTED, Status.TIMED_OUT),
    *(Status.OUT_OF_MEMORY, Status.CRASHED, Status.LOST),
)
SEED_KIND, INJECTED_KIND = "seed", "injected"
THROWN_AWAY = ("inapplicable", "rejected", "same_graph", "known")


@dataclass
class _Yield:
    """What became of the draws of one mutation."""

    attempts: Counter[str] = field(default_factory=Counter)
    children: int = 0
    duplicates: int = 0
    repeats: int = 0
    evaluated: int = 0
    better: int = 0
    lost: int = 0
    spent: float = 0.0


def ledger(run: Run) -> dict[str, Any]:
    """`mutations`: a row per kind. `failures`: a row per way to fail and kind of mutation.
    `saved`: what was not paid for (`savings.py`).

    A mutation's row counts draws (`tried`), those that changed something legal (`valid`),
    that became individuals which are programs of their own (`new`), and individuals whose loss
    was below their parent's at the last mark both reached (`better`); `budget` is its share.
    `duplicates` turned out to be known when they were probed; `repeats` are evaluations of
    known programs that were wanted.
    """
    book = _Book(dict(run.store.outcomes()))
    for individual in run.store.individuals():
        book.enter(individual, len(run.store.seeds))
    total = math.fsum(row.spent for row in book.yields.values()) or 1.0
    return {
        "unit": book.unit,
        "spent": total if book.yields else 0.0,
        "mutations": [
            _yield_row(kind, row, total) for kind, row in sorted(book.yields.items())
        ],
        "failures": [
            row | {"budget": row.pop("spent") / total}
            for _, row in sorted(book.failures.items(), key=lambda item: -item[1]["count"])
        ],
        "saved": savings(run),
    }


class _Book:
    """Individuals and their outcomes, entered one by one."""

    def __init__(self, outcomes: dict[int, Outcome]) -> None:
        self._outcomes = outcomes
        self.unit = "seconds" if any(one.seconds for one in outcomes.values()) else "steps"
        self.yields: dict[str, _Yield] = {}
        self.failures: dict[tuple[str, str], dict[str, Any]] = {}

    def enter(self, individual: Individual, seeds: int) -> None:
        kind = SEED_KIND if individual.id < seeds else INJECTED_KIND
        kind = individual.edit.kind if individual.edit else kind
        for attempt, count in individual.attempts.items():
            other, _, reason = attempt.rpartition(" ")
            self._row(other or kind).attempts[reason] += count
        row = self._row(kind)
        row.children += 1
        outcome = self._outcomes.get(individual.id)
        if outcome is None:
            return
        spent = self._spent(outcome)
        row.spent += spent
        row.duplicates += outcome.status is Status.KNOWN
        if outcome.status is Status.KNOWN:
            return
        row.evaluated += 1
        row.repeats += outcome.same_as is not None
        if individual.parent is not None and outcome.same_as is None:
            gap = loss_gap(outcome, self._outcomes.get(individual.parent))
            row.better += gap is not None and gap < 0
        if outcome.status in LOST:
            row.lost += 1
            self._note_failure(kind, individual.id, outcome, spent)

    def _row(self, kind: str) -> _Yield:
        return self.yields.setdefault(kind, _Yield())

    def _spent(self, outcome: Outcome) -> float:
        if self.unit == "steps":
            return float(outcome.steps)
        return math.fsum(outcome.seconds.values())

    def _note_failure(self, kind: str, number: int, outcome: Outcome, spent: float) -> None:
        status = outcome.status.value
        row = self.failures.setdefault(
            (status, kind),
            {
                "status": status,
                "kind": kind,
                "count": 0,
                "spent": 0.0,
                "message": outcome.message,  # the first
                "messages": {},  # all of them, and whose they are
            },
        )
        row["count"] += 1
        row["spent"] += spent
        row["messages"].setdefault(outcome.message, []).append(number)


def _yield_row(kind: str, row: _Yield, total: float) -> dict[str, Any]:
    tried = row.children + row.attempts.total()
    return {
        "kind": kind,
        "tried": tried,
        **{reason: row.attempts[reason] for reason in THROWN_AWAY},
        "valid": tried - row.attempts["inapplicable"] - row.attempts["rejected"],
        "new": row.children - row.duplicates - row.repeats,
        "duplicates": row.duplicates,
        "repeats": row.repeats,
        "evaluated": row.evaluated,
        "better": row.better,
        "lost": row.lost,
        "budget": row.spent / total,
    }
