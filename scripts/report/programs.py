"""The best programs of a report: differences, code and drawing, ready for the template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from primeval.dna.check import ProgramError
from primeval.dna.cost import Scale
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.dna.writing.code_difference import code_difference
from primeval.dna.writing.diff import DiffLine, diff
from primeval.dna.writing.facts import Facts
from primeval.dna.writing.tensorflow_code import format_code
from primeval.primitives.widths import Rejection
from primeval.scripts.drawing.files import inline_svg
from primeval.scripts.drawing.shapes import difference_drawing, make_drawing
from primeval.search.errors import RunError
from primeval.search.run.folder import Run
from primeval.search.run.programs import root_of
from primeval.search.views.ranking import Row

UNABLE = (RunError, ProgramError, Rejection)


def programs(run: Run, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What is shown of each of these programs of the ranking, best first.

    Raises LanguageError if the modules with the run's primitives cannot be loaded.
    """
    return [_program(run, rank, row) for rank, row in enumerate(rows, 1)]


def _program(run: Run, rank: int, row: Row) -> dict[str, Any]:
    individual = run.store.individual(row.id)
    if individual is None:
        raise KeyError(row.id)
    scale = run.config.scale
    vocabulary = run.language.vocabulary
    program = individual.program(vocabulary)
    facts = Facts(program, scale)
    root = root_of(run.store, individual)
    parent = None if individual.parent is None else run.store.individual(individual.parent)
    seed, name = Facts(root.program(vocabulary), scale), f"#{individual.id}"
    return {
        "rank": rank,
        "row": row,
        "costs": facts.costs(),
        "operations": len(facts.graph.nodes) if facts.graph else None,
        "fixed_length": bool(facts.graph and facts.graph.fixed_length),
        "against": [
            _against(facts, other.id, which, other.program(vocabulary), scale)
            for which, other in (("seed", root), ("parent", parent))
            if other is not None and other.id != individual.id
            and not (which == "parent" and other.id == root.id)
        ],
        "drawing": _made(lambda: _drawing(name, facts, root.id, seed)),
        "code": _made(lambda: _code(facts)),
        "text": format_program(program, dormant=False),
    }  # fmt: skip


def _against(
    facts: Facts, number: int, which: str, program: Program, scale: Scale
) -> dict[str, Any]:
    """The differences to another individual, as program and as TensorFlow."""
    return {
        "id": number,
        "which": which,
        "lines": diff(program, facts.program),
        "code": _made(lambda: code_difference(Facts(program, scale), facts)),
    }


def _drawing(name: str, facts: Facts, root: int, seed: Facts) -> str:
    if facts.graph is None:
        raise RunError(f"Nothing can be drawn: this program {facts.problem}.")
    if seed.program == facts.program:
        graph = facts.cost.graph if facts.cost else facts.graph
        return inline_svg(make_drawing(name, graph, facts.cost))
    return inline_svg(difference_drawing(f"{name} against its seed, #{root}", seed, facts))


def _code(facts: Facts) -> str:
    if facts.graph is None or facts.scale is None or facts.cost is None:
        raise RunError(f"No code can be printed: this program {facts.problem}.")
    return format_code(facts.graph, facts.scale)


def _made(make: Callable[[], Any]) -> dict[str, Any]:
    """What `make` returns, or why it failed: one program must not cost the whole page."""
    try:
        return {"made": make(), "problem": ""}
    except UNABLE as error:
        return {"made": None, "problem": str(error)}


def changed_lines(lines: Iterable[DiffLine]) -> list[DiffLine]:
    """A difference without its unchanged lines, for places with little room."""
    return [line for line in lines if line.sign != " "]
