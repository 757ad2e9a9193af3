"""A run's history in one pass: what a report counts and plots.

Compute is worker time, or training steps where nobody measured time (the toy evaluator), as
in `primeval top --ledger`. It is summed in the order in which outcomes came in.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.run.folder import Run
from primeval.search.views.ranking import SEED_ID, describe_edit, finite

KNOWN = Status.KNOWN.value
CAUSES = {
    "probe": "comparing with known programs",
    "build": "building the model",
    "compile": "compiling",
    "calibrate": "comparing step times",
    "train": "training",
    "evaluate": "validation",
    "lost": "lost with the worker",
}


class Told(NamedTuple):
    """A candidate whose outcome is known.

    Attributes:
        id: Its number.
        compute: Spent by the run when its outcome came in, its own included.
        spent: Its own part.
        loss: Its loss; None for whoever has none.
        band: How many hurdles it passed; None without a loss.
        status: How it ended.
        edit: How it differs from its parent.
    """

    id: int
    compute: float
    spent: float
    loss: float | None
    band: int | None
    status: str
    edit: str


@dataclass
class History:
    """All of them, in the order they were told.

    Attributes:
        unit: Of compute: `seconds` or `steps`.
        hurdles: How many hurdles there are.
        told: Candidates.
        causes: Seconds of worker time by cause.
    """

    unit: str
    hurdles: int
    told: list[Told] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)

    @property
    def spent(self) -> float:
        return self.told[-1].compute if self.told else 0.0

    @property
    def seed_loss(self) -> float | None:
        """Of the first seed."""
        return next((one.loss for one in self.told if one.id == SEED_ID), None)

    def records(self) -> list[Told]:
        """Those that were better than all before them."""
        best, found = math.inf, []
        for one in self.told:
            if one.loss is not None and one.loss < best:
                best = one.loss
                found.append(one)
        return found

    def bands(self) -> list[dict[str, Any]]:
        """A row per band, the last to stop first: how many ended there, and what they cost."""
        rows = []
        for band in range(self.hurdles, -1, -1):
            losses = [
                one.loss for one in self.told if one.band == band and one.loss is not None
            ]
            spent = math.fsum(one.spent for one in self.told if one.band == band)
            rows.append(self._band_row(self.band_name(band), band, losses, len(losses), spent))
        for name, others in (("failed", self.failed()), ("known, not trained", self.known())):
            if others:
                spent = math.fsum(one.spent for one in others)
                rows.append(self._band_row(name, None, [], len(others), spent))
        return rows

    def failed(self) -> list[Told]:
        return [one for one in self.told if one.loss is None and one.status != KNOWN]

    def known(self) -> list[Told]:
        return [one for one in self.told if one.status == KNOWN]

    def _band_row(
        self, name: str, band: int | None, losses: list[float], count: int, spent: float
    ) -> dict[str, Any]:
        return {
            "name": name,
            "band": band,
            "count": count,
            "share": count / len(self.told) if self.told else 0.0,
            "compute": spent / self.spent if self.spent else 0.0,
            "best": min(losses, default=None),
            "median": statistics.median(losses) if losses else None,
        }

    def band_name(self, band: int) -> str:
        return "whole budget" if band == self.hurdles else f"stopped at hurdle {band + 1}"

    def time_shares(self) -> list[dict[str, Any]]:
        """A row per cause of worker time, the largest first."""
        total = math.fsum(self.causes.values())
        return [
            {
                "cause": cause,
                "name": CAUSES.get(cause, cause),
                "seconds": seconds,
                "share": seconds / total,
            }
            for cause, seconds in self.causes.most_common()
            if seconds > 0
        ]


def read_history(run: Run) -> History:
    """The history of a run, also while it goes on."""
    outcomes = list(run.store.outcomes())
    timed = any(outcome.seconds for _, outcome in outcomes)
    history = History("seconds" if timed else "steps", run.config.candidate.budget.hurdles)
    edits = {one.id: describe_edit(run, one) for one in run.store.individuals()}
    compute = 0.0
    for number, outcome in outcomes:
        spent = math.fsum(outcome.seconds.values()) if timed else float(outcome.steps)
        compute += spent
        history.causes.update(outcome.seconds)
        loss = finite(outcome.loss)
        history.told.append(
            Told(
                number,
                compute,
                spent,
                loss,
                None if loss is None else _band(outcome, history.hurdles),
                outcome.status.value,
                edits.get(number, ""),
            )
        )
    return history


def _band(outcome: Outcome, hurdles: int) -> int:
    """How many hurdles it passed, of those there are."""
    return min(hurdles, max(0, len(outcome.curve) - 1))
