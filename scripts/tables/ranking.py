"""The ranking for people: a summary line, and a table that fits the terminal."""

from __future__ import annotations

from typing import Any

from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import half_width, loss_text
from primeval.search.run.folder import Run

HEADERS = ("rank", "id", "loss", "vs seed", "status", "steps", "params", "parent", "edit")
# Once something is confirmed; parameters and parents are in the JSON.
CONFIRMED_HEADERS = (
    *("rank", "id", "loss", "vs seed", "status"),
    *("confirmed", "vs seed", "± 95 %", "seeds", "edit"),
)
LEFT = {"status", "edit"}
# Which columns a narrow terminal does without.
SPARE = ("params", "steps", "parent")
CONFIRMED_SPARE = ("status", "seeds")


def print_summary(run: Run) -> None:
    """One line: how many there are of what."""
    statuses = run.store.statuses()
    told, asked = sum(statuses.values()), run.store.asked()
    counts = ", ".join(f"{count} {name}" for name, count in sorted(statuses.items()))
    stopped = run.store.events()[-1].kind == "stopped"
    state = "given up, to be tried again on resume" if stopped else "in flight"
    flying = f", {asked - told} {state}" if asked > told else ""
    print(f"{run.folder}: {told} evaluated ({counts or 'nothing yet'}){flying}")


def print_ranking(rows: list[dict[str, Any]], color: bool = False) -> None:
    """A table that is readable at 80 columns."""
    style = cell_style if color else None
    if rows and "confirmed" in rows[0]:
        cells = [_confirmed_cells(at, row) for at, row in enumerate(rows)]
        terminal.print_table(CONFIRMED_HEADERS, cells, LEFT, CONFIRMED_SPARE, style)
    elif rows:
        cells = [_cells(at, row) for at, row in enumerate(rows)]
        terminal.print_table(HEADERS, cells, LEFT, SPARE, style)


def cell_style(header: str, cell: str) -> str:
    """Green for better than what it is held against, red for worse or failed."""
    if header in ("vs seed", "vs parent", "gain") and cell[0] in "+-" and cell != "-":
        zero = not cell.strip("+-0.")
        better = (cell[0] == "+") == (header == "gain")
        return "dim" if zero else "+" if better else "-"
    if header == "status" and cell != "completed":
        quiet = cell.startswith("stopped") or cell in ("known", "in_flight")
        return "dim" if quiet else "-"
    return "dim" if header in ("steps", "params", "parent") else ""


def _confirmed_cells(at: int, row: dict[str, Any]) -> list[str]:
    rank, number, loss, gap, status, *_, edit = _cells(at, row)
    figures = row["confirmed"]
    if figures is None:
        return [rank, number, loss, gap, status, "-", "-", "-", "-", edit]
    confirmed = [
        loss_text(figures),
        terminal.signed(figures["loss_vs_seed"]),
        terminal.fixed(half_width(figures)),
        str(figures["seeds"]),
    ]
    return [rank, number, loss, gap, status, *confirmed, edit]


def _cells(at: int, row: dict[str, Any]) -> list[str]:
    return [
        str(at + 1),
        str(row["id"]),
        terminal.fixed(row["loss"]),
        terminal.signed(row["loss_vs_seed"]),
        status_text(row),
        str(row["steps"] or "-"),
        terminal.short_count(row["parameters"]),
        "-" if row["parent"] is None else str(row["parent"]),
        row["edit"],
    ]


def status_text(row: dict[str, Any]) -> str:
    """`stopped@2` for an individual that missed hurdle 2, counted from 1; `×3` for the mean of
    three evaluations."""
    times = f" ×{row['evaluations']}" if row.get("evaluations", 1) > 1 else ""
    if row["hurdle"] is not None:
        return f"stopped@{row['hurdle'] + 1}{times}"
    return {"out_of_memory": "memory"}.get(row["status"], str(row["status"])) + times
