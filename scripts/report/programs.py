"""The best programs of a report: differences, code and drawing, ready for the template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from primeval.dna.check import ProgramError
from primeval.dna.printing import format_program
from primeval.dna.writing.code_difference import code_difference
from primeval.dna.writing.diff import DiffLine, diff
from primeval.dna.writing.facts import Facts
from primeval.dna.writing.tensorflow_code import format_code
from primeval.primitives.widths import Rejection
from primeval.scripts.drawing.files import inline_svg
from primeval.scripts.drawing.shapes import difference_drawing, make_drawing
from primeval.search.algorithm.population import Individual
from primeval.search.errors import RunError
from primeval.search.run.folder import Run
from primeval.search.run.programs import lineage_of
from primeval.search.views.ranking import Row

UNABLE = (RunError, ProgramError, Rejection)


def programs(run: Run, ranked: Sequence[tuple[int, Row]]) -> list[dict[str, Any]]:
    """What is shown of each of these programs, which come with their places in the ranking.

    Raises LanguageError if the modules with the run's primitives cannot be loaded.
    """
    return [_program(run, rank, row) for rank, row in ranked]


def _program(run: Run, rank: int, row: Row) -> dict[str, Any]:
    chain, vocabulary = lineage_of(run.store, row.id), run.language.vocabulary
    program, scale = chain[-1].program(vocabulary), run.config.scale
    facts, seed = Facts(program, scale), Facts(chain[0].program(vocabulary), scale)
    before = chain[:-1]
    # the seed that it comes from, and its parent if that is another
    others = zip(("seed", "parent"), before[:1] + before[1:][-1:], strict=False)
    return {
        "rank": rank,
        "row": row,
        "costs": facts.costs(),
        "operations": len(facts.graph.nodes) if facts.graph else None,
        "fixed_length": bool(facts.graph and facts.graph.fixed_length),
        "against": [_against(facts, other, which) for which, other in others],
        "drawing": _made(lambda: _drawing(f"#{row.id}", facts, chain[0].id, seed)),
        "code": _made(lambda: _code(facts)),
        "text": format_program(program, dormant=False),
    }


def _against(facts: Facts, other: Individual, which: str) -> dict[str, Any]:
    """The differences to another individual, as program and as TensorFlow."""
    compared = Facts(other.program(facts.program.vocabulary), facts.scale)
    return {
        "id": other.id,
        "which": which,
        "lines": diff(compared.program, facts.program),
        "code": _made(lambda: code_difference(compared, facts)),
    }


def _drawing(name: str, facts: Facts, root: int, seed: Facts) -> str:
    if seed.program == facts.program:
        return inline_svg(make_drawing(name, facts))
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
