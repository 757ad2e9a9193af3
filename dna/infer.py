"""From resolved lines to typed nodes: liveness, kinds, widths, common subexpressions.

Dead lines are legal and mean nothing, so they are dropped before any rule looks at them
(paper, section 2: nodes that do not reach the output cost nothing). Operations without
weights are merged when they compute the same from the same; operations with weights never
are, as each has weights of its own. The result is in order of execution; `graph.py` makes it
canonical. This runs for every mutation that is tried, so it computes nothing twice.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from primeval.dna.printing import format_instruction
from primeval.dna.program import Program
from primeval.dna.resolve import INPUT_1_OP, INPUT_2_OP, MERGE_OP, Line
from primeval.primitives.primitive import CONSTANT, DIM, Primitive
from primeval.primitives.rules import RULES, Request, Value
from primeval.primitives.widths import MODEL, ONE, Rejection, Solved, Width, Widths

INPUT_OP = "INPUT"


class Node(NamedTuple):
    """One operation of the graph.

    Attributes:
        op: A primitive's name, INPUT or BRANCH_MERGE.
        inputs: Nodes it reads.
        constant: The constant it reads; None if it reads none.
        branches: For BRANCH_MERGE, how many copies it concatenates; else 1.
        over: Counts of the branches its value differs over. A weight has one copy for each.
        scores: Whether its value is scores rather than a sequence.
        zero: Whether its scores are known to be zero above the diagonal.
        width: Channels of its value; of no meaning for scores.
        line: The first resolved line that computes it.
        primitive: Its row; None for INPUT and BRANCH_MERGE.
    """

    op: str
    inputs: tuple[int, ...]
    constant: float | None
    branches: int
    over: tuple[int, ...]
    scores: bool
    zero: bool
    width: Solved
    line: int
    primitive: Primitive | None


class Draft(NamedTuple):
    """A node whose width is not yet a number, and whose inputs are drafts; see `Node`."""

    op: str
    inputs: tuple[int, ...]
    constant: float | None
    branches: int
    over: tuple[int, ...]
    value: Value
    line: int
    primitive: Primitive | None


_BLOCK_INPUT = Value(False, MODEL)


class Inference:
    """Types the live lines of one program; `drafts`, `widths`, `node_of` hold the result."""

    def __init__(self, program: Program, lines: list[Line]) -> None:
        self.program, self.lines = program, lines
        self.drafts: list[Draft] = []
        self.widths: list[Solved] = []  # of each draft
        self.node_of: dict[int, int] = {}  # line to draft, for live lines
        vocabulary = program.vocabulary
        self._rows = [vocabulary.find(line.op) for line in lines]
        self._widths = Widths()
        self._known: dict[tuple[object, ...], int] = {}
        self._proposals: dict[tuple[int, tuple[int, ...]], Fraction] = {}

    def run(self) -> None:
        """Type every live line. Raises Rejection with the instruction and the reason."""
        number, live, node_of = len(self.lines) - 1, self._live(), self.node_of
        try:
            for number, line in enumerate(self.lines):
                if live[number]:
                    node_of[number] = self._node(number, line)
            self._close(self.drafts[node_of[number]].value)
        except Rejection as rejection:
            raise Rejection(f"{self._where(number)}: {rejection}") from None

    def _live(self) -> list[bool]:
        """Which lines the output depends on, through the inputs that are really read."""
        lines = self.lines
        live = [False] * len(lines)
        live[-1] = True
        for number in range(len(lines) - 1, -1, -1):
            if live[number]:
                row, inputs = self._rows[number], lines[number].inputs
                if inputs:
                    live[inputs[0]] = True
                if len(inputs) == 2 and (row is None or row.arity == 2):
                    live[inputs[1]] = True
        return live

    def _node(self, number: int, line: Line) -> int:
        primitive = self._rows[number]
        if primitive is not None:
            return self._apply(number, line, primitive)
        if line.op in (INPUT_1_OP, INPUT_2_OP):
            # CHOICE: both inputs of MAIN are the block's input; the paper leaves one unused.
            return self._add(Draft(INPUT_OP, (), None, 1, (), _BLOCK_INPUT, number, None))
        operand = self.node_of[line.inputs[0]]
        if line.op == MERGE_OP:
            return self._merge(number, line, operand)
        return operand  # a BRANCH_n_INPUT marker: the same value

    def _apply(self, number: int, line: Line, primitive: Primitive) -> int:
        instruction, node_of, drafts = line.instruction, self.node_of, self.drafts
        first = node_of[line.inputs[0]]
        over, value = drafts[first].over, drafts[first].value
        operands: tuple[int, ...] = (first,)
        values: tuple[Value, ...] = (value,)
        if primitive.arity == 2:
            second = node_of[line.inputs[1]]
            operands, values = (first, second), (value, drafts[second].value)
            if len(drafts[second].over) > len(over):
                over = drafts[second].over
            if primitive.commutative and second < first:
                operands = (second, first)
        constant = self.program.bank.constants[instruction.constant]
        proposal = self._proposal(line) if DIM in primitive.reads else ONE
        request = Request(primitive, constant, proposal, self._widths)
        result = RULES[primitive.rule](request, values)
        read = constant if CONSTANT in primitive.reads else None
        if primitive.owns_weights:  # never merged: each has weights of its own
            over = line.scope
            drafts.append(Draft(line.op, operands, read, 1, over, result, number, primitive))
            return len(drafts) - 1
        return self._add(Draft(line.op, operands, read, 1, over, result, number, primitive))

    def _proposal(self, line: Line) -> Fraction:
        """The relative width asked for: a branched operation's is divided (A.2)."""
        key = (line.instruction.dim, line.scope)
        proposal = self._proposals.get(key)
        if proposal is None:
            proposal = self.program.bank.dims[line.instruction.dim] / math.prod(line.scope)
            self._proposals[key] = proposal
        return proposal

    def _merge(self, number: int, line: Line, operand: int) -> int:
        source = self.drafts[operand]
        branches = line.instruction.branching
        if source.value.scores:
            raise Rejection("branches of scores cannot be concatenated along the channels")
        width = Width(source.value.width.var, source.value.width.ratio * branches)
        over, value = source.over[: len(line.scope)], Value(False, width)
        return self._add(Draft(MERGE_OP, (operand,), None, branches, over, value, number, None))

    def _add(self, draft: Draft) -> int:
        """The number of a new draft, or of an earlier one that computes the same."""
        op, inputs, constant, branches, *_ = draft
        key = (op, inputs, None if constant is None else constant.hex(), branches)
        known = self._known.setdefault(key, len(self.drafts))
        if known == len(self.drafts):
            self.drafts.append(draft)
        return known

    def _close(self, output: Value) -> None:
        """MAIN's output has the model's width; then every width becomes a number."""
        if output.scores:
            raise Rejection("the block's output is scores, not a sequence")
        if self._widths.is_column(output.width):
            raise Rejection("the block's output has a single channel")
        self._widths.unify(output.width, MODEL)
        roots = self._widths.solve(self.program.bank.width)
        self.widths = [self._widths.value(draft.value.width, roots) for draft in self.drafts]

    def _where(self, number: int) -> str:
        line = self.lines[number]
        name = self.program.subprograms[line.subprogram].name
        written = format_instruction(line.instruction, line.place, self.program.vocabulary)
        return f"S{line.subprogram} {name}, `{written}`"
