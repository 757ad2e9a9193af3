"""`primeval top`: the ranking of a run, also while it runs."""

from __future__ import annotations

import argparse
from typing import Any

from primeval.scripts import terminal
from primeval.search.ledger import ledger
from primeval.search.ranking import ranking
from primeval.search.runs import Run, open_run

HEADERS = ("rank", "id", "loss", "vs seed", "status", "steps", "params", "parent", "edit")
LEFT = {"status", "edit"}


def add(commands: Any) -> None:
    parser = commands.add_parser("top", help="the ranking of a run")
    parser.add_argument("run_folder", metavar="RUN", help="a run's folder")
    parser.add_argument(
        "-n", type=_count, metavar="N", help="how many; default: 10, and all with --json"
    )
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="instead: what each kind of mutation yielded, and what was lost to failures",
    )
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    opened = open_run(args.run_folder)
    if args.ledger:
        return _print_ledger(opened, args.json)
    count = (0 if args.json else 10) if args.n is None else args.n
    rows = ranking(opened, count or None)
    if args.json:
        terminal.print_json(rows)
        return 0
    print_summary(opened)
    print_ranking(rows)
    return 0


def _print_ledger(run: Run, as_json: bool) -> int:
    account = ledger(run)
    if as_json:
        terminal.print_json(account)
        return 0
    print_summary(run)
    headers = ("mutation", "tried", "valid", "new", "better", "lost", "budget")
    cells = [
        [row["kind"], *(f"{row[key]:,}" for key in headers[1:-1]), f"{row['budget']:.1%}"]
        for row in account["mutations"]
    ]
    terminal.print_table(headers, cells, {"mutation"})
    if not account["failures"]:
        print("No candidate failed.")
        return 0
    print(f"\nLost to failures, of {account['spent']:,.0f} {account['unit']}:")
    causes = ("failure", "mutation", "count", "budget", "first message")
    cells = [
        [row["status"], row["kind"], f"{row['count']:,}", f"{row['budget']:.1%}",
         row["message"].split("\n", 1)[0]]
        for row in account["failures"]
    ]  # fmt: skip
    terminal.print_table(causes, cells, {"failure", "mutation", "first message"})
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


def print_ranking(rows: list[dict[str, Any]]) -> None:
    """A table that is readable at 80 columns."""
    if rows:
        terminal.print_table(HEADERS, [_cells(at, row) for at, row in enumerate(rows)], LEFT)


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
    """`stopped@2` for an individual that missed hurdle 2, counted from 1."""
    if row["hurdle"] is not None:
        return f"stopped@{row['hurdle'] + 1}"
    return {"out_of_memory": "memory"}.get(row["status"], str(row["status"]))


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number, 0 or more. Received: {text!r}.")
    return int(text)
