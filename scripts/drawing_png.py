"""Paints a drawing as PNG with matplotlib, which is heavy: imported only for this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Outline

from primeval.scripts.drawing_files import (
    LINE,
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
    if isinstance(shape, Rectangle):
        style = f"round,pad=0,rounding_size={shape.radius}"
        at = (shape.x, shape.y)
        axes.add_patch(
            FancyBboxPatch(
                at,
                shape.width,
                shape.height,
                boxstyle=style,
                facecolor=shape.fill,
                edgecolor=shape.stroke,
                linewidth=POINT,
                zorder=order,
            )
        )
    elif isinstance(shape, Text):
        axes.text(
            shape.x,
            shape.y,
            shape.text,
            fontsize=shape.size * POINT,
            color=shape.color,
            family="DejaVu Sans Mono",
            weight="bold" if shape.bold else "normal",
            ha="center" if shape.middle else "left",
            va="baseline",
            zorder=order,
        )
    else:
        points = [point for _, piece in pieces(shape) for point in piece]
        codes = [CODES[kind] for kind, piece in pieces(shape) for _ in piece]
        outline = Outline(points, codes)
        axes.add_patch(
            PathPatch(outline, facecolor="none", edgecolor=LINE, lw=POINT, zorder=order)
        )
        if shape.arrow:
            axes.add_patch(Polygon(arrow_head(shape), color=LINE, lw=0, zorder=order))
