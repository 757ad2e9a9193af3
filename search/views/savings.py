"""How many evaluations were not paid for, as their programs were known.

There are two levels. `graph`: children whose canonical graph was known when they were drawn,
so that others were drawn; each would have cost what an evaluation of the run cost on average.
`probe`: individuals that a worker recognised by outputs and gradients; each would have cost
what the evaluation of its original did. Seconds are of workers' time; the toy evaluator
measures none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.run.folder import Run


@dataclass(frozen=True)
class Saved:
    """What one level saved."""

    evaluations: int
    seconds: float


@dataclass(frozen=True)
class Savings:
    """Evaluations and seconds saved by level, and the seconds that probing took."""

    graph: Saved
    probe: Saved
    probing_seconds: float

    @property
    def evaluations(self) -> int:
        """The sum over both levels."""
        return self.graph.evaluations + self.probe.evaluations

    @property
    def seconds(self) -> float:
        """The sum over both levels."""
        return self.graph.seconds + self.probe.seconds


def savings(run: Run, outcomes: Iterable[tuple[int, Outcome]] | None = None) -> Savings:
    """What a run saved. A caller that has read all outcomes can pass them."""
    originals, took = Counter[int | None](), dict[int, float]()
    probing = spent = saved = 0.0
    for number, outcome in run.store.outcomes() if outcomes is None else outcomes:
        probing += outcome.seconds.get("probe", 0.0)
        if outcome.status is Status.KNOWN:
            originals[outcome.same_as] += 1
        else:
            causes = (time for cause, time in outcome.seconds.items() if cause != "probe")
            took[number] = math.fsum(causes)
    for number, seconds in took.items():
        spent += seconds
        saved += originals[number] * seconds
    # the reason is the last word: "known", or "insert known" if another mutation was drawn then
    attempts = run.store.attempts().items()
    drawn = sum(count for reason, count in attempts if reason.split()[-1] == "known")
    mean = spent / len(took) if took else 0.0
    return Savings(Saved(drawn, drawn * mean), Saved(originals.total(), saved), probing)
