"""What a program is: four frozen values, with nothing measured in them.

A program encodes one decoder block as an indexed list of subprograms (paper, section 2).
Subprogram 0 is MAIN. Every subprogram takes two inputs, its states 0 and 1; instruction i
makes state i + 2; the last state is its output. Constants and widths live in a bank that
instructions share by index (A.2). `check.py` says what a legal program is, `parsing.py` how it
is written. Instructions and subprograms are tuples because programs are hashed and compared for
every candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES

INPUTS = 2  # hidden states 0 and 1 of every subprogram are its inputs

# The paper's vocabularies (A.2). Constants have none: they are real numbers.
RELATIVE_DIMS = tuple(map(Fraction, (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)))
BRANCHINGS = (1, 2, 4, 8, 16)


class Instruction(NamedTuple):
    """One operation and all argument fields; most operations read some of them only.

    Attributes:
        op: The name of a primitive, or the index of the subprogram it calls.
        input1: Index of the first hidden state it reads.
        input2: Index of the second, read by calls and by primitives with two inputs.
        constant: Index into the bank's constants.
        dim: Index into the bank's relative widths.
        branching: How many copies run in parallel, each with weights of its own; their
            results are concatenated along the channels.
    """

    op: str | int
    input1: int = 0
    input2: int = 0
    constant: int = 0
    dim: int = 0
    branching: int = 1

    @property
    def is_call(self) -> bool:
        """Whether it calls a subprogram."""
        return isinstance(self.op, int)

    def reading(self, input1: int, input2: int) -> Instruction:
        """This instruction with other inputs."""
        return Instruction(self.op, input1, input2, self.constant, self.dim, self.branching)


class Subprogram(NamedTuple):
    """A list of instructions. Its name is for people only."""

    name: str
    instructions: tuple[Instruction, ...]

    @property
    def states(self) -> int:
        """How many hidden states it has, inputs included."""
        return INPUTS + len(self.instructions)


@dataclass(frozen=True, slots=True)
class Bank:
    """The values instructions share (A.2: 2 constants and 6 relative widths).

    `width` is the relative width of the model itself.
    CHOICE: it is 4 in the seed, as its 512 channels are 4 units of 128, and no mutation
    touches it: the unit scales the model as the parameter window asks.
    """

    constants: tuple[float, ...]
    dims: tuple[Fraction, ...]
    width: Fraction = Fraction(4)


@dataclass(frozen=True, slots=True)
class Program:
    """The genotype: subprograms (MAIN first) and the bank they share.

    Attributes:
        subprograms: MAIN first.
        bank: The values that their instructions share.
        vocabulary: The primitives that their instructions name.
    """

    subprograms: tuple[Subprogram, ...]
    bank: Bank
    vocabulary: Vocabulary = field(default=PRIMITIVES, repr=False)

    def instructions(self) -> Iterator[tuple[int, int, Instruction]]:
        """Every instruction, with the index of its subprogram and its place there."""
        for index, subprogram in enumerate(self.subprograms):
            for place, instruction in enumerate(subprogram.instructions):
                yield index, place, instruction

    def with_instructions(self, index: int, instructions: tuple[Instruction, ...]) -> Program:
        """This program with the instructions of one subprogram replaced."""
        subprograms = list(self.subprograms)
        subprograms[index] = Subprogram(subprograms[index].name, instructions)
        return Program(tuple(subprograms), self.bank, self.vocabulary)
