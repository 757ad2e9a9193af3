"""Where a program's instructions are among its resolved lines, call by call.

Code and drawings show a program by its subprograms, and so walk its calls. Whether an
instruction is live, and of what kind and width it is, is known for resolved lines and nodes.
"""

from __future__ import annotations

from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.dna.program import INPUTS, Instruction
from primeval.dna.resolve import MERGE_OP

CallPath = tuple[tuple[int, int], ...]  # the calls that lead to a subprogram: (index, place)


class Calls:
    """Finds the lines of a graph; a call is named by its subprogram's index and its path."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._lines: dict[tuple[CallPath, int, int, bool], int] = {}
        for number, line in enumerate(graph.lines):
            if line.op == MERGE_OP or not line.op.startswith("BRANCH_"):
                at = (line.path, line.subprogram, line.place, line.op == MERGE_OP)
                self._lines[at] = number

    def body(self, index: int) -> tuple[Instruction, ...]:
        """The instructions of a subprogram."""
        return self.graph.program.subprograms[index].instructions

    def operation(self, index: int, place: int, path: CallPath) -> int:
        """The line of the primitive that an instruction is."""
        return self._lines[path, index, place, False]

    def node(self, index: int, state: int, path: CallPath) -> Node | None:
        """The node of a state that an instruction makes; None if it is dead."""
        line = self._made(index, state - INPUTS, path)
        at = self.graph.node_of.get(line)
        return None if at is None else self.graph.nodes[at]

    def is_live(self, index: int, state: int, path: CallPath) -> bool:
        """Whether the output depends on a state; inputs always count as live."""
        return state < INPUTS or self.node(index, state, path) is not None

    def _made(self, index: int, place: int, path: CallPath) -> int:
        """The line that holds what an instruction makes."""
        instruction = self.body(index)[place]
        if instruction.branching > 1:
            return self._lines[path, index, place, True]
        if isinstance(instruction.op, int):
            last = len(self.body(instruction.op)) - 1
            return self._made(instruction.op, last, (*path, (index, place)))
        return self._lines[path, index, place, False]
