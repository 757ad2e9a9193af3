"""`primeval lineage`: from the seed to an individual, edit by edit."""

from __future__ import annotations

import argparse
from typing import Any

from primeval.scripts import terminal
from primeval.scripts.top import status_text
from primeval.search.ranking import lineage
from primeval.search.reference import find_individual

HEADERS = ("id", "loss", "vs parent", "vs seed", "status", "edit")
LEFT = {"status", "edit"}


def add(commands: Any) -> None:
    parser = commands.add_parser("lineage", help="seed to individual, edit by edit")
    parser.add_argument("individual", metavar="RUN:ID", help="an individual of a run")
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    opened, individual = find_individual(args.individual)
    rows = lineage(opened, individual.id)
    if args.json:
        terminal.print_json(rows)
        return 0
    print("Losses are compared where both were measured.")
    cells = [
        [
            str(row["id"]),
            terminal.fixed(row["loss"]),
            terminal.signed(row["loss_vs_parent"]),
            terminal.signed(row["loss_vs_seed"]),
            status_text(row),
            row["edit"],
        ]
        for row in rows
    ]
    terminal.print_table(HEADERS, cells, LEFT)
    return 0
