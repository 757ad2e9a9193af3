"""`primeval show`: a program as text, resolved, or as its difference to another.

Costs are counted at a configuration's scale: that of the run for RUN:ID, or of `--config`.
"""

from __future__ import annotations

import argparse
from typing import Any

from primeval.dna.cost import Scale, measure
from primeval.dna.diff import diff
from primeval.dna.graph import Graph, build_graph
from primeval.dna.listing import resolved_listing
from primeval.dna.program import Program
from primeval.dna.text import format_program
from primeval.primitives.widths import Rejection
from primeval.scripts import terminal
from primeval.search.config import load_config
from primeval.search.locking import RunError
from primeval.search.ranking import individual_row
from primeval.search.reference import Reference, find_program, root_of

SEED, PARENT = "seed", "parent"  # what --diff may name besides a program


def add(commands: Any) -> None:
    parser = commands.add_parser("show", help="a program: text, costs, differences")
    parser.add_argument("reference", metavar="REF", help="a name, a file, or RUN:ID")
    parser.add_argument("--resolved", action="store_true", help="every call inlined")
    parser.add_argument(
        "--diff",
        nargs="?",
        const=SEED,
        metavar="REF",
        help="its difference to the run's seed (default), to its `parent`, or to a program",
    )
    parser.add_argument("--config", metavar="CONFIG", help="count costs at this one's scale")
    terminal.add_json(parser)
    terminal.add_color(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    shown = find_program(args.reference)
    other = None if args.diff is None else _other(shown, args.diff)
    scale = _scale(shown, args.config)
    try:
        graph, problem = build_graph(shown.program), ""
    except Rejection as rejection:
        graph, problem = None, str(rejection)
    if args.json:
        terminal.print_json(_as_data(args, shown, other, graph, problem, scale))
        return 0
    color = terminal.wants_color(args.color)
    for line in _heading(shown, graph, problem, scale):
        print(terminal.paint(f"# {line}", "dim", color))
    if other is not None:
        lines = diff(other[1], shown.program)
        print(terminal.paint(f"# difference to {other[0]}", "dim", color))
        terminal.print_diff(lines, color)
        if not lines:
            print("# none")
    elif args.resolved:
        _print_resolved(graph, scale, problem)
    else:
        print(format_program(shown.program), end="")
    return 0


def _other(shown: Reference, wanted: str) -> tuple[str, Program]:
    """The program to compare with, and what to call it."""
    if wanted == SEED:
        return _seed(shown)
    if wanted != PARENT:
        return wanted, find_program(wanted).program
    if shown.run is None or shown.individual is None:
        raise RunError(f"Only an individual of a run (RUN:ID) has a parent, not {shown.name}.")
    if shown.individual.parent is None:
        raise RunError(f"{shown.name} is a seed: it has no parent.")
    name = f"{shown.run.folder}:{shown.individual.parent}"
    return name, find_program(name).program


def _seed(shown: Reference) -> tuple[str, Program]:
    """The seed an individual descends from. CHOICE: of anything else, the Transformer."""
    if shown.run is None or shown.individual is None:
        return "transformer", find_program("transformer").program
    individual = root_of(shown.run.store, shown.individual)
    return f"its seed, {shown.run.folder}:{individual.id}", individual.program


def _scale(shown: Reference, config: str | None) -> Scale | None:
    if config is not None:
        return load_config(config).scale
    return None if shown.run is None else shown.run.config.scale


def _heading(
    shown: Reference, graph: Graph | None, problem: str, scale: Scale | None
) -> list[str]:
    """What there is to say about a program, a line each."""
    lines = [shown.name]
    if shown.run is not None and shown.individual is not None:
        row = individual_row(shown.run, shown.individual)
        parent = "" if row["parent"] is None else f", from {row['parent']}"
        lines[0] += f": {row['edit']}{parent}"
        status = f"{row['status']}, loss {terminal.fixed(row['loss'])}"
        lines.append(f"{status} ({terminal.signed(row['loss_vs_seed'])} against the seed)")
        if row["message"]:
            lines.append(row["message"])
    if graph is None:
        return [*lines, f"has no meaning: {problem}"]
    lines.append(f"{len(graph.nodes)} operations, fingerprint {graph.fingerprint[:12]}")
    if graph.fixed_length:
        lines[-1] += ", works at one length only"
    cost = _cost(graph, scale)
    if cost:
        lines.append(
            cost.get("rejected")
            or f"{cost['parameters']:,} parameters, {cost['flops']:,} FLOPs per token, "
            f"width {cost['width']} (unit {cost['unit']})"
        )
    return lines


def _cost(graph: Graph, scale: Scale | None) -> dict[str, Any] | None:
    if scale is None:
        return None
    try:
        cost = measure(graph, scale)
    except Rejection as rejection:
        return {"rejected": f"cannot be trained at this scale: {rejection}"}
    return {
        "parameters": cost.parameters,
        "flops": cost.flops,
        "width": cost.width,
        "unit": str(cost.unit),
    }


def _print_resolved(graph: Graph | None, scale: Scale | None, problem: str) -> None:
    if graph is None:
        raise RunError(f"A program without a meaning cannot be resolved: {problem}.")
    rows = _listing(graph, scale)
    headers = ("index", "op", "inputs", "constant", "dim", "width", "live", "place")
    cells = [[_cell(row.get(header)) for header in headers] for row in rows]
    terminal.print_table(headers, cells, left={"op", "inputs", "live", "place"})


def _listing(graph: Graph, scale: Scale | None) -> list[dict[str, Any]]:
    try:
        return resolved_listing(graph, scale)
    except Rejection:  # no widths in channels then, but relative ones
        return resolved_listing(graph, None)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "live" if value else "dead"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _as_data(
    args: argparse.Namespace,
    shown: Reference,
    other: tuple[str, Program] | None,
    graph: Graph | None,
    problem: str,
    scale: Scale | None,
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "reference": shown.name,
        "text": format_program(shown.program),
        "rejected": problem or None,
    }
    if graph is not None:
        data |= {
            "fingerprint": graph.fingerprint,
            "operations": len(graph.nodes),
            "fixed_length": graph.fixed_length,
            "cost": _cost(graph, scale),
        }
        if args.resolved:
            data["resolved"] = _listing(graph, scale)
    if shown.run is not None and shown.individual is not None:
        data["individual"] = individual_row(shown.run, shown.individual)
    if other is not None:
        lines = diff(other[1], shown.program)
        data["diff"] = {
            "against": other[0],
            "lines": [{"sign": line.sign, "text": line.text} for line in lines],
        }
    return data
