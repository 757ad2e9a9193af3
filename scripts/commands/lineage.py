"""`primeval lineage`: the edits that led from the seed to an individual."""

from __future__ import annotations

import argparse

from primeval.scripts.commands.arguments import add_color, add_json
from primeval.scripts.tables import terminal
from primeval.scripts.tables.ranking import cell_style, status_text
from primeval.search.run.programs import find_individual
from primeval.search.views.lineage import LineageRow, gap_to_seed, lineage, total_gain

HEADERS = ("id", "loss", "gain", "vs seed", "status", "edit")
LEFT = {"status", "edit"}
DIGITS = 4  # of losses; gains are computed from the printed losses, so that they add up


def add_lineage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "individual", metavar="RUN:ID", help="an individual of a run, as in runs/quickstart:17"
    )
    add_json(parser)
    add_color(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    opened, individual = find_individual(args.individual)
    if args.json:
        terminal.print_json([row.as_json() for row in lineage(opened, individual.id)])
        return 0
    rows = lineage(opened, individual.id, DIGITS)
    color = terminal.wants_color(args.color)
    print(_what_is_compared(rows))
    cells = [_cells(row, rows[0]) for row in rows]
    terminal.print_table(HEADERS, cells, LEFT, ("status",), cell_style if color else None)
    if note := _sum(rows):
        print(note)
    if individual.id in (means := opened.store.means()):
        fitness, count = means[individual.id]
        print(f"In the ranking it has the mean of {count} evaluations: {-fitness:.4f}.")
    return 0


def _what_is_compared(rows: list[LineageRow]) -> str:
    last = rows[-1]
    if last.loss_at_mark is None or last.mark is None:
        return f"#{last.id} has no loss, so the gains are unknown."
    if last.hurdle is None:
        return "Losses at the end of the budget. gain: how much an edit lowered the loss."
    return (
        f"Losses at hurdle {last.mark + 1}, where #{last.id} was stopped. "
        "gain: how much an edit lowered the loss."
    )


def _cells(row: LineageRow, seed: LineageRow) -> list[str]:
    return [
        str(row.id),
        terminal.fixed(row.loss_at_mark, DIGITS),
        terminal.signed(row.gain, DIGITS),
        terminal.signed(gap_to_seed(row, seed), DIGITS),
        status_text(row.status, row.hurdle, row.evaluations),
        joint_note(row) + row.edit,
    ]


def _sum(rows: list[LineageRow]) -> str:
    total = total_gain(rows)
    if total is None:
        return ""
    known = [row for row in rows if row.loss_at_mark is not None]
    first, last = known[0], known[-1]
    return (
        f"#{first.id} to #{last.id}: {first.loss_at_mark:.4f} - "
        f"{last.loss_at_mark:.4f} = {total:.4f}, the sum of the gains."
    )


def joint_note(row: LineageRow) -> str:
    """Names the ancestors without a gain of their own whose edits this gain includes, too."""
    others = row.gain_of[:-1]
    return f"(with {', '.join(f'#{other}' for other in others)}) " if others else ""
