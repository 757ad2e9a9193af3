"""What became of one program in another: as TensorFlow code, and as a drawing.

Both are made at the new program's scale, and states keep the names they have in the old one
(`dna/writing/diff.py`), so that what differs is what was changed and nothing else.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from primeval.dna.cost import Scale
from primeval.dna.graph import Graph
from primeval.dna.program import Program
from primeval.dna.writing.diff import DiffLine, pair
from primeval.dna.writing.facts import Facts
from primeval.search.errors import RunError

if TYPE_CHECKING:
    from primeval.scripts.drawing.shapes import Drawing

CONTEXT = 3  # unchanged lines around a change


def code_difference(old: Facts, new: Facts) -> list[DiffLine]:
    """Changed lines of the printed code, with the function they stand in; empty if none is.

    Raises RunError if one of the programs has no code.
    """
    from primeval.dna.writing.tensorflow_code import format_code

    before, after = _decoded(old), _decoded(new)
    scale = _scale(new)
    one = format_code(before, _same_width(old, new))
    other = format_code(after, scale, _names(old.program, new.program))
    return list(_hunks(one.splitlines(), other.splitlines()))


def difference_drawing(name: str, old: Facts, new: Facts) -> Drawing:
    """The joint drawing of two programs. Raises RunError if one of them has no meaning."""
    from primeval.scripts.drawing.shapes import make_difference

    pictured = []
    for facts in (old, new):
        if facts.graph is None:
            raise RunError(f"Nothing can be drawn: one of the programs {facts.problem}.")
        graph = facts.cost.graph if facts.cost else facts.graph
        pictured.append((graph, facts.cost))
    return make_difference(name, *pictured)


def _decoded(facts: Facts) -> Graph:
    if facts.graph is None or facts.cost is None:
        raise RunError(f"No code can be compared: one of the programs {facts.problem}.")
    return facts.graph


def _scale(facts: Facts) -> Scale:
    if facts.scale is None:
        raise RunError("Code is printed at a scale. Give one: --config.")
    return facts.scale


def _same_width(old: Facts, new: Facts) -> Scale:
    """A scale at which the old program is as wide as the new one, if it can be.

    A new operation with weights makes all others narrower; that is not what changed.
    """
    scale = _scale(new)
    if new.cost is None:
        return scale
    fixed = replace(scale, window=None, width=new.cost.width)
    return fixed if Facts(old.program, fixed).cost else scale


def _names(old: Program, new: Program) -> dict[int, list[str]]:
    """Names of the new program's states, by subprogram: those of the old one's."""
    both = zip(old.subprograms, new.subprograms, strict=False)
    return {
        index: pair(one.instructions, other.instructions, old.vocabulary).names
        for index, (one, other) in enumerate(both)
    }


def _hunks(old: list[str], new: list[str]) -> Iterator[DiffLine]:
    """Changed lines with some around them; a line `@` says where they are."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        changed = next(first for kind, _, _, first, _ in group if kind != "equal")
        yield DiffLine("@", _heading(new, changed))
        for kind, one, other, first, last in group:
            if kind == "equal":
                yield from (DiffLine(" ", line) for line in new[first:last])
                continue
            yield from (DiffLine("-", line) for line in old[one:other])
            yield from (DiffLine("+", line) for line in new[first:last])


def _heading(lines: list[str], at: int) -> str:
    """The function that a line stands in."""
    for line in reversed(lines[: at + 1]):
        if line.startswith("def "):
            return "in " + line[len("def ") : line.index("(")]
    return "at the beginning"
