"""`primeval seeds` and `primeval primitives`: lists of what is built in."""

from __future__ import annotations

import argparse
from typing import Any

from primeval.dna.library import load_seed, seed_names, seed_summary
from primeval.dna.writing.facts import Facts
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.scripts.commands.arguments import add_json
from primeval.scripts.tables import terminal


def add_seeds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="CONFIG", help="show costs, at the scale of this configuration"
    )
    add_json(parser)
    parser.set_defaults(run=print_seeds)


def add_primitives(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    parser.set_defaults(run=print_primitives)


def print_seeds(args: argparse.Namespace) -> int:
    scale = None
    if args.config is not None:
        # imported here because YAML is slow to import, and most lists do without
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
    """Name, lines after inlining (as the paper counts them), and operations in use."""
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
