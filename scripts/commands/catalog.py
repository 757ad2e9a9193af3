"""`primeval seeds` and `primeval primitives`: lists of what is built in."""

from __future__ import annotations

import argparse
from typing import Any

from primeval.dna.cost import Scale
from primeval.dna.library import built_in_names, load_seed, panel_names, seed_summary
from primeval.dna.writing.facts import Facts
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.scripts.commands.arguments import add_shared
from primeval.scripts.tables import terminal

COSTS = ["parameters", "d_model", "widest", "FLOPs/token"]


def add_seeds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="CONFIG", help="show costs, at the scale of this configuration"
    )
    add_shared(parser, "--json")


def add_primitives(parser: argparse.ArgumentParser) -> None:
    add_shared(parser, "--json")


def run_seeds(args: argparse.Namespace) -> None:
    scale = None
    if args.config is not None:
        # imported here because YAML is slow to import, and most lists do without
        from primeval.search.config.config import load_config

        scale = load_config(args.config).scale
    rows = [_seed_row(name, Facts(load_seed(name), scale)) for name in built_in_names()]
    if args.json:
        terminal.print_json(rows)
        return
    _print_programs([row for row in rows if not row["panel"]], scale)
    print("\nThe panel, which primeval agree trains besides them:")
    _print_programs([row for row in rows if row["panel"]], scale)


def _print_programs(rows: list[dict[str, Any]], scale: Scale | None) -> None:
    # lines are counted after inlining, as in the paper; operations in use are live
    headers = ["name", "lines", "live", *(["summary"] if scale is None else COSTS)]
    cells = [
        [row["name"], row["lines"], row["operations"]]
        + ([row["summary"]] if scale is None else _costs(row))
        for row in rows
    ]
    terminal.print_table(headers, cells, left={"name", "summary"})
    for row in rows:
        if scale is not None and row["rejected"]:
            print(f"{row['name']} {row['rejected']}")


def _seed_row(name: str, facts: Facts) -> dict[str, Any]:
    return {
        "name": name,
        "panel": name in panel_names(),
        "subprograms": len(facts.program.subprograms),
        "instructions": sum(1 for _ in facts.program.instructions()),
        "summary": seed_summary(name),
        **facts.as_data(),
    }


def _costs(row: dict[str, Any]) -> list[str]:
    if row["parameters"] is None:
        return ["-"] * len(COSTS)
    widths = [str(row["model_width"]), str(max(row["widths"]))]
    return [f"{row['parameters']:,}", *widths, terminal.short_count(row["flops_per_token"])]


def run_primitives(args: argparse.Namespace) -> None:
    names = ("name", "reads", "maps_to", "owns_weights", "note")
    rows = [{name: getattr(row, name) for name in names} for row in PRIMITIVES.values()]
    if args.json:
        terminal.print_json(rows)
        return
    cells = [[row["name"], ", ".join(row["reads"]), row["maps_to"]] for row in rows]
    terminal.print_table(("name", "reads", "maps to"), cells, {"name", "reads", "maps to"})
