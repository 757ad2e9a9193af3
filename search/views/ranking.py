"""Read-only views of a run: the ranking, one individual, its lineage.

Rows are plain data, ready for JSON: numbers that are not finite are None. Losses are compared
where both were measured: an individual that was stopped at a hurdle is held against the
other's loss at that hurdle, not at its end. Figures of a confirmation (`confirm.py`) are of
other text and other seeds, so they stand apart from those of the search.
"""

from __future__ import annotations

import math
from typing import Any

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual
from primeval.search.confirm.figures import best_first, read_confirmed, reference_of
from primeval.search.run.folder import Run

SEED_ID = 0  # the first seed is what individuals are held against


def loss_gap(outcome: Outcome | None, other: Outcome | None) -> float | None:
    """`outcome`'s loss minus `other`'s, at the last mark both reached; None without one."""
    if outcome is None or other is None:
        return None
    marks = min(len(outcome.curve), len(other.curve))
    if not marks or not math.isfinite(outcome.fitness) or not math.isfinite(other.fitness):
        return None
    return finite(outcome.curve[marks - 1].loss - other.curve[marks - 1].loss)


def ranking(run: Run, count: int | None = None) -> list[dict[str, Any]]:
    """The best `count` individuals, the best first; failures come last. Each program once.

    Of a program evaluated more than once fitness, loss and `loss_vs_seed` are of the mean, and
    `evaluations` says of how many.

    Once one is confirmed, rows have the key `confirmed`: `Confirmed.figures`, or None.
    CHOICE: those that are confirmed come first, by that figure: the best of many figures of
    the search is the best partly by luck.
    """
    confirmed, means = read_confirmed(run), run.store.means()
    if not confirmed:
        return [_mean_row(run, number, means) for number in run.store.ranked(count)]
    reference = reference_of(run, confirmed)
    found = ((run.store.find(one.fingerprint), one) for one in best_first(confirmed.values()))
    figures = {at: one.figures(reference) for at, one in found if at is not None}
    numbers = [*figures, *(n for n in run.store.ranked() if n not in figures)][:count]
    rows = [_mean_row(run, number, means) for number in numbers]
    return [one | {"confirmed": figures.get(one["id"])} for one in rows]


def _mean_row(run: Run, number: int, means: dict[int, tuple[float, int]]) -> dict[str, Any]:
    one = row(run, number)
    if number in means:
        fitness, count = means[number]
        if one["loss_vs_seed"] is not None:
            one["loss_vs_seed"] += one["fitness"] - fitness
        one |= {"fitness": fitness, "loss": -fitness, "evaluations": count}
    return one


def row(run: Run, number: int) -> dict[str, Any]:
    """One individual with its outcome, as plain data. It must exist."""
    individual = run.store.individual(number)
    if individual is None:
        raise KeyError(number)
    return individual_row(run, individual)


def individual_row(run: Run, individual: Individual) -> dict[str, Any]:
    outcome = run.store.outcome(individual.id)
    seed = run.store.outcome(SEED_ID)
    return {
        "id": individual.id,
        "status": "in_flight" if outcome is None else outcome.status.value,
        "fitness": None if outcome is None else finite(outcome.fitness),
        "loss": None if outcome is None else finite(outcome.loss),
        "bits_per_byte": None if outcome is None else finite(outcome.bits_per_byte),
        "loss_vs_seed": loss_gap(outcome, seed),
        "parent": individual.parent,
        "edit": describe_edit(run, individual),
        "edit_kind": individual.edit.kind if individual.edit else None,
        "parameters": (outcome.parameters if outcome else None) or individual.parameters,
        "flops": None if outcome is None else outcome.flops,
        "steps": None if outcome is None else outcome.steps,
        "step_ms": None if outcome is None else finite(outcome.step_ms),
        "step_ratio": None if outcome is None else finite(outcome.step_ratio),
        "hurdle": None if outcome is None else outcome.hurdle,
        "thresholds": list(individual.thresholds),
        "curve": [
            {"step": point.step, "loss": finite(point.loss)}
            for point in (outcome.curve if outcome else ())
        ],
        "seconds": dict(outcome.seconds) if outcome else {},
        "message": outcome.message if outcome else "",
        "evaluations": int(outcome is not None and outcome.status is not Status.KNOWN),
        "same_as": None if outcome is None else outcome.same_as,
        "seed": individual.seed,
        "fingerprint": individual.fingerprint,
    }


def lineage(run: Run, number: int) -> list[dict[str, Any]]:
    """Rows from the seed down to an individual; `loss_vs_parent` says what each edit did."""
    chain: list[Individual] = []
    at: int | None = number
    while at is not None:
        individual = run.store.individual(at)
        if individual is None or (chain and individual.id >= chain[-1].id):
            raise KeyError(at)  # a parent is always older: a damaged store must not loop
        chain.append(individual)
        at = individual.parent
    rows, parent = [], None
    for individual in reversed(chain):
        outcome = run.store.outcome(individual.id)
        gap = {"loss_vs_parent": loss_gap(outcome, parent)}
        rows.append(individual_row(run, individual) | gap)
        parent = outcome
    return rows


def describe_edit(run: Run, individual: Individual) -> str:
    """An edit in one line; for a seed, or a program that was injected, its name."""
    if individual.edit is not None:
        return f"{individual.edit.kind} {individual.edit.summary}"
    names = list(run.store.seeds)
    if individual.id < len(names):
        return f"seed {names[individual.id]}"
    return f"injected {run.store.injected_name(individual.id)}".strip()


def finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
