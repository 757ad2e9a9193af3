"""The lineage of an individual, and what each of its edits gained.

Gains add up from the seed to the individual. All losses of a lineage are taken at one mark of
the budget, the last that its last individual reached. An ancestor that was stopped earlier, or
failed, has no loss there: the effect of its edit alone is not known, and counts together with
the next edit whose individual got that far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from primeval.evaluators.outcome import Status
from primeval.search.run.folder import Run
from primeval.search.run.programs import lineage_of
from primeval.search.views.comparing import SEED_ID, Verdict, finite, judge, loss_gap
from primeval.search.views.ranking import Row, individual_row
from primeval.search.views.rungs import read_rungs


@dataclass(frozen=True)
class LineageRow(Row):
    """An individual of a lineage.

    Attributes:
        loss_vs_parent: Its loss minus its parent's, at the last mark that both reached.
        mark: Number of the validation, from 0, at which the lineage is compared; None if its
            last individual has none.
        loss_at_mark: The loss there; None if the individual did not get there.
        gain: How much lower that is than the nearest ancestor's that has one; None without
            such an ancestor.
        gain_of: The individuals whose edits that gain is of, the last one itself.
        floor: How large a difference between two of these losses must be to mean something;
            None if that is not known, as at a hurdle.
    """

    loss_vs_parent: float | None = None
    mark: int | None = None
    loss_at_mark: float | None = None
    gain: float | None = None
    gain_of: tuple[int, ...] = ()
    floor: float | None = None

    def judged(self, difference: float | None) -> Verdict:
        """What a difference of its loss at the mark to another means."""
        return judge(difference, self.floor)

    @property
    def gain_verdict(self) -> Verdict:
        """What its gain means."""
        return self.judged(None if self.gain is None else -self.gain)


def lineage(run: Run, number: int, digits: int | None = None) -> list[LineageRow]:
    """The rows from the seed down to an individual, with gains.

    With `digits`, losses at the mark are rounded first, so that what is printed adds up too.
    Raises RunError if the individual or an ancestor does not exist.
    """
    rungs = read_rungs(run)
    rows: list[LineageRow] = []
    parent = None
    for individual in lineage_of(run.store, number):
        outcome = run.store.outcome(individual.id)
        row = individual_row(run, individual, rungs)
        rows.append(LineageRow(**vars(row), loss_vs_parent=loss_gap(outcome, parent)))
        parent = outcome
    at_end = rows[-1].status == Status.COMPLETED.value
    floor = rungs.figures[0].pair_floor if at_end else None
    return with_gains([replace(row, floor=floor) for row in rows], digits)


def with_gains(rows: Sequence[LineageRow], digits: int | None = None) -> list[LineageRow]:
    """The rows with their losses at the mark and their gains.

    Gains add up to the difference between the first and the last `loss_at_mark`: the
    difference between seed and individual where the seed got that far.
    """
    mark = len(rows[-1].curve) - 1 if rows else -1
    before: float | None = None
    edits: list[int] = []
    found = []
    for row in rows:
        loss = _loss(row, mark, digits)
        gain = None if before is None or loss is None else before - loss
        if row.edit_kind is not None:
            edits.append(row.id)
        made = replace(row, mark=mark if mark >= 0 else None, loss_at_mark=loss, gain=gain)
        found.append(made if gain is None else replace(made, gain_of=tuple(edits)))
        if loss is not None:
            before, edits = loss, []
    return found


def _loss(row: Row, mark: int, digits: int | None) -> float | None:
    if not 0 <= mark < len(row.curve):
        return None
    loss = finite(row.curve[mark].loss)
    return loss if loss is None or digits is None else round(loss, digits)


def total_gain(rows: Sequence[LineageRow]) -> float | None:
    """From the first to the last loss at the mark; None if there are not two."""
    losses = [row.loss_at_mark for row in rows if row.loss_at_mark is not None]
    return losses[0] - losses[-1] if len(losses) > 1 else None


def gap_to_seed(row: LineageRow, seed: LineageRow) -> float | None:
    """Its loss minus its seed's where the lineage is compared, else where it was stopped."""
    if row.loss_at_mark is None or seed.loss_at_mark is None:
        return row.loss_vs_seed if seed.id == SEED_ID else None
    return row.loss_at_mark - seed.loss_at_mark
