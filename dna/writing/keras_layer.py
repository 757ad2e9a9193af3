"""A program as a Keras layer in plain Python: one class, one line for each operation.

It is written from the canonical graph, so that it computes what is trained, in the order of
the program. Branches are an axis before the positions, widths are parts of the input's width.
The forms are in `primitives/keras_text.py`; `keras_module.py` writes the module around the
class. The lines are laid out as ruff and black leave them, at 88 columns or any more.
"""

from __future__ import annotations

import math
from fractions import Fraction

from primeval.dna.check import ProgramError
from primeval.dna.cost import whole_step
from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.dna.resolve import Line
from primeval.dna.writing.names import name_nodes, program_order
from primeval.primitives.keras_text import (
    BRANCHED_MATRIX,
    CALLS,
    FILL,
    FILL_ZERO,
    HELPERS,
    INITIALIZERS,
    MATRIX,
    MERGE,
    MERGE_OF_ONE,
    NEW_BRANCH,
    OPERATORS,
    PAST,
    VISIBLE_MEAN,
)
from primeval.primitives.primitive import Kernel, Primitive
from primeval.primitives.rules import (
    counts_visible_keys,
    fill,
    finite,
    initial,
    matrix_equation,
)

WIDE = 88  # columns
BODY = " " * 8


class BlockSource:
    """The class of a graph, as text.

    Raises ProgramError if the kernel of a user's primitive has no name to be called by.

    Attributes:
        graph: What it computes.
        kernels: The users' kernels that it calls, by primitive.
        names: Names of the values and weights.
        lines: The statements of its `call`.
        step: What the width must be a multiple of.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.kernels = graph, _kernels(graph)
        taken = {*HELPERS, *(kernel.__name__ for kernel in self.kernels.values())}
        self.names = name_nodes(graph, taken)
        self._owners = {
            number: node.primitive
            for number, node in enumerate(graph.nodes)
            if node.primitive is not None and node.primitive.owns_weights
        }
        model = graph.program.bank.width
        self._parts = [node.width.size / model for node in graph.nodes]
        self.step = int(whole_step(graph) * model)
        self.lines = self._statements()

    def weight_shape(self, number: int) -> str:
        """Shape of a node's weight, as an expression of `width` and `length`."""
        node, primitive = self.graph.nodes[number], self._owners[number]
        (read,) = node.inputs
        inputs, over = self._channels(read), list(map(str, node.over))
        one = ["1"] if over else []
        if primitive.rule == "convolution":
            taps = primitive.kernel_width
            axes = [*over, self._channels(read, taps), self._channels(number)]
        elif primitive.rule == "depthwise":
            axes = [str(primitive.kernel_width), *over, *one, inputs]
        else:
            axes = [*over, *one, inputs]
        return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"

    def weight_start(self, number: int) -> str:
        """The initializer of a node's weight, as an expression."""
        primitive, (read,) = self._owners[number], self.graph.nodes[number].inputs
        inputs = self._channels(read, primitive.kernel_width or 1)
        return INITIALIZERS[initial(primitive)].format(inputs=inputs)

    def _channels(self, number: int, times: int = 1) -> str:
        """Size of the last axis of a node's value, as an expression."""
        node = self.graph.nodes[number]
        if node.scores:
            return "length" if times == 1 else f"{times} * length"
        if node.width.absolute:
            return str(node.width.size * times)
        return _part_of("width", self._parts[number] * times)

    def _shape(self, number: int) -> str:
        """Shape of a node's value, in words."""
        node = self.graph.nodes[number]
        last = ["query", "key"] if node.scores else ["position", self._channels(number)]
        return f"({', '.join(['batch', *map(str, node.over), *last])})"

    def _statements(self) -> list[str]:
        """A line for each operation, under headings that name its subprogram."""
        lines: list[str] = []
        heading = ""
        for number in program_order(self.graph):
            node = self.graph.nodes[number]
            if node.op == INPUT_OP:
                continue
            place = self._heading(self.graph.lines[node.line])
            if place != heading:
                lines.append(f"# {place}")
                heading = place
            lines += self._statement(number, node)
        return [*lines, f"return {self.names.values[len(self.graph.nodes) - 1]}"]

    def _heading(self, line: Line) -> str:
        indices = [*(index for index, _ in line.path), line.subprogram]
        names = [f"S{at} {self.graph.program.subprograms[at].name}" for at in indices]
        branches = f", {math.prod(line.scope)} branches" if line.scope else ""
        return " > ".join(names[1:] or names) + branches

    def _statement(self, number: int, node: Node) -> list[str]:
        call, operator = self._call(number, node), OPERATORS.get(node.op, "")
        shape = self._shape(number)
        note = "" if shape == self._shape(node.inputs[0]) else shape
        return assignment(self.names.values[number], call, operator, note)

    def _call(self, number: int, node: Node) -> tuple[str, ...]:
        """The function that computes a node, and its arguments."""
        primitive = node.primitive
        if primitive is None:
            return self._merge(node)
        if primitive.rule == "convolution":
            return self._matrix(number, node, primitive)
        operands = [self._operand(node, primitive, read) for read in node.inputs]
        weight = f"self.{self.names.weights.get(number)}"
        words = {"a": operands[0], "b": operands[-1], "c": _number(node.constant), "w": weight}
        return tuple(part.format(**words) for part in self._form(node))

    def _merge(self, node: Node) -> tuple[str, ...]:
        (read,) = node.inputs
        same = len(self.graph.nodes[read].over) == len(node.over)
        form: tuple[str, ...] = MERGE_OF_ONE if same else MERGE
        return tuple(part.format(a=self.names.values[read], n=node.branches) for part in form)

    def _form(self, node: Node) -> tuple[str, ...]:
        kernel = self.kernels.get(node.op)
        if node.primitive and counts_visible_keys(
            node.primitive, self.graph.nodes[node.inputs[0]]
        ):
            return VISIBLE_MEAN
        if kernel is None:
            return CALLS[node.op]
        if len(node.inputs) == 2:
            return (kernel.__name__, "{a}", "{b}")
        return (kernel.__name__, "{a}", *([] if node.constant is None else ["{c}"]))

    def _matrix(self, number: int, node: Node, primitive: Primitive) -> tuple[str, ...]:
        (read,) = node.inputs
        operand = self._filled(primitive, read)
        if primitive.kernel_width > 1:
            operand = PAST.format(a=operand, taps=primitive.kernel_width)
        form: tuple[str, ...] = BRANCHED_MATRIX if node.over else MATRIX
        equation = matrix_equation(len(self.graph.nodes[read].over), len(node.over))
        weight = f"self.{self.names.weights[number]}"
        return tuple(part.format(a=operand, w=weight, equation=equation) for part in form)

    def _operand(self, node: Node, primitive: Primitive, read: int) -> str:
        """An operand, its future overwritten, with an axis for each branch."""
        text = self._filled(primitive, read)
        for _ in range(len(node.over) - len(self.graph.nodes[read].over)):
            text = NEW_BRANCH.format(a=text)
        return text

    def _filled(self, primitive: Primitive, read: int) -> str:
        text, neutral = self.names.values[read], fill(primitive, self.graph.nodes[read])
        if neutral is None:
            return text
        if neutral == 0.0:
            return FILL_ZERO.format(a=text)
        return FILL.format(a=text, v=_number(finite(neutral)))


