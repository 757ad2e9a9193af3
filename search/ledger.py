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
from primeval.search.ranking import loss_gap
from primeval.search.runs import Run

LOST = (
    *(Status.DIVERGED, Status.REJECTED, Status.TIMED_OUT),
    *(Status.OUT_OF_MEMORY, Status.CRASHED),
)
SEED_KIND = "seed"
THROWN_AWAY = ("inapplicable", "rejected", "same_graph", "known")


@dataclass
class _Yield:
    """What became of the draws of one mutation."""

    attempts: Counter[str] = field(default_factory=Counter)
    children: int = 0
    evaluated: int = 0
    better: int = 0
    lost: int = 0
    spent: float = 0.0


def ledger(run: Run) -> dict[str, Any]:
    """`mutations`: a row per kind. `failures`: a row per way to fail and kind of mutation.

    A mutation's row counts draws (`tried`), those that changed something legal (`valid`),
    that gave a new graph and became individuals (`new`), and individuals whose loss was below
    their parent's at the last mark both reached (`better`); `budget` is its share.
    """
    yields: dict[str, _Yield] = {}
    failures: dict[tuple[str, str], dict[str, Any]] = {}
    outcomes: dict[int, Outcome] = dict(run.store.outcomes())
    timed = any(outcome.seconds for outcome in outcomes.values())
    for individual in run.store.individuals():
        kind = individual.edit.kind if individual.edit else SEED_KIND
        row = yields.setdefault(kind, _Yield())
        row.attempts.update(individual.attempts)
        row.children += 1
        outcome = outcomes.get(individual.id)
        if outcome is None:
            continue
        spent = math.fsum(outcome.seconds.values()) if timed else float(outcome.steps)
        row.evaluated += 1
        row.spent += spent
        if individual.parent is not None:
            gap = loss_gap(outcome, outcomes.get(individual.parent))
            row.better += gap is not None and gap < 0
        if outcome.status in LOST:
            row.lost += 1
            _note_failure(failures, kind, outcome, spent)
    total = math.fsum(row.spent for row in yields.values()) or 1.0
    return {
        "unit": "seconds" if timed else "steps",
        "spent": total if yields else 0.0,
        "mutations": [_yield_row(kind, row, total) for kind, row in sorted(yields.items())],
        "failures": [
            row | {"budget": row.pop("spent") / total}
            for _, row in sorted(failures.items(), key=lambda item: -item[1]["count"])
        ],
    }


def _yield_row(kind: str, row: _Yield, total: float) -> dict[str, Any]:
    tried = row.children + row.attempts.total()
    return {
        "kind": kind,
        "tried": tried,
        **{reason: row.attempts[reason] for reason in THROWN_AWAY},
        "valid": tried - row.attempts["inapplicable"] - row.attempts["rejected"],
        "new": row.children,
        "evaluated": row.evaluated,
        "better": row.better,
        "lost": row.lost,
        "budget": row.spent / total,
    }


def _note_failure(
    failures: dict[tuple[str, str], dict[str, Any]], kind: str, outcome: Outcome, spent: float
) -> None:
    status = outcome.status.value
    row = failures.setdefault(
        (status, kind),
        {"status": status, "kind": kind, "count": 0, "spent": 0.0, "message": outcome.message},
    )
    row["count"] += 1
    row["spent"] += spent
