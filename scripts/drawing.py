"""A program as nested boxes: operations, in the calls they are made by, joined by wires.

A call is a box of its own with its operations inside, so that the drawing shows the program
as it was written; dead lines are left out. Where things go is decided in `layout.py`, and
how they look in `drawing_files.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from primeval.dna.calls import Calls, Path
from primeval.dna.cost import Cost
from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.dna.program import INPUTS, Instruction
from primeval.dna.text import format_number
from primeval.primitives.primitive import CONSTANT
from primeval.primitives.vocabulary import PRIMITIVES


@dataclass(frozen=True)
class Wire:
    """Carries a value from a box to an input of another, or to the output of the call.

    Attributes:
        source: Place of a box; ~n for input n of the call.
        target: Place of a box; the number of boxes for the call's output.
        port: Which input of the target.
    """

    source: int
    target: int
    port: int = 0


@dataclass
class Box:
    """An operation, or a call with what it does.

    Attributes:
        label: What is written on it.
        width: The width of its value, as text.
        ports: How many inputs it has.
        branches: How many copies of it run in parallel.
        subprogram: The subprogram called; None for operations.
        weights: Whether it owns trainable weights.
        boxes, wires: What is inside a call.
    """

    label: str
    width: str
    ports: int
    branches: int = 1
    subprogram: int | None = None
    weights: bool = False
    boxes: list[Box] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)


def draw_program(graph: Graph, cost: Cost | None = None) -> Box:
    """The box of MAIN. Widths are channels if the cost is given, else relative."""
    return _Drawer(graph, cost).call(0, (), 1, same=True)


class _Drawer:
    def __init__(self, graph: Graph, cost: Cost | None) -> None:
        self.calls, self.cost = Calls(graph), cost
        self.subprograms = graph.program.subprograms

    def call(self, index: int, path: Path, branches: int, same: bool) -> Box:
        """A call's box; `same` says that both its inputs are one value."""
        body = self.calls.body(index)
        box = Box(f"S{index} {self.subprograms[index].name}", "", 0, branches, index)
        place_of: dict[int, int] = {}  # state to box
        used: list[int] = []  # the inputs that are read, in order of their ports
        for place, instruction in enumerate(body):
            state = place + INPUTS
            if not self.calls.is_live(index, state, path):
                continue
            child, reads = self._child(index, place, path, instruction)
            place_of[state] = len(box.boxes)
            for port, read in enumerate(reads):
                box.wires.append(Wire(_source(read, place_of, same), place_of[state], port))
            used += [read * (not same) for read in reads if read < INPUTS]
            box.boxes.append(child)
        box.wires.append(Wire(place_of[len(body) + INPUTS - 1], len(box.boxes)))
        ports = sorted(set(used))
        box.ports = len(ports)
        box.wires = [
            wire
            if wire.source >= 0
            else Wire(~ports.index(~wire.source), wire.target, wire.port)
            for wire in box.wires
        ]
        box.width = self._width(index, len(body) + INPUTS - 1, path)
        return box

    def _child(
        self, index: int, place: int, path: Path, instruction: Instruction
    ) -> tuple[Box, list[int]]:
        """The box of a live instruction, and the states that its ports take."""
        inputs = [instruction.input1, instruction.input2]
        if isinstance(instruction.op, int):
            same = inputs[0] == inputs[1]
            at = (*path, (index, place))
            child = self.call(instruction.op, at, instruction.branching, same)
            read = [inputs[0]] if same else self._read(instruction.op, at, inputs)
        else:
            row = PRIMITIVES[instruction.op]
            read = inputs[: row.arity]
            constant = self.calls.graph.program.bank.constants[instruction.constant]
            number = f" {format_number(float(f'{constant:.4g}'))}"
            label = row.name + (number if CONSTANT in row.reads else "")
            child = Box(label, "", row.arity, instruction.branching, weights=row.owns_weights)
        child.width = self._width(index, place + INPUTS, path)
        return child, read

    def _read(self, index: int, path: Path, inputs: list[int]) -> list[int]:
        """Which of two different inputs a call reads."""
        read: set[int] = set()
        for place, instruction in enumerate(self.calls.body(index)):
            if not self.calls.is_live(index, place + INPUTS, path):
                continue
            states = [instruction.input1, instruction.input2]
            if not isinstance(instruction.op, int):
                states = states[: PRIMITIVES[instruction.op].arity]
            elif states[0] != states[1]:
                states = self._read(instruction.op, (*path, (index, place)), states)
            read |= {state for state in states if state < INPUTS}
        return [inputs[number] for number in sorted(read)]

    def _width(self, index: int, state: int, path: Path) -> str:
        node = self.calls.node(index, state, path)
        return "" if node is None else width_text(node, self.cost)


def _source(state: int, place_of: dict[int, int], same: bool) -> int:
    if state >= INPUTS:
        return place_of[state]
    return ~(0 if same else state)


def width_text(node: Node, cost: Cost | None) -> str:
    """A value's width as it is written beside a wire."""
    if node.scores:
        return "scores"
    return str(node.width if cost is None else node.width.channels(cost.unit))
