"""`primeval top`: the ranking of a run, also while it runs."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import Any

from primeval.scripts.running.watching import add_watch, redraw, watch
from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import half_width, loss_text, print_confirmed
from primeval.search.run.folder import Run, open_run
from primeval.search.run.locking import RunError
from primeval.search.views.confirmed_rows import confirmed_rows
from primeval.search.views.ranking import ranking

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
WATCH_SECONDS = 2.0
AROUND = 4  # lines of the terminal that are not rows, when watching


def add(commands: Any) -> None:
    parser = commands.add_parser("top", help="the ranking of a run")
    parser.add_argument("run_folder", metavar="RUN", help="a run's folder")
    parser.add_argument(
        "-n", type=_count, metavar="N", help="how many; default: 10, and all with --json"
    )
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="instead: what mutations yielded, and what was lost to failures and saved",
    )
    parser.add_argument(
        "--confirmed",
        action="store_true",
        help="instead: what `primeval confirm` found, with the programs it was compared to",
    )
    add_watch(parser, WATCH_SECONDS, "show it again")
    terminal.add_json(parser)
    terminal.add_color(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.watch is not None:
        if args.json:
            raise RunError("--watch shows tables. Leave out --json, or --watch.")
        return _watch(args)
    return _show(open_run(args.run_folder), args, terminal.wants_color(args.color))


def _watch(args: argparse.Namespace) -> int:
    color, times = terminal.wants_color(args.color), 0
    if args.n is None and sys.stdout.isatty():
        args.n = max(1, min(40, shutil.get_terminal_size().lines - AROUND))

    def show(opened: Run, running: bool) -> None:
        nonlocal times
        redraw(lambda: _show_watched(opened, args, color, running), times == 0)
        times += 1

    watch(args.run_folder, args.watch, show)
    return 0


def _show_watched(opened: Run, args: argparse.Namespace, color: bool, running: bool) -> None:
    _show(opened, args, color)
    if running:
        print(terminal.paint("Ctrl-C ends this; the search goes on.", "dim", color))


def _show(opened: Run, args: argparse.Namespace, color: bool) -> int:
    if args.ledger:
        from primeval.scripts.tables.ledger import print_ledger

        print_ledger(opened, args.json)
        return 0
    if args.confirmed:
        return _print_confirmed(opened, args.json)
    count = (0 if args.json else 10) if args.n is None else args.n
    rows = ranking(opened, count or None)
    if args.json:
        terminal.print_json(rows)
        return 0
    print_summary(opened)
    print_ranking(rows, color)
    if rows and "confirmed" in rows[0]:
        print(f"With baselines and test figures: primeval top {opened.folder} --confirmed")
    elif not opened.store.asked() and (confirmed := confirmed_rows(opened)):
        print_confirmed(opened, confirmed)  # a folder that only confirms
    return 0


def _print_confirmed(run: Run, as_json: bool) -> int:
    rows = confirmed_rows(run)
    if as_json:
        terminal.print_json(rows)
    else:
        print_confirmed(run, rows)
    return 0


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


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number, 0 or more. Received: {text!r}.")
    return int(text)
