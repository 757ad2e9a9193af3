"""A drawing as a list of shapes. Each shape names its look, which stands for its colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from primeval.dna.check import ProgramError
from primeval.dna.cost import Cost
from primeval.dna.graph import Graph
from primeval.dna.writing.facts import Facts
from primeval.scripts.drawing.boxes import Box, Change, draw_program
from primeval.scripts.drawing.difference import draw_difference
from primeval.scripts.drawing.layout import HEADER, OP_HEIGHT, Placed, Point, place, walk

MARGIN, TITLE = 24.0, 34.0
ARROW = 3.2  # half the width of an arrow head
TINTS = 9  # colours of calls; MAIN has a colour of its own, number 0
DRAW_ORDER = (Change.REMOVED, Change.KEPT, Change.ADDED)  # of wires; added ones lie on top


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    look: str
    radius: float = 5.0


@dataclass(frozen=True)
class Text:
    x: float
    y: float  # of the baseline
    text: str
    look: str
    size: float = 11.0
    middle: bool = False


@dataclass(frozen=True)
class Curve:
    """Alternating straight and curved pieces between corners, with an arrow at the end."""

    corners: tuple[Point, ...]
    look: str = "wire"
    arrow: bool = True


Shape = Rectangle | Text | Curve


@dataclass(frozen=True)
class Drawing:
    """Shapes on a page.

    Attributes:
        width, height: The size of the page.
        shapes: In the order in which they are painted. `looks.py` has the table of their looks.
        description: A sentence about what the drawing shows.
    """

    width: float
    height: float
    shapes: list[Shape]
    description: str


def make_drawing(name: str, facts: Facts) -> Drawing:
    """The drawing of a program, with title and legend.

    Raises ProgramError if it has no meaning.
    """
    graph, cost = _drawable(facts, "this program")
    size = _size(graph, cost)
    legend = [_widths(cost), _MARKS]
    return _page(draw_program(graph, cost), _incoming(graph, cost), name, size, legend)


def difference_drawing(name: str, old: Facts, new: Facts) -> Drawing:
    """The joint drawing of two programs, at the new one's scale.

    Raises ProgramError if one of them has no meaning.
    """
    last = _drawable(new, "this program")
    pairs = [_drawable(old, "one of the programs"), last]
    boxes = [(graph.program, draw_program(graph, cost)) for graph, cost in pairs]
    joint = draw_difference(*boxes)
    counts = {change: sum(_counted(joint, change)) for change in Change}
    size = f"{counts[Change.ADDED]} operations added, {counts[Change.REMOVED]} removed"
    legend = [_widths(last[1]), _MARKS, "green, bold: added   faded, dashed: removed"]
    return _page(joint, _incoming(*last), name, size, legend)


def _drawable(facts: Facts, which: str) -> tuple[Graph, Cost | None]:
    if facts.graph is None:
        raise ProgramError(f"Nothing can be drawn: {which} {facts.problem}.")
    return (facts.cost.graph if facts.cost else facts.graph), facts.cost


_MARKS = "yellow: owns weights   ×n: n branches, side by side   left input first"


def _widths(cost: Cost | None) -> str:
    return "numbers: widths in channels" + (" (u: units)" if cost is None else "")


def _size(graph: Graph, cost: Cost | None) -> str:
    size = f"{len(graph.nodes)} operations"
    if cost is not None:
        size += f", {cost.parameters:,} parameters, width {cost.width}"
    return size


def _incoming(graph: Graph, cost: Cost | None) -> str:
    """The width of MAIN's input, as text."""
    model = graph.nodes[0].width
    return str(model if cost is None else model.channels(cost.unit))


def _counted(box: Box, change: Change) -> Iterator[bool]:
    """For each operation in a box, whether it has this change."""
    if not box.boxes:
        yield box.change is change
    for inner in box.boxes:
        yield from _counted(inner, change)


