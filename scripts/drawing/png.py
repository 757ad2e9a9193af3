"""Paints a drawing as PNG. Import it only for this: matplotlib takes long to import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch, Polygon
from matplotlib.path import Path as Outline

from primeval.scripts.drawing.looks import Look, look_of
from primeval.scripts.drawing.shapes import (
    Curve,
    Drawing,
    Rectangle,
    Shape,
    Text,
    arrow_head,
    pieces,
)

INCH = 100.0  # units of the drawing per inch
POINT = 72.0 / INCH  # points per unit
CODES = {"M": Outline.MOVETO, "L": Outline.LINETO, "C": Outline.CURVE4}


def paint(drawing: Drawing, path: Path, scale: float) -> None:
    """Write a PNG with `scale` pixels per unit. Raises OSError if it cannot be written."""
    figure = Figure((drawing.width / INCH, drawing.height / INCH), dpi=scale * INCH)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.axis("off")
    for order, shape in enumerate(drawing.shapes):
        _paint(axes, shape, order)
    figure.savefig(path, format="png", facecolor="white")


def _paint(axes: Any, shape: Shape, order: int) -> None:
    look = look_of(shape.look)
    if isinstance(shape, Text):
        face = {"family": "DejaVu Sans Mono", "weight": "bold" if look.bold else "normal"}
        side = "center" if shape.middle else "left"
        size = shape.size * POINT
        at = (shape.x, shape.y)
        axes.text(*at, shape.text, size=size, color=look.fill, ha=side, zorder=order, **face)
        return
    axes.add_patch(_patch(shape, look, order))
    if isinstance(shape, Curve) and shape.arrow:
        axes.add_patch(Polygon(arrow_head(shape), color=look.stroke, lw=0, zorder=order))


def _patch(shape: Rectangle | Curve, look: Look, order: int) -> Patch:
    style: dict[str, Any] = {
        "facecolor": look.fill,
        "edgecolor": look.stroke,
        "linewidth": look.thickness * POINT,
        "linestyle": (0, (4, 3)) if look.dashed else "solid",
        "zorder": order,
    }
    if isinstance(shape, Rectangle):
        box = f"round,pad=0,rounding_size={shape.radius}"
        return FancyBboxPatch(
            (shape.x, shape.y), shape.width, shape.height, boxstyle=box, **style
        )
    points = [point for _, piece in pieces(shape) for point in piece]
    codes = [CODES[kind] for kind, piece in pieces(shape) for _ in piece]
    return PathPatch(Outline(points, codes), **style)
