"""Inlining: from subprograms that call each other to one flat list of lines.

Every call is replaced by the callee's lines, in the order of execution, dead lines included
(paper, Figures 24 and 25). A branched instruction is wrapped in markers: BRANCH_n_INPUT_1
and BRANCH_n_INPUT_2 before it, which the wrapped lines read, and BRANCH_MERGE after it.
`graph.py` decides what the lines mean.
"""

from __future__ import annotations

from typing import NamedTuple

from primeval.dna.program import Instruction, Program

INPUT_1_OP, INPUT_2_OP, MERGE_OP = "INPUT_1", "INPUT_2", "BRANCH_MERGE"


class Line(NamedTuple):
    """One line of a resolved program.

    Attributes:
        op: A primitive's name, INPUT_1, INPUT_2, BRANCH_n_INPUT_1, BRANCH_n_INPUT_2 or
            BRANCH_MERGE.
        inputs: Lines it takes its two inputs from; one for markers, none for INPUT lines.
        instruction: The instruction it comes from; one that does nothing for INPUT lines.
        scope: The counts of the branched instructions around it, outermost first; a
            BRANCH_MERGE stands outside the branches it merges.
        subprogram, place: Where the instruction stands in the program.
        path: The calls that lead there, as (subprogram, place) pairs.
    """

    op: str
    inputs: tuple[int, ...]
    instruction: Instruction
    scope: tuple[int, ...] = ()
    subprogram: int = 0
    place: int = 0
    path: tuple[tuple[int, int], ...] = ()


def resolve(program: Program) -> list[Line]:
    """All lines in order of execution; the last one is the block's output."""
    lines = [Line(op, (), Instruction(op)) for op in (INPUT_1_OP, INPUT_2_OP)]
    _inline(program, 0, (0, 1), (), (), lines)
    return lines


def _inline(
    program: Program,
    index: int,
    inputs: tuple[int, int],
    scope: tuple[int, ...],
    path: tuple[tuple[int, int], ...],
    lines: list[Line],
) -> int:
    """Append the lines of subprogram `index`; returns the line that holds its output."""
    states = list(inputs)
    for place, instruction in enumerate(program.subprograms[index].instructions):
        branches, inner = instruction.branching, scope
        first, second = states[instruction.input1], states[instruction.input2]
        if branches > 1:
            inner = (*scope, branches)
            for number, read in ((1, first), (2, second)):
                marker = f"BRANCH_{branches}_INPUT_{number}"
                lines.append(Line(marker, (read,), instruction, inner, index, place, path))
            first, second = len(lines) - 2, len(lines) - 1
        if isinstance(instruction.op, int):
            calls = (*path, (index, place))
            result = _inline(program, instruction.op, (first, second), inner, calls, lines)
        else:
            op, result = instruction.op, len(lines)
            lines.append(Line(op, (first, second), instruction, inner, index, place, path))
        if branches > 1:
            merge = Line(MERGE_OP, (result,), instruction, scope, index, place, path)
            result = len(lines)
            lines.append(merge)
        states.append(result)
    return states[-1]
