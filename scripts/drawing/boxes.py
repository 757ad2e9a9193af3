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
        source: Index of a box among `Box.boxes`; ~n for input n of the call itself.
        target: Index of a box; the number of boxes stands for the call's output.
        port: Which input of the target: 0 or 1; 0 for the call's output.
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
    width: str = ""
    inputs: tuple[int, ...] = ()
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
        self.program = graph.program

    def call(self, index: int, path: CallPath, branches: int, same: bool) -> Box:
        """The box of a call. `same` means that both its inputs are one value."""
        body = self.calls.body(index)
        label = f"S{index} {self.program.subprograms[index].name}"
        box = Box(label, branches=branches, subprogram=index, essence=(index,))
        source_of = {0: ~0, 1: ~0 if same else ~1}  # from a state to the source of its wires
        for place, instruction in enumerate(body):
            if not self.calls.is_live(index, place + INPUTS, path):
                continue
            child = self._child(index, place, path, instruction)
            states = (instruction.input1, instruction.input2)
            for port in child.inputs:
                box.wires.append(Wire(source_of[states[port]], len(box.boxes), port))
            source_of[place + INPUTS] = len(box.boxes)
            box.boxes.append(child)
        last = len(body) + INPUTS - 1
        box.inputs = tuple(sorted({~wire.source for wire in box.wires if wire.source < 0}))
        box.wires.append(Wire(source_of[last], len(box.boxes)))
        box.width = self._width(index, last, path)
        return box

    def _child(self, index: int, place: int, path: CallPath, instruction: Instruction) -> Box:
        """The box of a live instruction."""
        if isinstance(instruction.op, int):
            same = instruction.input1 == instruction.input2
            at = (*path, (index, place))
            child = self.call(instruction.op, at, instruction.branching, same)
        else:
            child = self._operation(instruction.op, instruction)
        child.place, child.width = place, self._width(index, place + INPUTS, path)
        return child

    def _operation(self, op: str, instruction: Instruction) -> Box:
        row, bank = self.program.vocabulary[op], self.program.bank
        constant = bank.constants[instruction.constant] if CONSTANT in row.reads else None
        dim = bank.dims[instruction.dim] if DIM in row.reads else None
        number = "" if constant is None else f" {format_number(float(f'{constant:.4g}'))}"
        return Box(
            row.name + number,
            inputs=tuple(range(row.arity)),
            branches=instruction.branching,
            weights=row.owns_weights,
            essence=(op, constant, dim, instruction.branching),
        )

    def _width(self, index: int, state: int, path: CallPath) -> str:
        """The width of a value, as the drawing shows it beside a wire."""
        node = self.calls.node(index, state, path)
        if node is None or node.scores:
            return "" if node is None else "scores"
        return str(node.width if self.cost is None else node.width.channels(self.cost.unit))
