"""Where a run's budget went: by mutation, by rung and cause, and what was lost to failures.

Read from the store in one pass, also while the run is driven. Budget is wall time of
evaluation, or training steps where no time was measured (the toy evaluator).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual
from primeval.search.run.folder import Run
from primeval.search.views.comparing import loss_gap
from primeval.search.views.rung_costs import Costs, RungCost
from primeval.search.views.savings import Savings, savings

LOST = (
    *(Status.DIVERGED, Status.REJECTED, Status.TIMED_OUT),
    *(Status.OUT_OF_MEMORY, Status.CRASHED, Status.LOST),
)
SEED_KIND, INJECTED_KIND = "seed", "injected"
PROMOTED_KIND, NOISE_KIND = "promotion", "noise"
THROWN_AWAY = ("inapplicable", "rejected", "same_graph", "known")
YIELDED = ("valid", "new", "duplicates", "repeats", "evaluated", "better", "lost", "budget")


@dataclass
class Yield:
    """What became of the draws of one mutation.

    Attributes:
        kind: The mutation; `seed` and `injected` for individuals without one. What the search
            trains again of its own accord is a `promotion` to a higher rung or a replicate,
            `noise`, whatever made the program.
        thrown_away: Draws that made no individual, by reason (`THROWN_AWAY`).
        children: Draws that became individuals.
        duplicates: Individuals that turned out to be known when they were probed.
        repeats: Re-evaluations of known programs, promotions and replicates, all wanted.
        evaluated: Individuals that were evaluated.
        better: Individuals whose loss was below their parent's at the last mark both reached.
        lost: Individuals that failed.
        spent: Seconds or steps, as the ledger's unit says.
        budget: Their share of the whole run's.
    """

    kind: str
    thrown_away: Counter[str] = field(default_factory=Counter)
    children: int = 0
    duplicates: int = 0
    repeats: int = 0
    evaluated: int = 0
    better: int = 0
    lost: int = 0
    spent: float = 0.0
    budget: float = 0.0

    @property
    def tried(self) -> int:
        """How often the mutation was drawn, whatever became of it."""
        return self.children + self.thrown_away.total()

    @property
    def valid(self) -> int:
        """Draws that changed something and were legal."""
        return self.tried - self.thrown_away["inapplicable"] - self.thrown_away["rejected"]

    @property
    def new(self) -> int:
        """Individuals that are programs of their own."""
        return self.children - self.duplicates - self.repeats

    @property
    def known(self) -> int:
        """Draws that were known programs, by their graph or by what they compute."""
        return self.thrown_away["known"] + self.duplicates

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON; `known` counts by graph only, `duplicates` the others."""
        return {
            "kind": self.kind,
            "tried": self.tried,
            **{reason: self.thrown_away[reason] for reason in THROWN_AWAY},
            **{name: getattr(self, name) for name in YIELDED},
        }


@dataclass
class Failure:
    """One way to fail of the individuals of one mutation.

    Attributes:
        status: How they failed.
        kind: The mutation.
        message: Why the first of them failed.
        count: How many they are.
        messages: The individuals by their message.
        spent: Seconds or steps, as the ledger's unit says.
        budget: Their share of the whole run's.
    """

    status: str
    kind: str
    message: str
    count: int = 0
    messages: dict[str, list[int]] = field(default_factory=dict)
    spent: float = 0.0
    budget: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        names = ("status", "kind", "count", "message", "messages", "budget")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Ledger:
    """Where the budget of a run went.

    Attributes:
        unit: Of the budget: `seconds` or `steps`.
        spent: How much of it.
        mutations: What each mutation yielded, by name.
        rungs: What each rung took, replicates apart.
        failures: What was lost, the most frequent failure first.
        saved: What was not paid for.
    """

    unit: str
    spent: float
    mutations: list[Yield]
    rungs: list[RungCost]
    failures: list[Failure]
    saved: Savings

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return vars(self) | {
            "mutations": [row.as_json() for row in self.mutations],
            "rungs": [row.as_json() for row in self.rungs],
            "failures": [row.as_json() for row in self.failures],
            "saved": asdict(self.saved),
        }


def ledger(run: Run) -> Ledger:
    """The ledger of a run."""
    outcomes = dict(run.store.outcomes())
    book = _Book(outcomes)
    for individual in run.store.individuals():
        book.enter(individual, len(run.store.seeds))
    total = math.fsum(one.spent for one in book.yields.values()) or 1.0
    costs = book.costs.rows
    rows: list[Yield | RungCost | Failure] = [*book.yields.values(), *costs]
    for row in [*rows, *book.failures.values()]:
        row.budget = row.spent / total
    return Ledger(
        book.unit,
        total if book.yields else 0.0,
        [one for _, one in sorted(book.yields.items())],
        costs,
        sorted(book.failures.values(), key=lambda one: -one.count),
        savings(run, outcomes.items()),
    )


class _Book:
    """Individuals and their outcomes, entered one by one."""

    def __init__(self, outcomes: dict[int, Outcome]) -> None:
        self._outcomes = outcomes
        self.unit = "seconds" if any(one.seconds for one in outcomes.values()) else "steps"
        self.yields: dict[str, Yield] = {}
        self.failures: dict[tuple[str, str], Failure] = {}
        self.costs = Costs()

    def enter(self, individual: Individual, seeds: int) -> None:
        kind, again = self._kind(individual, seeds), individual.of is not None
        for attempt, count in individual.attempts.items():
            other, _, reason = attempt.rpartition(" ")
            self._row(other or kind).thrown_away[reason] += count
        row = self._row(kind)
        row.children += 1
        row.repeats += again
        outcome = self._outcomes.get(individual.id)
        causes = self._causes(outcome)
        self.costs.enter(individual, causes)
        if outcome is None:
            return
        spent = math.fsum(causes.values())
        row.spent += spent
        if outcome.status is Status.KNOWN:
            row.duplicates += 1
            return
        row.evaluated += 1
        new = not again and outcome.same_as is None
        row.repeats += not again and not new
        if individual.parent is not None and new:
            gap = loss_gap(outcome, self._outcomes.get(individual.parent))
            row.better += gap is not None and gap < 0
        if outcome.status in LOST:
            row.lost += 1
            way, message = (outcome.status.value, kind), outcome.message
            failure = self.failures.setdefault(way, Failure(*way, message))
            failure.count += 1
            failure.spent += spent
            failure.messages.setdefault(message, []).append(individual.id)

    def _row(self, kind: str) -> Yield:
        return self.yields.setdefault(kind, Yield(kind))

    def _kind(self, individual: Individual, seeds: int) -> str:
        if individual.of is not None:
            return NOISE_KIND if self.costs.is_noise(individual) else PROMOTED_KIND
        if individual.edit is not None:
            return individual.edit.kind
        return SEED_KIND if individual.id < seeds else INJECTED_KIND

    def _causes(self, outcome: Outcome | None) -> dict[str, float]:
        """Seconds, or steps, by cause."""
        if outcome is None:
            return {}
        return outcome.seconds if self.unit == "seconds" else {"train": float(outcome.steps)}
