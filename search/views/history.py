"""A run's history in one pass: what a report counts and plots.

Compute is worker time, or training steps where no time was measured (the toy evaluator), as
in `primeval top --ledger`. It is summed in the order in which outcomes came in.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from primeval.evaluators.outcome import Status
from primeval.search.run.folder import Run
from primeval.search.views.comparing import SEED_ID, Verdict, finite, judge
from primeval.search.views.ranking import describe_edit
from primeval.search.views.rungs import read_rungs

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
        compute: Spent by the run when its outcome came in, its own part included.
        spent: Its own part.
        loss: Its loss; None if it has none.
        band: How many hurdles it passed; None without a loss.
        status: How it ended.
        edit: How it differs from its parent.
        rung: The rung that it was trained on.
    """

    id: int
    compute: float
    spent: float
    loss: float | None
    band: int | None
    status: str
    edit: str
    rung: int = 1


@dataclass(frozen=True)
class Band:
    """The candidates that ended at the same place.

    Attributes:
        name: Where they ended.
        color: How far along the scale of colours the band is; None for those without a loss.
        count: How many they are.
        share: Their share of all candidates.
        compute: Their share of the compute.
        best: The lowest of their losses.
        median: Of their losses.
    """

    name: str
    color: float | None
    count: int
    share: float
    compute: float
    best: float | None
    median: float | None


class TimeShare(NamedTuple):
    """A cause of worker time: its key, its name for people, its seconds and its share."""

    cause: str
    name: str
    seconds: float
    share: float


@dataclass
class History:
    """All candidates with an outcome, in the order in which the outcomes came in.

    Attributes:
        unit: Of compute: `seconds` or `steps`.
        hurdles: How many hurdles there are on the first rung.
        told: Candidates of the first rung: a new program each.
        trials: Programs that were trained again, on a higher rung or to measure the noise.
            Their losses are never shown beside the others.
        causes: Seconds of worker time by cause.
        spent: All compute so far.
        seed_loss: The loss of the first seed; a mean if it was trained several times.
        floor: How large a gain must be to mean something; None if that is not known.
    """

    unit: str
    hurdles: int
    told: list[Told] = field(default_factory=list)
    trials: list[Told] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    spent: float = 0.0
    seed_loss: float | None = None
    floor: float | None = None

    def verdict(self, one: Told) -> Verdict:
        """What the difference of a candidate's loss to the seed's means."""
        if one.id == SEED_ID or one.loss is None or self.seed_loss is None:
            return Verdict.UNKNOWN
        return judge(one.loss - self.seed_loss, self.floor, one.band == self.hurdles)

    def records(self) -> list[Told]:
        """The candidates whose loss was lower than all before them."""
        best, found = math.inf, []
        for one in self.told:
            if one.loss is not None and one.loss < best:
                best = one.loss
                found.append(one)
        return found

    def bands(self) -> list[Band]:
        """From the whole budget down to the first hurdle; then those without a loss."""
        rows = []
        for band in range(self.hurdles, -1, -1):
            name = "whole budget" if band == self.hurdles else f"stopped at hurdle {band + 1}"
            members = [one for one in self.told if one.band == band]
            rows.append(self._band(name, self.color(band), members))
        known = [one for one in self.told if one.status == KNOWN]
        for name, others in (("failed", self.failed()), ("known, not trained", known)):
            if others:
                rows.append(self._band(name, None, others))
        for rung in sorted({one.rung for one in self.trials}):
            name = f"trained on rung {rung}" if rung > 1 else "the seed again, for the noise"
            trials = [one for one in self.trials if one.rung == rung]
            rows.append(replace(self._band(name, None, trials), best=None, median=None))
        return rows

    def color(self, band: int) -> float:
        """How far along the scale of colours a band is: 1 for the whole budget."""
        return band / self.hurdles if self.hurdles else 1.0

    def failed(self) -> list[Told]:
        """The candidates that failed."""
        return [one for one in self.told if one.loss is None and one.status != KNOWN]

    def _band(self, name: str, color: float | None, members: list[Told]) -> Band:
        losses = [one.loss for one in members if one.loss is not None]
        best, median = (min(losses), statistics.median(losses)) if losses else (None, None)
        count = len(self.told) + len(self.trials)
        share = len(members) / count if count else 0.0
        spent = math.fsum(one.spent for one in members)
        compute = spent / self.spent if self.spent else 0.0
        return Band(name, color, len(members), share, compute, best, median)

    def time_shares(self) -> list[TimeShare]:
        """The causes of worker time, the largest first."""
        total = math.fsum(self.causes.values())
        return [
            TimeShare(cause, CAUSES.get(cause, cause), seconds, seconds / total)
            for cause, seconds in self.causes.most_common()
            if seconds > 0
        ]


def read_history(run: Run) -> History:
    """The history of a run, also while it is driven."""
    outcomes = list(run.store.outcomes())
    timed = any(outcome.seconds for _, outcome in outcomes)
    history = History("seconds" if timed else "steps", run.config.candidate.budget.hurdles)
    rungs, individuals = read_rungs(run), {one.id: one for one in run.store.individuals()}
    seed, history.floor = rungs.seed(), rungs.floor()
    history.seed_loss = None if seed is None else finite(seed.loss)
    for number, outcome in outcomes:
        spent = math.fsum(outcome.seconds.values()) if timed else float(outcome.steps)
        history.spent += spent
        history.causes.update(outcome.seconds)
        loss, passed = finite(outcome.loss), max(0, len(outcome.curve) - 1)
        band = None if loss is None else min(history.hurdles, passed)
        individual = individuals[number]
        edit, rung = describe_edit(run, individual), individual.rung
        told = (number, history.spent, spent, loss, band, outcome.status.value, edit, rung)
        new = individual.of is None
        (history.told if new else history.trials).append(Told(*told))
    return history
