"""From resolved lines to typed nodes: liveness, kinds, widths, common subexpressions.

Dead lines are legal and mean nothing, so they are dropped before any rule looks at them
(paper, section 2: nodes that do not reach the output cost nothing). Operations without
weights are merged when they compute the same from the same; operations with weights never
are, as each has its own. The result is in order of execution; `graph.py` makes it canonical.
"""

from __future__ import annotations

from typing import NamedTuple

from primeval.dna.program import Program
from primeval.dna.resolve import INPUT_1_OP, INPUT_2_OP, MERGE_OP, Line
from primeval.dna.text import format_instruction, state_name
from primeval.primitives.primitive import Primitive, Vocabulary
from primeval.primitives.rules import RULES, Request, Value
from primeval.primitives.widths import COLUMN, MODEL, Rejection, Solved, Width, Widths

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


def live_lines(lines: list[Line], vocabulary: Vocabulary) -> list[bool]:
    """Which lines the output depends on, through the inputs that are really read."""
    live = [False] * len(lines)
    live[-1] = True
    for number in range(len(lines) - 1, -1, -1):
        if live[number]:
            for read in _operands(lines[number], vocabulary):
                live[read] = True
    return live


def _operands(line: Line, vocabulary: Vocabulary) -> tuple[int, ...]:
    row = vocabulary.find(line.op)
    return line.inputs[:1] if row is not None and row.arity == 1 else line.inputs


class Inference:
    """Types the live lines of one program; `nodes` and `node_of` hold the result."""

    def __init__(self, program: Program, lines: list[Line], vocabulary: Vocabulary) -> None:
        self.program, self.lines, self.vocabulary = program, lines, vocabulary
        self.live = live_lines(lines, vocabulary)
        self.nodes: list[Node] = []
        self.node_of: dict[int, int] = {}  # line to node, for live lines
        self._values: list[Value] = []
        self._widths = Widths()
        self._known: dict[tuple[object, ...], int] = {}

    def run(self) -> None:
        """Type every live line. Raises Rejection with the instruction and the reason."""
        number = len(self.lines) - 1
        try:
            for number, line in enumerate(self.lines):
                if self.live[number]:
                    self.node_of[number] = self._node(number, line)
            self._close(self._values[self.node_of[number]])
        except Rejection as rejection:
            raise Rejection(f"{self._where(number)}: {rejection}") from None

    def _node(self, number: int, line: Line) -> int:
        if line.op in (INPUT_1_OP, INPUT_2_OP):
            # CHOICE: both inputs of MAIN are the block's input; the paper leaves one unused.
            return self._add(number, INPUT_OP, (), Value(False, MODEL))
        operands = tuple(self.node_of[read] for read in _operands(line, self.vocabulary))
        if line.op == MERGE_OP:
            return self._merge(number, line, operands[0])
        if line.op in self.vocabulary:
            return self._apply(number, line, operands)
        return operands[0]  # a BRANCH_n_INPUT marker: the same value

    def _apply(self, number: int, line: Line, operands: tuple[int, ...]) -> int:
        primitive, instruction = self.vocabulary[line.op], line.instruction
        bank = self.program.bank
        constant = bank.constants[instruction.constant]
        proposal = bank.dims[instruction.dim]
        for count in line.scope:  # a branched operation's width is divided (A.2)
            proposal /= count
        request = Request(primitive, constant, proposal, self._widths)
        value = RULES[primitive.rule](request, tuple(self._values[at] for at in operands))
        if primitive.commutative:
            operands = tuple(sorted(operands))
        read = constant if "constant" in primitive.reads else None
        own = line.scope if primitive.owns_weights else None
        return self._add(number, line.op, operands, value, read, own=own)

    def _merge(self, number: int, line: Line, operand: int) -> int:
        value, instruction = self._values[operand], line.instruction
        branches = instruction.branching
        if value.scores:
            raise Rejection("branches of scores cannot be concatenated along the channels")
        width = Width(value.width.var, value.width.ratio * branches)
        over = self.nodes[operand].over[: len(line.scope)]
        merged = Value(False, width)
        return self._add(number, MERGE_OP, (operand,), merged, branches=branches, over=over)

    def _add(
        self,
        line: int,
        op: str,
        operands: tuple[int, ...],
        value: Value,
        constant: float | None = None,
        branches: int = 1,
        own: tuple[int, ...] | None = None,
        over: tuple[int, ...] | None = None,
    ) -> int:
        """A node for this value, or the one that computes the same already."""
        key = (op, operands, None if constant is None else constant.hex(), branches)
        if own is None and key in self._known:
            return self._known[key]
        if over is None:
            over = max((self.nodes[at].over for at in operands), key=len, default=())
        primitive = self.vocabulary.find(op)
        self._known[key] = len(self.nodes)
        self._values.append(value)
        self.nodes.append(
            Node(
                op,
                operands,
                constant,
                branches,
                over if own is None else own,
                value.scores,
                value.zero,
                _UNSOLVED,
                line,
                primitive,
            )
        )
        return len(self.nodes) - 1

    def _close(self, output: Value) -> None:
        """MAIN's output has the model's width; then every width becomes a number."""
        if output.scores:
            raise Rejection("the block's output is scores, not a sequence")
        if self._widths.is_column(output.width):
            raise Rejection("the block's output has a single channel")
        self._widths.unify(output.width, MODEL)
        roots = self._widths.solve(self.program.bank.width)
        self.nodes = [
            node._replace(width=self._widths.value(value.width, roots))
            for node, value in zip(self.nodes, self._values, strict=True)
        ]

    def _where(self, number: int) -> str:
        line = self.lines[number]
        name = self.program.subprograms[line.subprogram].name
        if not line.inputs:
            return f"S{line.subprogram} {name}"
        target = state_name(line.place + 2)
        written = format_instruction(
            line.instruction, target, dormant=False, vocabulary=self.vocabulary
        )
        return f"S{line.subprogram} {name}, `{written}`"


_UNSOLVED = Solved(COLUMN.ratio, True)