def _page(main: Box, incoming: str, name: str, size: str, legend: list[str]) -> Drawing:
    placed, top = place(main), MARGIN + TITLE
    shapes: list[Shape] = [
        Text(MARGIN, MARGIN + 8, name, "title", 15),
        Text(MARGIN, MARGIN + 24, size, "note", 10),
    ]
    boxes = list(walk(placed, MARGIN, top + 16))
    for x, y, box in boxes:
        shapes += (_operation if box.box.subprogram is None else _call)(x, y, box)
    for x, y, box in boxes:
        shapes += _wires(x, y, box)
    ends = [(port, top - 6, 12, incoming) for port in placed.ports.values()]
    ends.append((placed.out, top + 16 + placed.height, 14, placed.box.width))
    for out, y, lower, text in ends:
        x = MARGIN + out
        shapes += [Curve(((x, y), (x, y + 22))), Text(x + 5, y + lower, text, "width", 9)]
    bottom = y + 46
    shapes += [
        Text(MARGIN, bottom + 14 * at, text, "note", 9) for at, text in enumerate(legend)
    ]
    bottom += 14 * (len(legend) - 1)
    longest = max([*(len(text) * 5.5 for text in legend), len(size) * 6.1, len(name) * 9.1])
    width = 2 * MARGIN + max(placed.width, longest)
    return Drawing(width, bottom + MARGIN, shapes, f"Drawing of {name}: {size}.")


def _operation(x: float, y: float, placed: Placed) -> Iterator[Shape]:
    box = placed.box
    look = _look("weights" if box.weights else "operation", box.change)
    for shift in (4.0, 2.0) if box.branches > 1 else ():
        yield Rectangle(x + shift, y + shift, placed.width, OP_HEIGHT, look)
    yield Rectangle(x, y, placed.width, OP_HEIGHT, look)
    middle = y + OP_HEIGHT / 2 + 4
    look = _look("label", box.change)
    yield Text(x + placed.width / 2, middle, box.title, look, middle=True)


def _call(x: float, y: float, placed: Placed) -> Iterator[Shape]:
    """The background and the header of a call, without the boxes in it."""
    box, width, height = placed.box, placed.width, placed.height
    tint = 1 + (box.subprogram - 1) % TINTS if box.subprogram else 0
    for shift in (8.0, 4.0) if box.branches > 1 else ():
        look = _look(f"behind{tint}", box.change)
        yield Rectangle(x + shift, y + shift, width, height, look, 8)
    yield Rectangle(x, y, width, height, _look(f"call{tint}", box.change), 8)
    look = _look(f"header{tint}", box.change)
    yield Rectangle(x + 0.5, y + 0.5, width - 1, HEADER - 1, look, 8)
    noted = Change.ADDED if box.note and box.change is Change.KEPT else box.change
    yield Text(x + 10, y + 15, box.title, _look("name", noted))


def _wires(x: float, y: float, placed: Placed) -> Iterator[Shape]:
    """The wires in a call. The width of a value stands beside its first wire."""
    box, output = placed.box, len(placed.box.boxes)
    labelled: set[int] = set()
    drawn = list(zip(box.wires, placed.wires, strict=True))
    for wire, corners in sorted(drawn, key=lambda one: DRAW_ORDER.index(one[0].change)):
        corners_here = tuple((x + dx, y + dy) for dx, dy in corners)
        yield Curve(corners_here, _look("wire", wire.change), wire.target != output)
        if wire.source < 0 or wire.source in labelled:
            continue
        if wire.target == output and box.branches == 1:
            continue  # the same width is drawn below the call
        labelled.add(wire.source)
        dx, dy = corners[0]
        source = box.boxes[wire.source]
        lower = 0.0 if source.branches == 1 else 8.0 if source.boxes else 3.0
        look = _look("width", source.change)
        yield Text(x + dx + 5, y + dy + lower + 10, source.width, look, 9)


def _look(kind: str, change: Change) -> str:
    return f"{kind} {change.value}".rstrip()


def pieces(curve: Curve) -> Iterator[tuple[str, list[Point]]]:
    """Pieces of a path: `M` or `L` with a point, `C` with two control points and a point."""
    (x, y), *rest = curve.corners
    yield "M", [(x, y)]
    for to_x, to_y in rest:
        if abs(to_x - x) < 0.5:
            yield "L", [(to_x, to_y)]
        else:
            middle = (y + to_y) / 2
            yield "C", [(x, middle), (to_x, middle), (to_x, to_y)]
        x, y = to_x, to_y


def arrow_head(curve: Curve) -> list[Point]:
    """The corners of the triangle at the end of a wire, which points down."""
    x, y = curve.corners[-1]
    return [(x, y), (x - ARROW, y - 2 * ARROW), (x + ARROW, y - 2 * ARROW)]
