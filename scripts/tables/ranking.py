"""The ranking as text: a summary line, and a table that fits the terminal."""

from __future__ import annotations

from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import loss_text
from primeval.scripts.tables.noise import marked, noise_lines, promotion_lines, standing_text
from primeval.search.drive.stops import last_stop
from primeval.search.run.folder import Run
from primeval.search.views.comparing import Verdict
from primeval.search.views.ranking import Ranking, Row
from primeval.search.views.rungs import Reached

FIRST = ("rank", "id", "loss", "vs seed", "status")
HEADERS: tuple[str, ...] = (*FIRST, "steps", "params", "parent", "edit")
# Once something is confirmed. Parameters and parents are left to the JSON.
CONFIRMED_HEADERS = (*FIRST, "confirmed", "vs seed", "± 95 %", "seeds", "edit")
LEFT = {"vs seed", "gain", "status", "standing", "edit"}
# Columns that are dropped on a narrow terminal, the first one first.
SPARE: tuple[str, ...] = ("params", "steps", "parent")
CONFIRMED_SPARE = ("status", "seeds")
ON_RUNGS = 3  # digits of differences where there is a column for each rung
MOST_RUNGS = 3  # columns of rungs that are never dropped, the highest ones


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
    if len(ranking.rungs) > 1:
        return _print_on_rungs(ranking, color)
    headers, cells_of, spare = HEADERS, _cells, SPARE
    if ranking.confirmed:
        headers, cells_of, spare = CONFIRMED_HEADERS, _confirmed_cells, CONFIRMED_SPARE
    if cells := [cells_of(at, row) for at, row in enumerate(ranking.rows)]:
        terminal.print_table(headers, cells, LEFT, spare, cell_style if color else None)


def _print_on_rungs(ranking: Ranking, color: bool) -> None:
    """Print the table of a run with rungs: the difference to the seed on each of them."""
    numbers = [one.rung for one in ranking.rungs]
    names = [f"rung {number}" for number in numbers]
    confirmed = ["confirmed"] if ranking.confirmed else []
    headers = ["rank", "#", *names, "standing", *confirmed, "edit"]
    cells = [
        [
            at,
            row.id,
            *(_rung_cell(row.on(number)) for number in numbers),
            standing_text(row),
            *(_confirmed_gap(row, ON_RUNGS) for _ in confirmed),
            row.edit,
        ]
        for at, row in enumerate(ranking.rows, 1)
    ]
    if cells:
        left, spare = LEFT | {*names, *confirmed}, names[:-MOST_RUNGS]
        terminal.print_table(headers, cells, left, spare, cell_style if color else None)


def _rung_cell(reached: Reached | None) -> str:
    if reached is None:
        return "-"
    if reached.status == "completed" and reached.gain is not None:
        return marked(0.0 - reached.gain, reached.verdict, ON_RUNGS)
    text = status_text(reached.status, reached.hurdle).replace("_", " ")
    quiet = reached.status in ("stopped", "in_flight", "lost")
    return terminal.Painted(text, "dim" if quiet else "-")


def print_noise(run: Run, ranking: Ranking) -> None:
    """Print how large a gain must be to mean something, and what became of promotions."""
    if not ranking.rows:
        return
    for line in (*noise_lines(run.config, ranking.rungs), *promotion_lines(ranking.rungs)):
        terminal.print_text(line)


def cell_style(header: str, cell: str) -> str:
    """The style of a cell by its column: red for a failure, grey for what matters less."""
    if header == "status" and not cell.startswith("completed"):
        quiet = cell.startswith("stopped") or cell in ("known", "in_flight")
        return "dim" if quiet else "-"
    return "dim" if header in ("steps", "params", "parent") else ""


def _confirmed_gap(row: Row, digits: int = 4) -> terminal.Painted:
    """The difference in a confirmation: noise unless its interval leaves zero out."""
    if (figures := row.confirmed) is None:
        return marked(None, Verdict.UNKNOWN)
    return marked(figures.loss_vs_seed, row.confirmed_verdict, digits)


def _confirmed_cells(at: int, row: Row) -> list[str]:
    rank, number, loss, gap, status, *_, edit = _cells(at, row)
    figures, confirmed = row.confirmed, ["-", "-", "-", "-"]
    if figures is not None:
        half = terminal.fixed(figures.half_width)
        confirmed = [loss_text(figures), _confirmed_gap(row), half, str(figures.seeds)]
    return [rank, number, loss, gap, status, *confirmed, edit]


def _cells(at: int, row: Row) -> list[str]:
    return [
        str(at + 1),
        str(row.id),
        terminal.fixed(row.loss),
        marked(row.loss_vs_seed, row.verdict),
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
