"""The ranking of a run, and one individual of it, as values with typed fields.

Numbers that are not finite are None. Losses are compared where both were measured: an
individual that was stopped at a hurdle is compared with the other's loss at that hurdle, not at
its end. Figures of a confirmation (`search/confirm/`) are of other text and other random seeds,
so they stand apart from those of the search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.algorithm.population import Individual
from primeval.search.confirm.figures import Figures, best_first, read_confirmed, reference_of
from primeval.search.run.folder import Run
from primeval.search.run.reader import Standing

SEED_ID = 0  # individuals are compared with the first seed


@dataclass(frozen=True)
class Row:
    """An individual with its outcome.

    Attributes:
        id: Its number.
        status: How its evaluation ended; `in_flight` before that.
        fitness: Minus the loss.
        loss: Validation loss in nats per token.
        bits_per_byte: The same per byte of text.
        loss_vs_seed: The loss minus the first seed's, at the last mark that both reached.
        parent: Number of its parent; None for a seed or an injected program.
        edit: How it differs from its parent, in words; or its name.
        edit_kind: Which mutation made it; None without a parent.
        parameters: Trainable numbers of the whole model.
        flops: Arithmetic operations of a forward pass, per token.
        steps: Training steps made.
        step_ms: Milliseconds per step.
        step_ratio: Its step time over the first seed's.
        hurdle: The hurdle, from 0, that it was stopped at; None otherwise.
        thresholds: The loss that it had to stay below at each hurdle.
        curve: Every validation on the way.
        seconds: Wall time by cause.
        message: Why it failed.
        evaluations: How many evaluations the fitness is the mean of.
        same_as: The earlier individual that is the same program; None if it was new.
        seed: Random seed of its weights.
        fingerprint: Of its canonical graph, in hexadecimal.
        confirmed: What its confirmation found; None before there is one.
    """

    id: int
    status: str
    fitness: float | None
    loss: float | None
    bits_per_byte: float | None
    loss_vs_seed: float | None
    parent: int | None
    edit: str
    edit_kind: str | None
    parameters: int | None
    flops: int | None
    steps: int | None
    step_ms: float | None
    step_ratio: float | None
    hurdle: int | None
    thresholds: tuple[float | None, ...]
    curve: tuple[Point, ...] = field(repr=False)
    seconds: dict[str, float]
    message: str
    evaluations: int
    same_as: int | None
    seed: int
    fingerprint: str
    confirmed: Figures | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON, without the confirmation."""
        data = dict(vars(self))
        del data["confirmed"]
        data["thresholds"] = list(self.thresholds)
        data["curve"] = [
            {"step": point.step, "loss": finite(point.loss)} for point in self.curve
        ]
        return data


@dataclass(frozen=True)
class Ranking:
    """The best individuals of a run.

    Attributes:
        rows: The best first; those without a loss come last. Each program comes once.
        confirmed: Whether anything of the run is confirmed.
    """

    rows: list[Row]
    confirmed: bool

    @property
    def best(self) -> Row | None:
        """The first row, if it has a fitness."""
        return self.rows[0] if self.rows and self.rows[0].fitness is not None else None

    def as_json(self) -> list[dict[str, Any]]:
        """Plain data for JSON; with a key `confirmed` once anything is confirmed."""
        if not self.confirmed:
            return [row.as_json() for row in self.rows]
        return [
            row.as_json() | {"confirmed": row.confirmed and row.confirmed.as_json()}
            for row in self.rows
        ]


def ranking(run: Run, count: int | None = None) -> Ranking:
    """The best `count` individuals of a run, or all of them.

    Of a program that was evaluated more than once fitness, loss and `loss_vs_seed` are those
    of the mean.

    CHOICE: confirmed programs come first, ranked by that figure: the best of the search's many
    figures is the best partly by luck.
    """
    seed, confirmed = run.store.outcome(SEED_ID), read_confirmed(run)
    best = [_row(run, one, seed) for one in run.store.standings(count)]
    if not confirmed:
        return Ranking(best, confirmed=False)
    reference, means = reference_of(run, confirmed), run.store.means()
    rows: dict[int, Row] = {}
    for program in best_first(confirmed.values()):
        number = run.store.find(program.fingerprint)
        individual = None if number is None else run.store.individual(number)
        if individual is not None:
            mean = means.get(individual.id)
            standing = Standing(individual, run.store.outcome(individual.id), mean)
            row = _row(run, standing, seed)
            rows[row.id] = replace(row, confirmed=program.figures(reference))
    rest = [row for row in best if row.id not in rows]
    return Ranking([*rows.values(), *rest][:count], confirmed=True)


def individual_row(run: Run, individual: Individual) -> Row:
    """One individual with its own outcome, whatever else was measured of its program."""
    outcome, seed = run.store.outcome(individual.id), run.store.outcome(SEED_ID)
    return _row(run, Standing(individual, outcome, None), seed)


def _row(run: Run, standing: Standing, seed: Outcome | None) -> Row:
    individual, outcome, mean = standing
    row = row_of(individual, outcome, seed, describe_edit(run, individual))
    if mean is None:
        return row
    fitness, count = mean
    gap = row.loss_vs_seed
    if gap is not None and row.fitness is not None:
        gap += row.fitness - fitness
    return replace(row, fitness=fitness, loss=-fitness, loss_vs_seed=gap, evaluations=count)


def row_of(
    individual: Individual, outcome: Outcome | None, seed: Outcome | None, edit: str
) -> Row:
    """The row of an individual with an outcome, beside the outcome of the first seed."""
    found = outcome or Outcome(Status.LOST)  # of which every figure is missing
    measured = outcome is not None
    return Row(
        id=individual.id,
        status=found.status.value if measured else "in_flight",
        fitness=finite(found.fitness),
        loss=finite(found.loss),
        bits_per_byte=finite(found.bits_per_byte),
        loss_vs_seed=loss_gap(outcome, seed),
        parent=individual.parent,
        edit=edit,
        edit_kind=individual.edit.kind if individual.edit else None,
        parameters=found.parameters or individual.parameters,
        flops=found.flops,
        steps=found.steps if measured else None,
        step_ms=finite(found.step_ms),
        step_ratio=finite(found.step_ratio),
        hurdle=found.hurdle,
        thresholds=individual.thresholds,
        curve=found.curve,
        seconds=dict(found.seconds),
        message=found.message,
        evaluations=int(measured and found.status is not Status.KNOWN),
        same_as=found.same_as,
        seed=individual.seed,
        fingerprint=individual.fingerprint,
    )


def loss_gap(outcome: Outcome | None, other: Outcome | None) -> float | None:
    """`outcome`'s loss minus `other`'s, at the last mark both reached; None without one."""
    if outcome is None or other is None:
        return None
    marks = min(len(outcome.curve), len(other.curve))
    if not marks or not math.isfinite(outcome.fitness) or not math.isfinite(other.fitness):
        return None
    return finite(outcome.curve[marks - 1].loss - other.curve[marks - 1].loss)


def describe_edit(run: Run, individual: Individual) -> str:
    """An edit in one line; for a seed, or a program that was injected, its name."""
    if individual.edit is not None:
        return f"{individual.edit.kind} {individual.edit.summary}"
    names = list(run.store.seeds)
    if individual.id < len(names):
        return f"seed {names[individual.id]}"
    return f"injected {run.store.injected_name(individual.id)}".strip()


def finite(number: float | None) -> float | None:
    """The number; None if it is infinite or no number."""
    return number if number is not None and math.isfinite(number) else None
