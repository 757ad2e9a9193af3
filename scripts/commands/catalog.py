"""`primeval seeds` and `primeval primitives`: what is built in, and what it costs."""

from __future__ import annotations

import argparse
from typing import Any

from primeval.dna.library import load_seed, seed_names, seed_summary
from primeval.dna.writing.facts import Facts
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.scripts.tables import terminal


def add(commands: Any) -> None:
    seeds = commands.add_parser("seeds", help="the built-in programs")
    seeds.add_argument("--config", metavar="CONFIG", help="their costs at this one's scale")
    terminal.add_json(seeds)
    seeds.set_defaults(run=print_seeds)
    primitives = commands.add_parser("primitives", help="the built-in operations")
    terminal.add_json(primitives)
    primitives.set_defaults(run=print_primitives)


def print_seeds(args: argparse.Namespace) -> int:
    scale = None
    if args.config is not None:
        from primeval.search.config.config import load_config

        scale = load_config(args.config).scale
    rows = [_seed_row(name, Facts(load_seed(name), scale)) for name in seed_names()]
    if args.json:
        terminal.print_json(rows)
        return 0
    headers = ["name", "lines", "live"]
    if scale is None:
        headers.append("summary")
        cells = [[*_sizes(row), row["summary"]] for row in rows]
    else:
        headers += ["parameters", "d_model", "widest", "FLOPs/token"]
        cells = [[*_sizes(row), *_costs(row)] for row in rows]
    terminal.print_table(headers, cells, left={"name", "summary"})
    for row in rows:
        if scale is not None and row["rejected"]:
            print(f"{row['name']} {row['rejected']}")
    return 0


def _seed_row(name: str, facts: Facts) -> dict[str, Any]:
    return {
        "name": name,
        "subprograms": len(facts.program.subprograms),
        "instructions": sum(1 for _ in facts.program.instructions()),
        "summary": seed_summary(name),
        **facts.as_data(),
    }


def _sizes(row: dict[str, Any]) -> list[str]:
    """Resolved lines as the paper counts them, and operations that the output depends on."""
    return [row["name"], str(row["lines"]), str(row["operations"])]


def _costs(row: dict[str, Any]) -> list[str]:
    if row["parameters"] is None:
        return ["-"] * 4
    widths = [str(row["model_width"]), str(max(row["widths"]))]
    return [f"{row['parameters']:,}", *widths, terminal.short_count(row["flops_per_token"])]


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
