"""The rules of a legal program, applied to every program that comes from outside.

`check` looks at the form only: fields in range, calls of higher indices, sizes within limits.
`graph.py` decides whether a legal program also has a meaning (kinds and widths that fit), and
rejects it with a reason. Nothing here executes anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from primeval.dna.program import BRANCHINGS, INPUTS, Bank, Instruction, Program, Subprogram
from primeval.primitives.errors import UnknownNameError, UserError
from primeval.primitives.primitive import Vocabulary

# Limits far beyond what a search reaches. They stop a hostile text from exhausting the machine.
MAX_SUBPROGRAMS = 64
MAX_INSTRUCTIONS = 512  # of one subprogram
MAX_RESOLVED = 4096  # primitives once every call is inlined
MAX_BRANCHES = 256  # branching of nested calls, multiplied
MAX_BANK = 64  # entries of a kind; the paper has 2 constants and 6 widths
MAX_DIM = 1024
MAX_CONSTANT = 1e30


class ProgramError(UserError):
    """A program that breaks a rule of the language.

    `subprogram` and `place` name the instruction that breaks it, if a single one does.
    """

    def __init__(
        self, message: str, subprogram: int | None = None, place: int | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.subprogram, self.place = message, subprogram, place


def check(program: Program, vocabulary: Vocabulary | None = None) -> None:
    """Raise ProgramError for the first rule that `program` breaks.

    A narrower `vocabulary` than the program's own may be given.
    """
    vocabulary = vocabulary or program.vocabulary
    _check_bank(program.bank)
    count = len(program.subprograms)
    if not 1 <= count <= MAX_SUBPROGRAMS:
        raise ProgramError(
            f"A program has 1 to {MAX_SUBPROGRAMS} subprograms. Received: {count}."
        )
    _check_lengths(program)
    limits = _Limits(count, len(program.bank.constants), len(program.bank.dims), vocabulary)
    for index, subprogram in enumerate(program.subprograms):
        _check_subprogram(subprogram, index, limits)
    _check_resolved_size(program)


def check_size(program: Program) -> None:
    """Raise ProgramError if a program is too large, the only rule that a mutation can break."""
    _check_lengths(program)
    _check_resolved_size(program)


def _check_lengths(program: Program) -> None:
    for index, subprogram in enumerate(program.subprograms):
        size = len(subprogram.instructions)
        if not 1 <= size <= MAX_INSTRUCTIONS:
            raise ProgramError(
                f"A subprogram has 1 to {MAX_INSTRUCTIONS} instructions. Received: {size}.",
                index,
            )


class _Limits(NamedTuple):
    """What the fields of an instruction may point at."""

    subprograms: int
    constants: int
    dims: int
    vocabulary: Vocabulary


@lru_cache(maxsize=1024)  # programs of a search have most of their subprograms in common
def _check_subprogram(subprogram: Subprogram, index: int, limits: _Limits) -> None:
    for place, instruction in enumerate(subprogram.instructions):
        for problem in _problems(instruction, index, place, limits):
            raise ProgramError(problem, index, place)


def _problems(
    instruction: Instruction, index: int, place: int, limits: _Limits
) -> Iterator[str]:
    op, count = instruction.op, limits.subprograms
    if isinstance(op, int):
        if not index < op < count:
            callable_now = f"S{index + 1} to S{count - 1}" if index + 1 < count else "none"
            yield (
                "A subprogram calls only subprograms with a higher index "
                f"(from S{index}: {callable_now}). Received: S{op}."
            )
    elif op not in limits.vocabulary:
        yield str(UnknownNameError("operation", op, list(limits.vocabulary)))
    for field, state in (("input 1", instruction.input1), ("input 2", instruction.input2)):
        if not 0 <= state < place + INPUTS:
            yield (
                f"An instruction reads states made before it (0 to {place + INPUTS - 1}). "
                f"Received: {field} = {state}."
            )
    for field, entry, size in (
        ("constant", instruction.constant, limits.constants),
        ("dim", instruction.dim, limits.dims),
    ):
        if not 0 <= entry < size:
            yield f"The bank has {field}s 0 to {size - 1}. Received: {field}{entry}."
    if instruction.branching not in BRANCHINGS:
        yield (
            f"Branching is one of {', '.join(map(str, BRANCHINGS))}. "
            f"Received: {instruction.branching}."
        )


@lru_cache(maxsize=256)
def _check_bank(bank: Bank) -> None:
    if not bank.constants or not bank.dims:
        raise ProgramError("The bank needs at least one constant and one dim.")
    if max(len(bank.constants), len(bank.dims)) > MAX_BANK:
        raise ProgramError(
            f"The bank has at most {MAX_BANK} constants and {MAX_BANK} dims. "
            f"Received: {len(bank.constants)} and {len(bank.dims)}."
        )
    for constant in bank.constants:
        if not math.isfinite(constant) or abs(constant) > MAX_CONSTANT:
            raise ProgramError(
                f"A constant is a finite number of at most {MAX_CONSTANT:g}. "
                f"Received: {constant}."
            )
    for dim in (*bank.dims, bank.width):
        if not 0 < dim <= MAX_DIM or dim.denominator > MAX_DIM:
            raise ProgramError(
                f"A relative width is a positive number up to {MAX_DIM}. Received: {dim}."
            )


def _check_resolved_size(program: Program) -> None:
    """Count the inlined program before it is inlined, as nested calls multiply its size."""
    sizes: dict[str | int, int] = {}  # by subprogram; a primitive counts as one
    branches: dict[str | int, int] = {}
    for index in reversed(range(len(program.subprograms))):
        body = program.subprograms[index].instructions
        sizes[index] = sum([sizes.get(one.op, 1) for one in body])
        branches[index] = max([one.branching * branches.get(one.op, 1) for one in body])
    if sizes[0] > MAX_RESOLVED:
        raise ProgramError(
            f"A program has at most {MAX_RESOLVED} primitives once its calls are inlined. "
            f"Received: {sizes[0]}."
        )
    if branches[0] > MAX_BRANCHES:
        raise ProgramError(
            f"Nested branching multiplies to at most {MAX_BRANCHES}. Received: {branches[0]}."
        )
