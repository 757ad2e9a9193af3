"""What each edit of a lineage gained: figures that add up from the seed to the individual.

All losses of a lineage are taken at one mark of the budget, the last that its last individual
reached. An ancestor that was stopped earlier, or failed, has no loss there: what its edit did
is not known alone, and counts together with the next edit whose individual got that far.
"""

from __future__ import annotations

from typing import Any

from primeval.search.views.ranking import SEED_ID


def with_gains(rows: list[dict[str, Any]], digits: int | None = None) -> list[dict[str, Any]]:
    """The rows of a lineage (`ranking.lineage`), each with these keys.

    mark: number of the validation that losses are compared at, from 0. loss_at_mark: the loss
    there; None for whoever did not get there. gain: how much lower it is than that of the
    nearest ancestor who has one; None for the first. gain_of: the individuals whose edits
    that gain is of, the last one itself.

    Gains add up to the difference between the first and the last `loss_at_mark`: the
    difference between seed and individual where the seed got that far. With `digits`, losses
    are rounded first, so that what is printed adds up as well.
    """
    mark = len(rows[-1]["curve"]) - 1 if rows else -1
    before: float | None = None
    edits: list[int] = []
    found = []
    for row in rows:
        loss = _loss(row, mark, digits)
        gain = None
        if row["edit_kind"] is not None:
            edits.append(row["id"])
        if loss is not None:
            gain = None if before is None else before - loss
            before = loss
        told = edits if gain is not None else []
        found.append(
            row
            | {"mark": mark if mark >= 0 else None, "loss_at_mark": loss}
            | {"gain": gain, "gain_of": list(told)}
        )
        if loss is not None:
            edits = []
    return found


def total_gain(rows: list[dict[str, Any]]) -> float | None:
    """From the first to the last loss at the mark; None if there are not two."""
    losses: list[float] = [
        row["loss_at_mark"] for row in rows if row["loss_at_mark"] is not None
    ]
    return losses[0] - losses[-1] if len(losses) > 1 else None


def _loss(row: dict[str, Any], mark: int, digits: int | None) -> float | None:
    if not 0 <= mark < len(row["curve"]):
        return None
    loss: float | None = row["curve"][mark]["loss"]
    return loss if loss is None or digits is None else round(loss, digits)


def gap_to_seed(row: dict[str, Any], seed: dict[str, Any]) -> float | None:
    """Its loss minus its seed's where the lineage is compared, else where it was stopped."""
    if row["loss_at_mark"] is None or seed["loss_at_mark"] is None:
        gap: float | None = row["loss_vs_seed"]
        return gap if seed["id"] == SEED_ID else None
    return float(row["loss_at_mark"] - seed["loss_at_mark"])
