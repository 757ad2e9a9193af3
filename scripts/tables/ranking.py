"""The ranking as text: a summary line, and a table that fits the terminal."""

from __future__ import annotations

from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import loss_text
from primeval.search.drive.stops import last_stop
from primeval.search.run.folder import Run
from primeval.search.views.ranking import Ranking, Row

HEADERS = ("rank", "id", "loss", "vs seed", "status", "steps", "params", "parent", "edit")
# Once something is confirmed. Parameters and parents are left to the JSON.
CONFIRMED_HEADERS = (
    *("rank", "id", "loss", "vs seed", "status"),
    *("confirmed", "vs seed", "± 95 %", "seeds", "edit"),
)
LEFT = {"status", "edit"}
# Columns that are dropped on a narrow terminal, the first one first.
SPARE = ("params", "steps", "parent")
CONFIRMED_SPARE = ("status", "seeds")


def print_summary(run: Run) -> None:
    """Print in one line how many individuals there are of each status."""
    statuses = run.store.statuses()
    told, asked = sum(statuses.values()), run.store.asked()
    counts = ", ".join(f"{count} {name}" for name, count in sorted(statuses.items()))
    state = "given up, to be tried again on resume" if last_stop(run.store) else "in flight"
    flying = f", {asked - told} {state}" if asked > told else ""
    print(f"{run.folder}: {told} evaluated ({counts or 'nothing yet'}){flying}")


def print_ranking(ranking: Ranking, color: bool = False) -> None:
    """Print a table, readable at 80 columns; nothing for a ranking without rows."""
    style, rows = cell_style if color else None, ranking.rows
    if rows and ranking.confirmed:
        cells = [_confirmed_cells(at, row) for at, row in enumerate(rows)]
        terminal.print_table(CONFIRMED_HEADERS, cells, LEFT, CONFIRMED_SPARE, style)
    elif rows:
        cells = [_cells(at, row) for at, row in enumerate(rows)]
        terminal.print_table(HEADERS, cells, LEFT, SPARE, style)


def cell_style(header: str, cell: str) -> str:
    """The style of a cell: green for better than the other figure, red for worse or failed."""
    if header in ("vs seed", "vs parent", "gain") and cell[0] in "+-" and cell != "-":
        zero = not cell.strip("+-0.")
        better = (cell[0] == "+") == (header == "gain")
        return "dim" if zero else "+" if better else "-"
    if header == "status" and cell != "completed":
        quiet = cell.startswith("stopped") or cell in ("known", "in_flight")
        return "dim" if quiet else "-"
    return "dim" if header in ("steps", "params", "parent") else ""


def _confirmed_cells(at: int, row: Row) -> list[str]:
    rank, number, loss, gap, status, *_, edit = _cells(at, row)
    figures = row.confirmed
    if figures is None:
        return [rank, number, loss, gap, status, "-", "-", "-", "-", edit]
    confirmed = [
        loss_text(figures),
        terminal.signed(figures.loss_vs_seed),
        terminal.fixed(figures.half_width),
        str(figures.seeds),
    ]
    return [rank, number, loss, gap, status, *confirmed, edit]


def _cells(at: int, row: Row) -> list[str]:
    return [
        str(at + 1),
        str(row.id),
        terminal.fixed(row.loss),
        terminal.signed(row.loss_vs_seed),
        status_text(row.status, row.hurdle, row.evaluations),
        str(row.steps or "-"),
        terminal.short_count(row.parameters),
        "-" if row.parent is None else str(row.parent),
        row.edit,
    ]


def status_text(status: str, hurdle: int | None, evaluations: int = 1) -> str:
    """How an evaluation ended, in a word.

    `stopped@2` is an individual that missed hurdle 2, counted from 1; `×3` marks the mean of
    three evaluations.
    """
    times = f" ×{evaluations}" if evaluations > 1 else ""
    if hurdle is not None:
        return f"stopped@{hurdle + 1}{times}"
    return {"out_of_memory": "memory"}.get(status, status) + times
