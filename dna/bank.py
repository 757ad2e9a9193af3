"""Giving a program a bank of another size, without changing what it means.

CHOICE: new entries come at the end, constants as 0 and widths as the model's own; a mutation
may make an instruction read them. Entries are removed from the end, and only if no instruction
reads them: a program that needs them is refused rather than changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from primeval.dna.check import ProgramError
from primeval.dna.printing import reads
from primeval.dna.program import Bank, Instruction, Program
from primeval.primitives.primitive import CONSTANT, DIM

T = TypeVar("T")

WRITTEN = {CONSTANT: "const", DIM: "dim"}  # as in program texts


def with_bank(program: Program, constants: int | None, dims: int | None) -> Program:
    """The program with this number of constants and of widths in its bank; None keeps it.

    Raises ProgramError if an instruction reads an entry that would be removed.
    """
    bank = program.bank
    values = _sized(bank.constants, constants, 0.0)
    widths = _sized(bank.dims, dims, bank.width)
    for field, count in ((CONSTANT, len(values)), (DIM, len(widths))):
        _refuse_loss(program, field, count)
    for index, subprogram in enumerate(program.subprograms):
        body = tuple(
            _within(instruction, len(values), len(widths))
            for instruction in subprogram.instructions
        )
        program = program.with_instructions(index, body)
    return replace(program, bank=Bank(values, widths, bank.width))


def _sized(entries: tuple[T, ...], wanted: int | None, filler: T) -> tuple[T, ...]:
    count = len(entries) if wanted is None else wanted
    return (*entries[:count], *([filler] * (count - len(entries))))


def _within(instruction: Instruction, constants: int, dims: int) -> Instruction:
    """The instruction; a dormant field that points beyond the bank becomes 0."""
    return instruction._replace(
        constant=instruction.constant if instruction.constant < constants else 0,
        dim=instruction.dim if instruction.dim < dims else 0,
    )


def _refuse_loss(program: Program, field: str, wanted: int) -> None:
    for index, place, instruction in program.instructions():
        entry = getattr(instruction, field)
        if field in reads(instruction.op, program.vocabulary) and entry >= wanted:
            raise ProgramError(
                f"A bank of {wanted} {field}s is too small: S{index} reads "
                f"{WRITTEN[field]}{entry} in its instruction {place + 1}.",
                index,
                place,
            )
