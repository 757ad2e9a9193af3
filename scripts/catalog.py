"""`primeval seeds` and `primeval primitives`: what is built in."""

from __future__ import annotations

import argparse
from typing import Any

from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed, seed_names, seed_summary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.scripts import terminal


def add(commands: Any) -> None:
    seeds = commands.add_parser("seeds", help="the built-in programs")
    terminal.add_json(seeds)
    seeds.set_defaults(run=print_seeds)
    primitives = commands.add_parser("primitives", help="the built-in operations")
    terminal.add_json(primitives)
    primitives.set_defaults(run=print_primitives)


def print_seeds(args: argparse.Namespace) -> int:
    rows = []
    for name in seed_names():
        program = load_seed(name)
        rows.append(
            {
                "name": name,
                "subprograms": len(program.subprograms),
                "instructions": sum(1 for _ in program.instructions()),
                "fingerprint": build_graph(program).fingerprint,
                "summary": seed_summary(name),
            }
        )
    if args.json:
        terminal.print_json(rows)
        return 0
    headers = ("name", "subprograms", "instructions", "summary")
    cells = [[str(row[header]) for header in headers] for row in rows]
    terminal.print_table(headers, cells, left={"name", "summary"})
    return 0


def print_primitives(args: argparse.Namespace) -> int:
    rows: list[dict[str, Any]] = [
        {
            "name": row.name,
            "reads": list(row.reads),
            "maps_to": row.maps_to,
            "owns_weights": row.owns_weights,
            "note": row.note,
        }
        for row in PRIMITIVES.values()
    ]
    if args.json:
        terminal.print_json(rows)
        return 0
    cells = [[row["name"], ", ".join(row["reads"]), row["maps_to"]] for row in rows]
    terminal.print_table(("name", "reads", "maps to"), cells, {"name", "reads", "maps to"})
    return 0
