"""A program as a Keras layer in plain Python: one class, one line for each operation.

It is written from the canonical graph, so that it computes what is trained, in the order of
the program. Branches are an axis before the positions, widths are parts of the input's width.
The forms are in `primitives/keras_text.py`; `keras_module.py` writes the module around the
class. The lines are laid out as ruff and black leave them, at 88 columns or any more.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from primeval.dna.check import ProgramError
from primeval.dna.cost import whole_step
from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
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
from primeval.primitives.primitive import Kernel
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
        model = graph.program.bank.width
        self._parts = [node.width.size / model for node in graph.nodes]
        self.step = int(whole_step(graph) * model)
        self.lines = self._statements()

    def weight_shape(self, number: int) -> str:
        """Shape of a node's weight, as an expression of `width` and `length`."""
        node = self.graph.nodes[number]
        primitive = self.graph.program.vocabulary[node.op]
        (read,) = node.inputs
        inputs, over = self._channels(read), list(map(str, node.over))
        taps, one = primitive.kernel_width, ["1"] if over else []
        if primitive.rule == "convolution":
            axes = [*over, self._channels(read, taps), self._channels(number)]
        else:  # only a depthwise convolution has taps
            axes = [*([str(taps)] if taps else []), *over, *one, inputs]
        return f"({', '.join(axes)}{',' if len(axes) == 1 else ''})"

    def weight_start(self, number: int) -> str:
        """The initializer of a node's weight, as an expression."""
        node = self.graph.nodes[number]
        primitive, (read,) = self.graph.program.vocabulary[node.op], node.inputs
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
        nodes, lines = self.graph.nodes, list[str]()
        order = program_order(self.graph)
        operations = [number for number in order if nodes[number].op != INPUT_OP]
        for heading, numbers in itertools.groupby(operations, self._heading):
            lines.append(f"# {heading}")
            for number in numbers:
                lines += self._statement(number, nodes[number])
        return [*lines, f"return {self.names.values[len(nodes) - 1]}"]

    def _heading(self, number: int) -> str:
        line = self.graph.lines[self.graph.nodes[number].line]
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
        operands = [self._operand(node, read) for read in node.inputs]
        source = self.graph.nodes[node.inputs[0]]
        words = {
            "a": operands[0],
            "b": operands[-1],
            "c": _number(node.constant),
            "w": f"self.{self.names.weights.get(number)}",
            "n": node.branches,
            "equation": matrix_equation(len(source.over), len(node.over)),
        }
        return tuple(part.format(**words) for part in self._form(node, source))

    def _form(self, node: Node, source: Node) -> tuple[str, ...]:
        primitive = node.primitive
        if primitive is None:
            return MERGE_OF_ONE if len(source.over) == len(node.over) else MERGE
        if primitive.rule == "convolution":
            return BRANCHED_MATRIX if node.over else MATRIX
        if counts_visible_keys(primitive, source.scores):
            return VISIBLE_MEAN
        if node.op not in self.kernels:
            return CALLS[node.op]
        second = ["{b}"] if primitive.arity == 2 else []
        constant = [] if node.constant is None else ["{c}"]
        return (self.kernels[node.op].__name__, "{a}", *second, *constant)

    def _operand(self, node: Node, read: int) -> str:
        """An operand as its operation reads it, its future overwritten where necessary.

        A convolution of several taps also reads the past. Other operations read one axis for
        each branch.
        """
        primitive, source, text = (
            node.primitive,
            self.graph.nodes[read],
            self.names.values[read],
        )
        if primitive is None:
            return text
        neutral = fill(primitive, source.scores, source.zero)
        if neutral is not None:
            form = FILL_ZERO if neutral == 0.0 else FILL
            text = form.format(a=text, v=_number(finite(neutral)))
        if primitive.rule == "convolution":
            taps = primitive.kernel_width
            return PAST.format(a=text, taps=taps) if taps > 1 else text
        for _ in range(len(node.over) - len(source.over)):
            text = NEW_BRANCH.format(a=text)
        return text


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
    rows = graph.program.vocabulary.values()
    used = {row.name: row.kernel for row in rows if row.name in ops and row.kernel is not None}
    for op, kernel in used.items():
        if not getattr(kernel, "__name__", "").isidentifier():
            raise ProgramError(
                f"{op} cannot be written as source: its kernel is not a function with a name. "
                "Write it with `def`, see docs/primitives.md."
            )
    return used
