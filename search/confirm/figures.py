"""What confirmation found: each program's figures over fresh seeds, read from a run's store.

Losses are of the test split. Programs trained with the same seed saw the same data in the same
order, so two of them are compared seed by seed. Failures are not left out: a program that
failed with one of its seeds has no mean, and the number of its failures is given instead.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.run.folder import Run
from primeval.search.statistics.intervals import Interval, interval


@dataclass(frozen=True)
class Figures:
    """A confirmed program in numbers; None where it has no such figure.

    Attributes:
        loss: Mean test loss over the seeds, in nats per token.
        bits_per_byte: The same per byte of text; None where there is no text.
        accuracy: Share of the tokens asked for that were predicted, mean over the seeds; None
            for text.
        deviation: Standard deviation of the loss over the seeds.
        loss_vs_seed: Mean of the differences to the run's first seed, paired by fresh seed.
        interval: Covers the true difference with a probability of 95 %.
        pairs: How many differences there are.
        seeds: With how many fresh seeds it was trained.
        failures: With how many of them it failed, by how it failed.
        steps: Training steps, mean over the seeds.
        step_ratio: Its step time over the first seed's, mean over the seeds.
        parameters: Trainable numbers of the whole model.
    """

    loss: float | None
    bits_per_byte: float | None
    accuracy: float | None
    deviation: float | None
    loss_vs_seed: float | None
    interval: tuple[float, float] | None
    pairs: int
    seeds: int
    failures: dict[str, int]
    steps: float | None
    step_ratio: float | None
    parameters: int | None

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval."""
        return (self.interval[1] - self.interval[0]) / 2 if self.interval else None


@dataclass(frozen=True)
class Confirmed:
    """The outcomes of a program with fresh seeds.

    Attributes:
        name: What it was called.
        fingerprint: Of its canonical graph, in hexadecimal.
        outcomes: By fresh seed, 0, 1, … .
    """

    name: str
    fingerprint: str
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @cached_property
    def losses(self) -> dict[int, float]:
        """Test loss, in nats per token, by seed, where the training reached its end."""
        return {
            seed: one.loss
            for seed, one in sorted(self.outcomes.items())
            if finished(one) and one.loss is not None
        }

    @property
    def failures(self) -> Counter[str]:
        """With how many seeds it failed, by how it failed."""
        ends = (one.status.value for one in self.outcomes.values() if not finished(one))
        return Counter(ends)

    @property
    def loss(self) -> float | None:
        """Mean over the seeds.

        CHOICE: None if it failed with one of them. The mean of the others would make a
        program look good for failing where it is bad.
        """
        return (
            None if self.failures or not self.losses else statistics.fmean(self.losses.values())
        )

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the loss over the seeds; None for fewer than two."""
        several = self.loss is not None and len(self.losses) > 1
        return statistics.stdev(self.losses.values()) if several else None

    def mean(self, name: str) -> float | None:
        """Mean over the seeds of another figure of the outcomes: `steps`, `bits_per_byte` …"""
        figures = [getattr(self.outcomes[seed], name) for seed in self.losses]
        known = [figure for figure in figures if figure is not None]
        return statistics.fmean(known) if known and self.loss is not None else None

    def gap(self, other: Confirmed | None) -> Interval | None:
        """Its loss minus another's, paired by seed; None if no seed has both losses."""
        if self.loss is None or other is None:
            return None
        shared = [seed for seed in self.losses if seed in other.losses]
        differences = [self.losses[seed] - other.losses[seed] for seed in shared]
        return interval(differences) if differences else None

    def figures(self, reference: Confirmed | None) -> Figures:
        """Itself in numbers, beside the run's first seed (`reference_of`)."""
        gap = self.gap(reference)
        other = gap is not None and reference is not self
        return Figures(
            loss=self.loss,
            bits_per_byte=self.mean("bits_per_byte"),
            accuracy=self.mean("accuracy"),
            deviation=self.deviation,
            loss_vs_seed=gap.mean if gap else None,
            interval=gap.bounds if gap and other else None,
            pairs=gap.count if gap and other else 0,
            seeds=len(self.outcomes),
            failures=dict(self.failures),
            steps=self.mean("steps"),
            step_ratio=self.mean("step_ratio"),
            parameters=next((one.parameters for one in self.outcomes.values()), None),
        )

    def within(self, seeds: int) -> Confirmed:
        """The same, with the first `seeds` seeds only."""
        few = {seed: one for seed, one in self.outcomes.items() if seed < seeds}
        return Confirmed(self.name, self.fingerprint, few)


def finished(outcome: Outcome) -> bool:
    """Whether a program used its whole budget and has a loss at its end."""
    return outcome.status is Status.COMPLETED and math.isfinite(outcome.fitness)


def confirmed_rung(run: Run) -> int:
    """The highest rung on which anything is confirmed; 1 if nothing is.

    CHOICE: these are the figures that count, because what counts is what holds there.
    """
    return max((one.rung for one in run.store.confirmations()), default=1)


def read_confirmed(run: Run, rung: int | None = None) -> dict[str, Confirmed]:
    """The programs confirmed on a rung by fingerprint, in the order they were first trained.

    Args:
        run: The run.
        rung: The rung; None for the highest on which anything is confirmed.
    """
    rung = confirmed_rung(run) if rung is None else rung
    found: dict[str, Confirmed] = {}
    for one in run.store.confirmations():
        if one.rung != rung:
            continue
        before = found.get(one.fingerprint, Confirmed("", one.fingerprint))
        outcomes = before.outcomes | {one.seed: one.outcome}  # a later outcome replaces it
        found[one.fingerprint] = Confirmed(one.name, one.fingerprint, outcomes)
    return found


def reference_of(run: Run, confirmed: dict[str, Confirmed]) -> Confirmed | None:
    """The run's first seed, which the others are compared with; None if it is not confirmed."""
    keys = (one.fingerprint for one in run.store.confirmations() if one.text == run.reference)
    return confirmed.get(next(keys, ""))


def best_first(confirmed: Iterable[Confirmed]) -> list[Confirmed]:
    """By mean loss; those that failed with a seed come last, the most failures at the end."""
    return sorted(confirmed, key=_order)


def _order(one: Confirmed) -> tuple[bool, int, float]:
    loss = math.inf if one.loss is None else one.loss
    return one.loss is None, one.failures.total(), loss
