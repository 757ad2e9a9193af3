"""A program as the TensorFlow functions it decodes to (paper, Figure 2), for people.

Each subprogram is a Python function, each instruction a line, each call a call. The code runs
as printed and needs TensorFlow only. If a subprogram has different meanings in different calls
(other widths, scores instead of a sequence), each meaning is a function. The templates are in
`primitives/tensorflow_text.py`. Training lowers the graph instead of running this text.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Iterator, Mapping

from primeval.dna.check import ProgramError
from primeval.dna.cost import Cost, Scale, measure, node_weight_shape
from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.dna.printing import format_instruction, state_name
from primeval.dna.program import INPUTS, Instruction
from primeval.dna.writing.calls import CallPath, Calls
from primeval.primitives.primitive import Primitive
from primeval.primitives.rules import counts_visible_keys, fill, initial
from primeval.primitives.tensorflow_text import (
    FILL,
    FILL_ZERO,
    HELPERS,
    TEMPLATES,
    VISIBLE_MEAN,
    WEIGHT_CALLS,
)

WIDE = 88  # columns of the printed text
Names = Mapping[int, list[str]]  # of states, by subprogram


def format_code(graph: Graph, scale: Scale, names: Names | None = None) -> str:
    """A Python module with the block as `block(x)`, its widths those of the scale.

    `names` gives the states of a subprogram other names than letters, as `diff.pair` does.
    Raises Rejection if no unit fits the scale, and ProgramError for a user's primitive that was
    registered without code.
    """
    cost = measure(graph, scale)
    writer = _Writer(cost, scale.length, names or {})
    main = writer.function(0, ())
    functions = "\n\n".join(writer.in_order())
    used = [name for name in HELPERS if name == "weight" or f"{name}(" in functions]
    helpers = "\n\n".join(HELPERS[name] for name in used)
    size = f"{scale.length}, {cost.width}"
    return f'''\
import math

import tensorflow as tf

{helpers}

{functions}

def block(x):
    """One layer of the model: (batch, {size}) to the same shape."""
    return {main}(x, x, "")


if __name__ == "__main__":
    x = tf.random.normal((2, {size}))
    y = block(x)
    count = sum(math.prod(variable.shape) for variable in WEIGHTS.values())
    print(f"{{x.shape}} -> {{y.shape}}, {{count:,}} weights")
'''


class _Writer:
    """Writes the functions of subprograms; equal ones become one."""

    def __init__(self, cost: Cost, length: int, names: Names) -> None:
        self.cost, self.graph, self.length = cost, cost.graph, length
        self._names = names
        self._program, self._calls = self.graph.program, Calls(self.graph)
        self._bodies: dict[tuple[int, str], str] = {}  # subprogram and body to name

    def in_order(self) -> Iterator[str]:
        """All functions, MAIN first."""
        for (_, body), name in sorted(self._bodies.items(), key=lambda item: item[0][0]):
            yield f"def {name}(a, b, at):\n{body}\n"

    def function(self, index: int, path: CallPath) -> str:
        """Writes subprogram `index` as it is called by `path`; returns the function's name."""
        subprogram = self._program.subprograms[index]
        lines = [f'    """Subprogram {index}, {subprogram.name}."""']
        for place in range(len(subprogram.instructions)):
            lines += self._instruction(index, place, path)
        output = len(subprogram.instructions) + INPUTS - 1
        lines.append(f"    return {self._variable(index, output)}")
        key = (index, "\n".join(lines))
        if key not in self._bodies:
            same = sum(other == index for other, _ in self._bodies)
            name = re.sub(r"[^A-Za-z0-9_]", "_", f"s{index}_{subprogram.name}")
            self._bodies[key] = f"{name}_{same + 1}" if same else name
        return self._bodies[key]

    def _instruction(self, index: int, place: int, path: CallPath) -> list[str]:
        instruction = self._calls.body(index)[place]
        state = place + INPUTS
        if not self._calls.is_live(index, state, path):
            vocabulary, names = self._program.vocabulary, self._names.get(index)
            written = format_instruction(instruction, place, vocabulary, names)
            return [f"    # {written}: dead, nothing depends on it"]
        branch = "{branch}" if instruction.branching > 1 else ""
        name = f"{{at}}{self._name(index, state)}{branch}"
        if isinstance(instruction.op, int):
            called = self.function(instruction.op, (*path, (index, place)))
            inputs = ", ".join(
                self._variable(index, read)
                if self._calls.is_live(index, read, path)
                else "None"
                for read in (instruction.input1, instruction.input2)
            )
            value, comment = f'{called}({inputs}, f"{name}.")', ""
        else:
            number = self._calls.operation(index, place, path)
            value, comment = self._primitive(instruction, number, f'f"{name}"')
        lines = [f"    # {comment}"] if comment else []
        return lines + _assignment(self._variable(index, state), value, instruction.branching)

    def _primitive(self, instruction: Instruction, number: int, name: str) -> tuple[str, str]:
        """The expression of a live line, and a comment about it, which may be empty."""
        line, graph = self.graph.lines[number], self.graph
        node = graph.nodes[graph.node_of[number]]
        primitive = node.primitive
        template = primitive and TEMPLATES.get(primitive.name, primitive.code)
        if primitive is None or not template:
            raise ProgramError(
                f"{line.op} cannot be printed as TensorFlow: it was registered without "
                "code. Register it with register(..., code=...), see docs/primitives.md."
            )
        sources = [graph.nodes[graph.node_of[read]] for read in line.inputs[: primitive.arity]]
        reads = (instruction.input1, instruction.input2)
        operands = [self._variable(line.subprogram, read) for read in reads]
        comment = ""
        for place, source in enumerate(sources):
            neutral = fill(primitive, source.scores, source.zero)
            if neutral is not None:
                operands[place] = _filled(operands[place], neutral)
                comment = f"causal: it reads across keys, and sees {neutral:g} for later ones"
        if counts_visible_keys(primitive, sources[0].scores):
            template = VISIBLE_MEAN
        constant = self._program.bank.constants[instruction.constant]
        weight = self._weight(node, primitive, name) if primitive.owns_weights else ""
        a, b = operands
        return template.format(a=a, b=b, c=constant, w=weight), comment

    def _name(self, index: int, state: int) -> str:
        return self._names[index][state] if index in self._names else state_name(state)

    def _variable(self, index: int, state: int) -> str:
        """The state's name, with `_` behind it if Python or the printed code uses it."""
        name = self._name(index, state)
        return f"{name}_" if keyword.iskeyword(name) or name in ("at", "tf") else name

    def _weight(self, node: Node, primitive: Primitive, name: str) -> str:
        shape = node_weight_shape(self.graph, node, self.cost.unit, self.length)
        own = shape[len(node.over) :]
        if primitive.kernel_width == 1:
            own = own[1:]
        shown = ", ".join(map(str, own))
        return WEIGHT_CALLS[initial(primitive)].format(name=name, shape=shown)


def _filled(operand: str, neutral: float) -> str:
    value = str(neutral) if math.isfinite(neutral) else f'float("{neutral}")'
    return (FILL_ZERO if neutral == 0.0 else FILL).format(a=operand, v=value)


def _assignment(target: str, value: str, branches: int) -> list[str]:
    if branches == 1:
        return _wrapped(f"    {target} = {value}")
    inner = f"[{value} for branch in range({branches})]"
    line = f"    {target} = tf.concat({inner}, axis=-1)"
    if len(line) <= WIDE:
        return [line]
    if len(inner) + 8 <= WIDE - 10:
        return [f"    {target} = tf.concat(", f"        {inner}, axis=-1", "    )"]
    return [
        f"    {target} = tf.concat(",
        "        [",
        f"            {value}",
        f"            for branch in range({branches})",
        "        ],",
        "        axis=-1,",
        "    )",
    ]


def _wrapped(line: str) -> list[str]:
    """The line; if it is too long, with the outermost call's arguments on their own line."""
    if len(line) <= WIDE or not line.endswith(")"):
        return [line]
    head, _, arguments = line.partition("(")
    return [f"{head}(", f"        {arguments[:-1]}", "    )"]
