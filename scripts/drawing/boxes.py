"""A program as nested boxes: a box for each operation and each call, joined by wires.

The box of a call holds what the called subprogram does, so that the drawing shows the program
as it was written. Dead lines are left out. `difference.py` joins the boxes of two programs,
`layout.py` decides where the boxes go, and `shapes.py` how they are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.dna.printing import format_number
from primeval.dna.program import INPUTS, Instruction
from primeval.dna.writing.calls import CallPath, Calls
from primeval.primitives.primitive import CONSTANT, DIM


class Change(str, Enum):
    """What happened to a box or a wire between the old program and the new one."""

    KEPT = ""
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class Wire:
    """Carries a value from a box to an input of another, or to the output of the call.

    Attributes:
        source: Index of a box among `Box.boxes`; ~n for `inputs[n]` of the call itself.
        target: Index of a box; the number of boxes stands for the call's output.
        port: Which input of the target, as an index into its `inputs`.
        change: Whether the wire is new, gone, or in both programs.
    """

    source: int
    target: int
    port: int = 0
    change: Change = Change.KEPT


@dataclass
class Box:
    """An operation, or a call with everything that it does.

    Attributes:
        label: The name written on the box.
        width: The width of its value, as text.
        inputs: Which inputs it reads: 0, 1 or both. If both are one value, that is input 0.
        branches: How many copies of it run in parallel.
        subprogram: The index of the called subprogram; None for operations.
        weights: Whether it owns trainable weights.
        boxes, wires: What is inside a call.
        place: The index of its instruction in its subprogram.
        essence: What its own line says: the operation with its arguments, or the subprogram.
        change: Whether the box is new, gone, or in both programs.
        note: Any other change, in words.
    """

    label: str
    width: str
    inputs: tuple[int, ...]
    branches: int = 1
    subprogram: int | None = None
    weights: bool = False
    boxes: list[Box] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    place: int = 0
    essence: tuple[object, ...] = ()
    change: Change = Change.KEPT
    note: str = ""

    @property
    def ports(self) -> int:
        """The number of inputs that it reads."""
        return len(self.inputs)

    @property
    def title(self) -> str:
        """The whole text on the box."""
        badge = f" ×{self.branches}" if self.branches > 1 else ""
        return self.label + badge + (f" ({self.note})" if self.note else "")


def draw_program(graph: Graph, cost: Cost | None = None) -> Box:
    """The box of MAIN. Widths are in channels if the cost is given, otherwise in units."""
    return _Drawer(graph, cost).call(0, (), 1, same=True)


class _Drawer:
    def __init__(self, graph: Graph, cost: Cost | None) -> None:
        self.calls, self.cost = Calls(graph), cost
        self.program, self.subprograms = graph.program, graph.program.subprograms

    def call(self, index: int, path: CallPath, branches: int, same: bool) -> Box:
        """The box of a call. `same` means that both its inputs are one value."""
        body = self.calls.body(index)
        label = f"S{index} {self.subprograms[index].name}"
        box = Box(label, "", (), branches, index, essence=(index,))
        place_of: dict[int, int] = {}  # from a state to the index of its box
        used: list[int] = []  # the inputs that are read
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
        box.inputs = tuple(sorted(set(used)))
        box.wires = [
            wire
            if wire.source >= 0
            else Wire(~box.inputs.index(~wire.source), wire.target, wire.port)
            for wire in box.wires
        ]
        box.width = self._width(index, len(body) + INPUTS - 1, path)
        return box

    def _child(
        self, index: int, place: int, path: CallPath, instruction: Instruction
    ) -> tuple[Box, list[int]]:
        """The box of a live instruction, and the state that each of its inputs reads."""
        inputs = [instruction.input1, instruction.input2]
        if isinstance(instruction.op, int):
            same = inputs[0] == inputs[1]
            at = (*path, (index, place))
            child = self.call(instruction.op, at, instruction.branching, same)
            read = [inputs[0]] if same else self._read(instruction.op, at, inputs)
        else:
            child = self._operation(instruction.op, instruction)
            read = [inputs[number] for number in child.inputs]
        child.place = place
        child.width = self._width(index, place + INPUTS, path)
        return child, read

    def _operation(self, op: str, instruction: Instruction) -> Box:
        row, bank = self.program.vocabulary[op], self.program.bank
        constant = bank.constants[instruction.constant] if CONSTANT in row.reads else None
        dim = bank.dims[instruction.dim] if DIM in row.reads else None
        number = "" if constant is None else f" {format_number(float(f'{constant:.4g}'))}"
        return Box(
            row.name + number,
            "",
            tuple(range(row.arity)),
            instruction.branching,
            weights=row.owns_weights,
            essence=(op, constant, dim, instruction.branching),
        )

    def _read(self, index: int, path: CallPath, inputs: list[int]) -> list[int]:
        """Which of its two inputs a call reads, if they are different values."""
        read: set[int] = set()
        for place, instruction in enumerate(self.calls.body(index)):
            if not self.calls.is_live(index, place + INPUTS, path):
                continue
            states = [instruction.input1, instruction.input2]
            if not isinstance(instruction.op, int):
                states = states[: self.program.vocabulary[instruction.op].arity]
            elif states[0] != states[1]:
                states = self._read(instruction.op, (*path, (index, place)), states)
            read |= {state for state in states if state < INPUTS}
        return [inputs[number] for number in sorted(read)]

    def _width(self, index: int, state: int, path: CallPath) -> str:
        node = self.calls.node(index, state, path)
        return "" if node is None else width_text(node, self.cost)


def _source(state: int, place_of: dict[int, int], same: bool) -> int:
    if state >= INPUTS:
        return place_of[state]
    return ~(0 if same else state)


def width_text(node: Node, cost: Cost | None) -> str:
    """The width of a value, as the drawing shows it beside a wire."""
    if node.scores:
        return "scores"
    return str(node.width if cost is None else node.width.channels(cost.unit))
