"""`primeval lineage`: the edits that led from the seed to an individual."""

from __future__ import annotations

import argparse

from primeval.scripts.commands.arguments import add_shared
from primeval.scripts.tables import terminal
from primeval.scripts.tables.noise import lineage_noise, marked, with_word
from primeval.scripts.tables.ranking import cell_style, status_text
from primeval.search.run.programs import find_individual
from primeval.search.views.comparing import Verdict
from primeval.search.views.lineage import LineageRow, gap_to_seed, lineage, total_gain
from primeval.search.views.ranking import trial_name

HEADERS = ("id", "loss", "gain", "vs seed", "status", "edit")
LEFT = {"gain", "vs seed", "status", "edit"}
DIGITS = 4  # of losses; gains are computed from the printed losses, so that they add up


def add_lineage(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "individual", metavar="RUN:ID", help="an individual of a run, as in runs/quickstart:17"
    )
    add_shared(parser, "--json", "--color")


def run_lineage(args: argparse.Namespace) -> None:
    opened, individual = find_individual(args.individual)
    number = individual.id if individual.of is None else individual.of
    if args.json:
        terminal.print_json([row.as_json() for row in lineage(opened, number)])
        return
    if individual.of is not None:
        print(f"#{individual.id} is {trial_name(individual)}. The lineage is #{number}'s.")
    rows = lineage(opened, number, DIGITS)
    color = terminal.wants_color(args.color)
    print(_what_is_compared(rows))
    cells = [_cells(row, rows[0]) for row in rows]
    terminal.print_table(HEADERS, cells, LEFT, ("status",), cell_style if color else None)
    if note := _sum(rows):
        print(note)
    terminal.print_text(lineage_noise(opened, rows))
    if number in (means := opened.store.means()):
        fitness, count = means[number]
        print(f"In the ranking it has the mean of {count} evaluations: {-fitness:.4f}.")


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
    gap = gap_to_seed(row, seed)
    return [
        str(row.id),
        terminal.fixed(row.loss_at_mark, DIGITS),
        with_word(terminal.signed(row.gain, DIGITS), row.gain_verdict),
        marked(gap, row.judged(gap) if row.id != seed.id else Verdict.UNKNOWN, DIGITS),
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
