"""Drawings as files: one list of shapes, written as SVG or painted as PNG.

SVG is written as text. PNG is painted by matplotlib, which brings its own fonts, so that both
look the same on a machine that has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph
from primeval.scripts.drawing import draw_program
from primeval.scripts.layout import HEADER, OP_HEIGHT, Placed, Point, place, walk
from primeval.search.locking import RunError

MARGIN, TITLE = 24.0, 34.0
ARROW = 3.2
INK, LINE, FAINT = "#22272e", "#5f6b7a", "#77818e"
PAPER, OP, WEIGHTS = "#ffffff", "#ffffff", "#ffe3a3"
# Of MAIN, then by subprogram: background and header of a call.
TINTS = (
    ("#f7f8fa", "#dfe3e8"),
    ("#eaf3fd", "#bcd9f7"),
    ("#edf7ec", "#c0e3bd"),
    ("#fdf0ea", "#f6cdb8"),
    ("#f4effb", "#d9c8f2"),
    ("#e9f6f6", "#b5dedd"),
    ("#fbf5e4", "#ecdca6"),
    ("#fceef4", "#f2c3d8"),
    ("#eef0f3", "#cdd3da"),
    ("#f1f6e5", "#d2e3a7"),
)
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
PNG_SCALE = 2.0  # pixels per unit


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = "none"
    radius: float = 5.0


@dataclass(frozen=True)
class Text:
    x: float
    y: float  # of the baseline
    text: str
    size: float = 11.0
    color: str = INK
    bold: bool = False
    middle: bool = False


@dataclass(frozen=True)
class Curve:
    """Alternating straight and curved pieces between corners, with an arrow at the end."""

    corners: tuple[Point, ...]
    arrow: bool = True


Shape = Rectangle | Text | Curve


@dataclass(frozen=True)
class Drawing:
    """Shapes in the order they are painted, on a page."""

    width: float
    height: float
    shapes: list[Shape]


def write_drawing(path: Path, name: str, graph: Graph, cost: Cost | None) -> None:
    """Draw a program into an SVG or PNG file. Raises RunError if it cannot be written."""
    writers = {".svg": _write_svg, ".png": _write_png}
    if path.suffix.lower() not in writers:
        raise RunError(f"A drawing is a file that ends in .svg or .png. Received: {path}.")
    drawing = make_drawing(name, graph, cost)
    try:
        writers[path.suffix.lower()](drawing, path)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None


def make_drawing(name: str, graph: Graph, cost: Cost | None) -> Drawing:
    """The picture of a program, its title and its legend."""
    placed = place(draw_program(graph, cost))
    top = MARGIN + TITLE
    shapes: list[Shape] = [Text(MARGIN, MARGIN + 8, name, 15, bold=True)]
    size = f"{len(graph.nodes)} operations"
    if cost is not None:
        size += f", {cost.parameters:,} parameters, width {cost.width}"
    shapes.append(Text(MARGIN, MARGIN + 24, size, 10, FAINT))
    boxes = list(walk(placed, MARGIN, top + 16))
    for draw in (_box, _wires):
        for x, y, box in boxes:
            shapes += draw(x, y, box)
    model = graph.nodes[0].width
    incoming = str(model if cost is None else model.channels(cost.unit))
    for port in placed.ports:
        x = MARGIN + port
        shapes += [
            Curve(((x, top - 6), (x, top + 16))),
            Text(x + 5, top + 6, incoming, 9, FAINT),
        ]
    x, y = MARGIN + placed.out, top + 16 + placed.height
    shapes += [Curve(((x, y), (x, y + 22))), Text(x + 5, y + 14, placed.box.width, 9, FAINT)]
    legend = (
        "numbers: widths in channels" + (" (u: units)" if cost is None else ""),
        "yellow: owns weights   ×n: n branches, side by side   left input first",
    )
    bottom = y + 46
    shapes += [Text(MARGIN, bottom + 14 * at, text, 9, FAINT) for at, text in enumerate(legend)]
    longest = max([len(legend[1]) * 5.5, len(size) * 6.1, len(name) * 9.1])
    width = 2 * MARGIN + max(placed.width, longest)
    return Drawing(width, bottom + 14 + MARGIN, shapes)


def _box(x: float, y: float, placed: Placed) -> Iterator[Shape]:
    box = placed.box
    badge = f" ×{box.branches}" if box.branches > 1 else ""
    if box.subprogram is None:
        fill = WEIGHTS if box.weights else OP
        for shift in (4.0, 2.0) if badge else ():
            yield Rectangle(x + shift, y + shift, placed.width, OP_HEIGHT, fill, LINE)
        yield Rectangle(x, y, placed.width, OP_HEIGHT, fill, LINE)
        middle = y + OP_HEIGHT / 2 + 4
        yield Text(x + placed.width / 2, middle, box.label + badge, middle=True)
        return
    background, header = TINTS[0 if not box.subprogram else 1 + (box.subprogram - 1) % 9]
    for shift in (8.0, 4.0) if badge else ():
        yield Rectangle(
            x + shift, y + shift, placed.width, placed.height, background, header, 8
        )
    yield Rectangle(x, y, placed.width, placed.height, background, LINE, 8)
    yield Rectangle(x + 0.5, y + 0.5, placed.width - 1, HEADER - 1, header, "none", 8)
    yield Text(x + 10, y + 15, box.label + badge, 11, bold=True)


def _wires(x: float, y: float, placed: Placed) -> Iterator[Shape]:
    """The wires in a call, and the width of each value beside the first of them."""
    box, last = placed.box, len(placed.box.boxes)
    labelled: set[int] = set()
    for wire, corners in zip(box.wires, placed.wires, strict=True):
        yield Curve(tuple((x + dx, y + dy) for dx, dy in corners), wire.target != last)
        inside = wire.target == last and box.branches == 1  # said once, below the call
        if wire.source >= 0 and wire.source not in labelled and not inside:
            labelled.add(wire.source)
            dx, dy = corners[0]
            source = box.boxes[wire.source]
            lower = 0.0 if source.branches == 1 else 8.0 if source.boxes else 3.0
            yield Text(x + dx + 5, y + dy + lower + 10, source.width, 9, FAINT)


def _write_svg(drawing: Drawing, path: Path) -> None:
    size = f'width="{drawing.width:.0f}" height="{drawing.height:.0f}"'
    view = f'viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} font-family="{FONT}">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        *(_svg(shape) for shape in drawing.shapes),
        "</svg>\n",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def _svg(shape: Shape) -> str:
    if isinstance(shape, Rectangle):
        return (
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
            f'height="{shape.height:.1f}" rx="{shape.radius:g}" fill="{shape.fill}" '
            f'stroke="{shape.stroke}"/>'
        )
    if isinstance(shape, Text):
        weight = ' font-weight="bold"' if shape.bold else ""
        anchor = ' text-anchor="middle"' if shape.middle else ""
        return (
            f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" '
            f'fill="{shape.color}"{weight}{anchor}>{escape(shape.text)}</text>'
        )
    words = []
    for kind, points in pieces(shape):
        words.append(kind + " ".join(f"{x:.1f},{y:.1f}" for x, y in points))
    line = f'<path d="{" ".join(words)}" fill="none" stroke="{LINE}"/>'
    if not shape.arrow:
        return line
    head = " ".join(f"{x:.1f},{y:.1f}" for x, y in arrow_head(shape))
    return f'{line}<polygon points="{head}" fill="{LINE}"/>'


def pieces(curve: Curve) -> Iterator[tuple[str, list[Point]]]:
    """Pieces of a path: `M` and `L` with a point, `C` with two controls and a point."""
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
    x, y = curve.corners[-1]
    return [(x, y), (x - ARROW, y - 2 * ARROW), (x + ARROW, y - 2 * ARROW)]


def _write_png(drawing: Drawing, path: Path) -> None:
    from primeval.scripts.drawing_png import paint

    paint(drawing, path, PNG_SCALE)
