"""The difference of two programs, instruction by instruction.

An inserted line renames every state after it, so a plain text diff would show all later lines
as changed. Here lines are aligned first; states keep the names they have in the old program,
and new states get fresh ones. So an edit shows as the one line that it changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from primeval.dna.printing import (
    format_bank,
    format_header,
    format_instruction,
    reads,
    state_name,
)
from primeval.dna.program import INPUTS, Instruction, Program, Subprogram
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
    for index in range(max(len(old.subprograms), len(new.subprograms))):
        one = old.subprograms[index] if index < len(old.subprograms) else None
        other = new.subprograms[index] if index < len(new.subprograms) else None
        if one != other:
            lines += _diff_subprograms(index, one, other, (old.vocabulary, new.vocabulary))
    return lines


def _diff_subprograms(
    index: int,
    old: Subprogram | None,
    new: Subprogram | None,
    vocabularies: tuple[Vocabulary, Vocabulary],
) -> list[DiffLine]:
    shown = new or old
    if shown is None:
        return []
    before = old.instructions if old else ()
    after = new.instructions if new else ()
    of_old, of_new = vocabularies
    pairs, new_names = pair(before, after, of_old)
    old_names = [state_name(state) for state in range(INPUTS + len(before))]
    lines = [DiffLine("@", format_header(index, shown))]
    for one, other in pairs:
        lines += _diff_line(
            _written(before, one, old_names, of_old), _written(after, other, new_names, of_new)
        )
    return lines


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
    fresh = INPUTS + len(old)
    for one, other in pairs:
        if other is not None and one is not None:
            names.append(state_name(one + INPUTS))
        elif other is not None:
            names.append(state_name(fresh))
            fresh += 1
    return Pairing(pairs, names)


def _written(
    body: Sequence[Instruction], place: int | None, names: list[str], vocabulary: Vocabulary
) -> str | None:
    if place is None:
        return None
    return format_instruction(body[place], names[place + INPUTS], names, False, vocabulary)


def _diff_line(before: str | None, after: str | None) -> list[DiffLine]:
    if before is not None and before == after:
        return [DiffLine(" ", "  " + before)]
    both = [("-", before), ("+", after)]
    return [DiffLine(sign, "  " + text) for sign, text in both if text is not None]


def _align(
    old: Sequence[Instruction], new: Sequence[Instruction], vocabulary: Vocabulary
) -> list[tuple[int | None, int | None]]:
    """Pairs of places that correspond, in order; None where a line has no partner."""
    rows, columns = len(old), len(new)
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            best[row][column] = max(
                best[row + 1][column],
                best[row][column + 1],
                best[row + 1][column + 1] + _likeness(old[row], new[column], vocabulary),
            )
    pairs: list[tuple[int | None, int | None]] = []
    row = column = 0
    while row < rows or column < columns:
        if row < rows and column < columns:
            together = best[row + 1][column + 1] + _likeness(old[row], new[column], vocabulary)
            if together == best[row][column] and together > best[row + 1][column + 1]:
                pairs.append((row, column))
                row, column = row + 1, column + 1
                continue
        if column == columns or (row < rows and best[row][column] == best[row + 1][column]):
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
    settings = [name for name in used if name not in inputs] + ["op", "branching"]
    if all(getattr(one, name) == getattr(other, name) for name in settings):
        return SAME_OPERATION + SAME_INPUTS * same_inputs
    return REPLACED if same_inputs else 0
