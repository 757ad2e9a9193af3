"""`primeval show`: a program as text, code or drawing, with its costs and differences.

Costs are counted at the scale of the run for RUN:ID, otherwise at that of `--config`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

from primeval.dna.cost import Scale
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.dna.writing.code_difference import code_difference
from primeval.dna.writing.diff import DiffLine, diff
from primeval.dna.writing.facts import Facts
from primeval.dna.writing.tensorflow_code import format_code
from primeval.primitives.language import Language
from primeval.scripts.commands.arguments import add_shared
from primeval.scripts.tables import terminal
from primeval.scripts.tables.noise import marked
from primeval.scripts.tables.ranking import status_text
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import load_config
from primeval.search.config.settings import RunConfig
from primeval.search.errors import LanguageError, RunError
from primeval.search.run.folder import Run
from primeval.search.run.programs import Reference, find_individual, find_program, root_of
from primeval.search.views.ranking import individual_row, trial_name

SEED, PARENT = "seed", "parent"  # values of --diff that are no program references
CODE_CONFIG = "quickstart"  # the scale of --code if no other is known


def add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="REF", help="a built-in name, a file, or RUN:ID")
    parser.add_argument(
        "--code", action="store_true", help="print the TensorFlow code that it decodes to"
    )
    parser.add_argument(
        "--resolved", action="store_true", help="print its instructions with every call inlined"
    )
    parser.add_argument(
        "--diff",
        nargs="?",
        const=SEED,
        metavar="REF",
        help="how it differs from the seed of its run (default), from its `parent`, or from "
        "another program; as text, with --code as TensorFlow, with --graph as a drawing",
    )
    parser.add_argument(
        "--graph", metavar="FILE", type=Path, help="draw it into FILE.svg or FILE.png"
    )
    parser.add_argument(
        "--config",
        metavar="CONFIG",
        help="count costs at the scale of this configuration "
        f"(default with --code: {CODE_CONFIG})",
    )
    add_shared(parser, "--json", "--color")


def run_show(args: argparse.Namespace) -> None:
    config = load_config(args.config) if args.config is not None else None
    language = Language() if config is None else config.make_language()
    try:
        shown = find_program(args.reference, language.vocabulary)
    except LanguageError as error:
        if args.code or args.resolved or args.graph or args.diff or args.json:
            raise
        return _print_stored(args, error)
    facts = Facts(shown.program, _scale(shown, config, args.code))
    other = None
    if args.diff is not None:
        name, program = _other(shown, args.diff)
        other = Other(name, Facts(program, facts.scale))
    drawn = _draw(args.graph, shown, facts, other) if args.graph else None
    if args.json:
        terminal.print_json(_as_data(args, shown, other, facts))
        return
    if drawn is not None:
        print(drawn)
        return
    color = terminal.wants_color(args.color)
    for line in _heading(shown, facts):
        print(terminal.paint(f"# {line}", "dim", color))
    if other is not None:
        _print_difference(other, _difference(args, other, facts), color)
    elif args.code:
        terminal.print_program(_code(facts), color)
    elif args.resolved:
        _print_resolved(facts, color)
    else:
        terminal.print_program(format_program(shown.program), color)


def _print_stored(args: argparse.Namespace, error: LanguageError) -> None:
    """An individual as the store has it, where its primitives cannot be loaded."""
    print(f"Costs and the graph are left out. {error}", file=sys.stderr)
    opened, individual = find_individual(args.reference)
    color = terminal.wants_color(args.color)
    for line in _origin(args.reference, opened, individual):
        print(terminal.paint(f"# {line}", "dim", color))
    terminal.print_program(individual.text, color)


class Other(NamedTuple):
    """What a program is compared with, and what to call it."""

    name: str
    facts: Facts


def _difference(args: argparse.Namespace, other: Other, facts: Facts) -> list[DiffLine]:
    if args.code:
        return code_difference(other.facts, facts)
    return diff(other.facts.program, facts.program)


def _print_difference(other: Other, lines: list[DiffLine], color: bool) -> None:
    print(terminal.paint(f"# difference to {other.name}", "dim", color))
    terminal.print_diff(lines, color)
    if not lines:
        print("# none")


def _other(shown: Reference, wanted: str) -> tuple[str, Program]:
    """The name and the program that --diff asks for. Raises RunError if there is none."""
    vocabulary = shown.program.vocabulary
    if wanted not in (SEED, PARENT):
        return wanted, find_program(wanted, vocabulary).program
    if shown.run is None or shown.individual is None:
        if wanted == SEED:  # CHOICE: of a program that is no individual it is the Transformer
            return "transformer", find_program("transformer").program
        raise RunError(f"Only an individual of a run (RUN:ID) has a parent, not {shown.name}.")
    if wanted == SEED:
        root = root_of(shown.run.store, shown.individual)
        return f"its seed, {shown.run.folder}:{root.id}", root.program(vocabulary)
    if shown.individual.parent is None:
        raise RunError(f"{shown.name} is a seed: it has no parent.")
    name = f"{shown.run.folder}:{shown.individual.parent}"
    return name, find_program(name).program


def _scale(shown: Reference, config: RunConfig | None, code: bool) -> Scale | None:
    if config is not None:
        return config.scale
    if shown.run is not None:
        return shown.run.config.scale
    return load_config(CODE_CONFIG).scale if code else None


def _heading(shown: Reference, facts: Facts) -> list[str]:
    """Lines about a program: where it is from, how it did, its graph and its costs."""
    lines = [shown.name]
    if shown.run is not None and shown.individual is not None:
        lines = _origin(shown.name, shown.run, shown.individual)
    if facts.graph is not None:
        count, fingerprint = len(facts.graph.nodes), facts.graph.fingerprint[:12]
        length = ", works at one length only" if facts.graph.fixed_length else ""
        lines.append(f"{count} operations, fingerprint {fingerprint}{length}")
    if facts.problem:
        lines.append(facts.problem)
    if facts.cost is not None:
        known = facts.costs()
        lines += [
            f"{known['parameters']:,} parameters, {known['flops_per_token']:,} FLOPs per token",
            f"width {known['model_width']} (unit {known['unit']}), "
            f"matrices {', '.join(map(str, known['widths']))} wide",
        ]
    return lines


def _origin(name: str, run: Run, individual: Individual) -> list[str]:
    """Lines about an individual: its edit, its parent, how it did, and its trials."""
    row = individual_row(run, individual)
    parent = "" if row.parent is None else f", from {row.parent}"
    status = f"{row.status}, loss {terminal.fixed(row.loss)}"
    where = "" if row.rung == 1 else f" on rung {row.rung}"
    lines = [
        f"{name}: {row.edit}{parent}",
        f"{status} ({marked(row.loss_vs_seed, row.verdict)} against the seed{where})",
    ]
    if individual.of is not None:
        lines.insert(0, f"#{individual.id} is {trial_name(individual)}")
        lines[1] = f"{name}: {row.edit.partition(': ')[2]}{parent}"
    for one in row.rungs[1:]:
        gap = marked(None if one.gain is None else 0.0 - one.gain, one.verdict)
        how = status_text(one.status, one.hurdle)
        lines.append(f"on rung {one.rung}, as #{one.id}: {how} ({gap} against the seed there)")
    return [*lines, row.message] if row.message else lines


def _code(facts: Facts) -> str:
    if facts.graph is None or facts.scale is None or facts.cost is None:
        raise RunError(
            f"No code can be printed: this program {facts.problem}. Another --config may help."
        )
    return format_code(facts.graph, facts.scale)


def _draw(path: Path, shown: Reference, facts: Facts, other: Other | None) -> str:
    """Draw into a file; returns a line that says what was drawn.

    Raises ProgramError if a program has no meaning, RunError if the file cannot be written.
    """
    # imported here because it adds a tenth to the start, and only --graph needs it
    from primeval.scripts.drawing.files import write_drawing
    from primeval.scripts.drawing.shapes import difference_drawing, make_drawing

    if other is not None:
        drawing = difference_drawing(f"{shown.name} against {other.name}", other.facts, facts)
        write_drawing(path, drawing)
        return f"{path}: difference to {other.name}"
    write_drawing(path, make_drawing(shown.name, facts))
    return f"{path}: {facts.as_data()['operations']} operations"


def _print_resolved(facts: Facts, color: bool) -> None:
    if facts.graph is None:
        raise RunError(f"No lines can be resolved: this program {facts.problem}.")
    rows = facts.listing()
    headers = ("index", "op", "inputs", "constant", "dim", "width", "live", "place")
    cells = [[_cell(row[header]) for header in headers] for row in rows]
    terminal.print_table(headers, cells, left={"op", "inputs", "live", "place"})
    dead = sum(row["op"] in facts.program.vocabulary and not row["live"] for row in rows)
    if dead:
        note = f"# {dead} operations are dead: the output does not depend on them"
        print(terminal.paint(note, "dim", color))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "live" if value else "dead"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _as_data(
    args: argparse.Namespace, shown: Reference, other: Other | None, facts: Facts
) -> dict[str, Any]:
    data: dict[str, Any] = {"reference": shown.name, **facts.as_data()}
    if args.resolved:
        data["instructions"] = facts.listing()
    if args.code and other is None:
        data["code"] = _code(facts)
    if args.graph:
        data["graph"] = str(args.graph)
    if shown.run is not None and shown.individual is not None:
        data["individual"] = individual_row(shown.run, shown.individual).as_json()
    if other is not None:
        lines = _difference(args, other, facts)
        data["diff"] = {
            "against": other.name,
            "lines": [{"sign": line.sign, "text": line.text} for line in lines],
        }
    return data
