"""Paints a drawing as PNG with matplotlib, which is heavy: imported only for this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch, PathPatch, Polygon
from matplotlib.path import Path as Outline

from primeval.scripts.drawing_files import (
    LINE,
    Curve,
    Drawing,
    Rectangle,
    Shape,
    Text,
    arrow_head,
    pieces,
)

INCH = 100.0  # units of the drawing
POINT = 72.0 / INCH
CODES = {"M": Outline.MOVETO, "L": Outline.LINETO, "C": Outline.CURVE4}


def paint(drawing: Drawing, path: Path, scale: float) -> None:
    """Write a PNG with `scale` pixels per unit. Raises OSError."""
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
    if isinstance(shape, Text):
        face = {"family": "DejaVu Sans Mono", "weight": "bold" if shape.bold else "normal"}
        side = "center" if shape.middle else "left"
        size = shape.size * POINT
        at = (shape.x, shape.y)
        axes.text(*at, shape.text, size=size, color=shape.color, ha=side, zorder=order, **face)
        return
    axes.add_patch(_patch(shape, order))
    if isinstance(shape, Curve) and shape.arrow:
        axes.add_patch(Polygon(arrow_head(shape), color=LINE, lw=0, zorder=order))


def _patch(shape: Rectangle | Curve, order: int) -> Patch:
    if isinstance(shape, Rectangle):
        return FancyBboxPatch(
            (shape.x, shape.y),
            shape.width,
            shape.height,
            boxstyle=f"round,pad=0,rounding_size={shape.radius}",
            facecolor=shape.fill,
            edgecolor=shape.stroke,
            linewidth=POINT,
            zorder=order,
        )
    points = [point for _, piece in pieces(shape) for point in piece]
    codes = [CODES[kind] for kind, piece in pieces(shape) for _ in piece]
    outline = Outline(points, codes)
    return PathPatch(outline, facecolor="none", edgecolor=LINE, lw=POINT, zorder=order)
