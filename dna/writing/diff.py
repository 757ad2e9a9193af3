"""The difference of two programs, instruction by instruction.

An inserted line renames every state after it, so a plain text diff would show all later lines
as changed. Here lines are aligned first; states keep the names they have in the old program,
and new states get fresh ones. So an edit shows as the one line that it changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from primeval.dna.printing import (
    format_bank,
    format_header,
    format_instruction,
    reads,
    state_name,
)
from primeval.dna.program import INPUTS, Instruction, Program
from primeval.primitives.primitive import Vocabulary

# How alike two lines are, for aligning them.
SAME_OPERATION, SAME_INPUTS, REPLACED = 4, 1, 1


class DiffLine(NamedTuple):
    """`sign` is " ", "+", "-", or "@" for the header of a subprogram."""

    sign: str
    text: str


def diff(old: Program, new: Program) -> list[DiffLine]:
    """The changed bank lines, and the changed subprograms in full; empty for equal programs."""
    lines = []
    for before, after in zip(format_bank(old.bank), format_bank(new.bank), strict=True):
        if before != after:
            lines += [DiffLine("-", before), DiffLine("+", after)]
    both = itertools.zip_longest(old.subprograms, new.subprograms)
    for index, (one, other) in enumerate(both):
        if one != other:
            lines.append(DiffLine("@", format_header(index, other or one)))
            bodies = (one.instructions if one else (), other.instructions if other else ())
            lines += _diff_bodies(*bodies, old.vocabulary, new.vocabulary)
    return lines


def _diff_bodies(
    before: Sequence[Instruction],
    after: Sequence[Instruction],
    of_old: Vocabulary,
    of_new: Vocabulary,
) -> Iterator[DiffLine]:
    pairs, new_names = pair(before, after, of_old)
    old_names = [state_name(state) for state in range(INPUTS + len(before))]
    for one, other in pairs:
        was = None if one is None else format_instruction(before[one], one, of_old, old_names)
        now = (
            None
            if other is None
            else format_instruction(after[other], other, of_new, new_names)
        )
        if was == now:
            yield DiffLine(" ", f"  {now}")
            continue
        if was is not None:
            yield DiffLine("-", f"  {was}")
        if now is not None:
            yield DiffLine("+", f"  {now}")


class Pairing(NamedTuple):
    """How two bodies of a subprogram correspond.

    Attributes:
        pairs: Places in the old and in the new body, in order; None where one has no partner.
        names: Names of the new body's states; a state with a partner has its partner's name.
    """

    pairs: list[tuple[int | None, int | None]]
    names: list[str]


def pair(
    old: Sequence[Instruction], new: Sequence[Instruction], vocabulary: Vocabulary
) -> Pairing:
    """Align two bodies; `vocabulary` is that of the old one.

    Differences as text, as code and as drawings all use this alignment.
    """
    pairs = _align(old, new, vocabulary)
    names = [state_name(state) for state in range(INPUTS)]
    fresh = itertools.count(INPUTS + len(old))
    for one, other in pairs:
        if other is not None:
            names.append(state_name(next(fresh) if one is None else one + INPUTS))
    return Pairing(pairs, names)


def _align(
    old: Sequence[Instruction], new: Sequence[Instruction], vocabulary: Vocabulary
) -> list[tuple[int | None, int | None]]:
    """Pairs of places that correspond, in order; None where a line has no partner."""
    rows, columns = len(old), len(new)
    likeness = [[_likeness(one, other, vocabulary) for other in new] for one in old]
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in reversed(range(rows)):
        for column in reversed(range(columns)):
            together = best[row + 1][column + 1] + likeness[row][column]
            best[row][column] = max(best[row + 1][column], best[row][column + 1], together)
    pairs: list[tuple[int | None, int | None]] = []
    row = column = 0
    while row < rows or column < columns:
        alike = likeness[row][column] if row < rows and column < columns else 0
        if alike and best[row][column] == best[row + 1][column + 1] + alike:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif column == columns or (row < rows and best[row][column] == best[row + 1][column]):
            pairs.append((row, None))
            row += 1
        else:
            pairs.append((None, column))
            column += 1
    return pairs


def _likeness(one: Instruction, other: Instruction, vocabulary: Vocabulary) -> int:
    used = reads(one.op, vocabulary)
    inputs = [name for name in used if name.startswith("input")]
    same_inputs = all(getattr(one, name) == getattr(other, name) for name in inputs)
    settings = [*(name for name in used if name not in inputs), "op", "branching"]
    if all(getattr(one, name) == getattr(other, name) for name in settings):
        return SAME_OPERATION + SAME_INPUTS * same_inputs
    return REPLACED if same_inputs else 0
