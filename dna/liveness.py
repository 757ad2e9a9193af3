"""Whether a mutation can matter at all, decided without building a graph.

Most mutations change something that cannot reach the output: a dead line, a field that its
operation does not read, a bank entry that is not used. Then the child's graph is the parent's
(A.4: mutate again). The meaning of a subprogram is its live instructions, with the fields that
they read: if those are the same before and after, so is the graph. The reverse does not hold;
`graph.py` decides the rest.
"""

from __future__ import annotations

from typing import NamedTuple

from primeval.dna.mutations import Mutated
from primeval.dna.program import INPUTS, Instruction, Program, Subprogram
from primeval.primitives.primitive import CONSTANT, DIM

# An instruction whose unread fields are UNREAD, and whose inputs count the live states only.
Essence = tuple[str | int, int, int, int, int, int]
UNREAD = -1


class Core(NamedTuple):
    """The live part of a subprogram.

    Attributes:
        instructions: What is live, in order.
        needs: Whether its output depends on its first and on its second input.
    """

    instructions: tuple[Essence, ...]
    needs: tuple[bool, bool]


class Liveness:
    """The live part of a program, with which mutations of it are compared."""

    def __init__(self, program: Program) -> None:
        self._vocabulary = program.vocabulary
        self._constants, self._dims = set[int](), set[int]()  # bank entries in use
        self._bank = program.bank
        self._cores = [Core((), (True, True))] * len(program.subprograms)
        for index in reversed(range(len(program.subprograms))):
            self._cores[index] = self.core(program.subprograms[index])
        self._reached = {0}
        for index in range(len(program.subprograms)):  # calls go up, so one pass is enough
            if index in self._reached:
                self._note(self._cores[index])

    def _note(self, core: Core) -> None:
        """Note what the live instructions call and which bank entries they read."""
        for op, _, _, constant, dim, _ in core.instructions:
            if isinstance(op, int):
                self._reached.add(op)
            self._constants.add(constant)
            self._dims.add(dim)

    def unchanged(self, mutated: Mutated) -> bool:
        """Whether the mutated program certainly has the graph of this one."""
        if mutated.subprogram is None:
            constants = len(self._bank.constants)
            if mutated.place < constants:
                return mutated.place not in self._constants
            return mutated.place - constants not in self._dims
        if mutated.subprogram not in self._reached:
            return True
        after = self.core(mutated.program.subprograms[mutated.subprogram])
        return after.instructions == self._cores[mutated.subprogram].instructions

    def core(self, subprogram: Subprogram) -> Core:
        """The live part of a subprogram whose callees are those of this program."""
        body = subprogram.instructions
        live = [False] * subprogram.states
        live[-1] = True
        reads = []
        for place in range(len(body) - 1, -1, -1):
            if live[place + INPUTS]:
                instruction = body[place]
                first, second, constant, dim = self._reads(instruction)
                live[instruction.input1] |= first
                live[instruction.input2] |= second
                reads.append((place, instruction, first, second, constant, dim))
        number, essences = {0: 0, 1: 1}, list[Essence]()
        for place, instruction, first, second, constant, dim in reversed(reads):
            essences.append(
                (
                    instruction.op,
                    number[instruction.input1] if first else UNREAD,
                    number[instruction.input2] if second else UNREAD,
                    instruction.constant if constant else UNREAD,
                    instruction.dim if dim else UNREAD,
                    instruction.branching,
                )
            )
            number[place + INPUTS] = len(number)
        return Core(tuple(essences), (live[0], live[1]))

    def _reads(self, instruction: Instruction) -> tuple[bool, bool, bool, bool]:
        """Whether it reads input 1, input 2, its constant, its width."""
        op = instruction.op
        if isinstance(op, int):
            return (*self._cores[op].needs, False, False)
        row = self._vocabulary[op]
        return True, row.arity == 2, CONSTANT in row.reads, DIM in row.reads
