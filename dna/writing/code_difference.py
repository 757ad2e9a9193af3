"""The difference of two programs as the TensorFlow code that they decode to.

Both are printed at the new program's scale, and states keep the names they have in the old
program (`diff.py`), so that only what was changed differs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace

from primeval.dna.check import ProgramError
from primeval.dna.cost import Cost
from primeval.dna.graph import Graph
from primeval.dna.program import Program
from primeval.dna.writing.diff import DiffLine, pair
from primeval.dna.writing.facts import Facts
from primeval.dna.writing.tensorflow_code import format_code

CONTEXT = 3  # unchanged lines around a change


def code_difference(old: Facts, new: Facts) -> list[DiffLine]:
    """Changed lines of the printed code, under the function they stand in; empty if none is.

    Raises ProgramError if one of the programs has no code, and Rejection if the old one does
    not fit the new one's scale.
    """
    if new.scale is None:
        raise ProgramError("Code is printed at a scale. Give one: --config.")
    (before, _), (after, cost) = _decoded(old), _decoded(new)
    # A new operation with weights makes all others narrower, which is not the change to show.
    same_width = replace(new.scale, window=None, width=cost.width)
    fits = Facts(old.program, same_width).cost is not None
    one = format_code(before, same_width if fits else new.scale)
    other = format_code(after, new.scale, _names(old.program, new.program))
    return list(_hunks(one.splitlines(), other.splitlines()))


def _decoded(facts: Facts) -> tuple[Graph, Cost]:
    if facts.graph is None or facts.cost is None:
        raise ProgramError(f"No code can be compared: one of the programs {facts.problem}.")
    return facts.graph, facts.cost


def _names(old: Program, new: Program) -> dict[int, list[str]]:
    """Names of the new program's states, by subprogram: those of the old one's."""
    both = zip(old.subprograms, new.subprograms, strict=False)
    return {
        index: pair(one.instructions, other.instructions, old.vocabulary).names
        for index, (one, other) in enumerate(both)
    }


def _hunks(old: list[str], new: list[str]) -> Iterator[DiffLine]:
    """Changed lines with unchanged ones around them; a line `@` names the function."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        changed = next(first for kind, _, _, first, _ in group if kind != "equal")
        yield DiffLine("@", _heading(new, changed))
        for kind, one, other, first, last in group:
            if kind != "equal":
                yield from (DiffLine("-", line) for line in old[one:other])
            sign = " " if kind == "equal" else "+"
            yield from (DiffLine(sign, line) for line in new[first:last])


def _heading(lines: list[str], at: int) -> str:
    """The function that a line stands in."""
    for line in reversed(lines[: at + 1]):
        if line.startswith("def "):
            return "in " + line[len("def ") : line.index("(")]
    return "at the beginning"