def _number(value: float | None) -> str:
    return repr(value).replace("e+", "e")


def _part_of(name: str, part: Fraction) -> str:
    """An expression for the whole number `part` times `name`."""
    text = name if part.numerator == 1 else f"{part.numerator} * {name}"
    return text if part.denominator == 1 else f"{text} // {part.denominator}"


def assignment(
    target: str, call: tuple[str, ...], operator: str = "", note: str = ""
) -> list[str]:
    """The statement `target = function(arguments)`, or with the operator where that fits.

    A statement that does not fit on a line gets a line for each argument, a layout that
    formatters keep at any width. The note stands behind the first line, if there is room.
    """
    function, *arguments = call
    line = f"{target} = {function}({', '.join(arguments)})"
    if operator:
        first, second = arguments
        line = f"{target} = {first} {operator} {second}"
    rest: list[str] = []
    if len(BODY) + len(line) > WIDE:
        line, rest = f"{target} = {function}(", [*(f"    {text}," for text in arguments), ")"]
    noted = f"{line}  # {note}"
    return [noted if note and len(BODY) + len(noted) <= WIDE else line, *rest]


def _kernels(graph: Graph) -> dict[str, Kernel]:
    """The users' kernels in a graph. Raises ProgramError for one that has no source."""
    ops = {node.op for node in graph.nodes}
    rows = [row for row in graph.program.vocabulary.values() if row.name in ops]
    used = {row.name: row.kernel for row in rows if row.kernel is not None}
    for op, kernel in used.items():
        if not getattr(kernel, "__name__", "").isidentifier():
            raise ProgramError(
                f"{op} cannot be written as source: its kernel is not a function with a name. "
                "Write it with `def`, see docs/primitives.md."
            )
    return used
