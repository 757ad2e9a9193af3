"""Drawings as files: the same shapes are written as SVG, or painted as PNG.

Matplotlib paints the PNG. It brings its own fonts, so that the picture looks the same on a
machine without any.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from primeval.scripts.drawing.layout import Point
from primeval.scripts.drawing.looks import PAPER, look_of
from primeval.scripts.drawing.shapes import (
    Drawing,
    Rectangle,
    Shape,
    Text,
    arrow_head,
    pieces,
)
from primeval.search.errors import RunError, writing

FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
KINDS = (".svg", ".png")
PNG_SCALE = 2.0  # pixels per unit of the drawing


def write_drawing(path: Path, drawing: Drawing) -> None:
    """Write an SVG or PNG file. Raises RunError if the file cannot be written.

    The name of the file decides which of the two it is.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise RunError(f"A drawing is a file that ends in .svg or .png. Received: {path}.")
    with writing(path):
        if kind == ".svg":
            path.write_text(_svg_document(drawing), encoding="utf-8")
        else:
            # imported here because matplotlib is slow to import, and SVG does without
            from primeval.scripts.drawing.png import paint

            paint(drawing, path, PNG_SCALE)


def _svg_document(drawing: Drawing) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {_size(drawing)} font-family="{FONT}" '
        f'role="img">\n<title>{escape(drawing.description)}</title>\n'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    )
    body = "\n".join(svg(shape, _attributes) for shape in drawing.shapes)
    return f"{head}\n{body}\n</svg>\n"


def _size(drawing: Drawing) -> str:
    width, height = f"{drawing.width:.0f}", f"{drawing.height:.0f}"
    return f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'


def _attributes(look: str) -> str:
    """The attributes of a look. Each shape carries its own, so that every viewer shows them."""
    known = look_of(look)
    words = [f'fill="{known.fill}"']
    if known.stroke != "none":
        words.append(f'stroke="{known.stroke}"')
        if known.thickness != 1:
            words.append(f'stroke-width="{known.thickness:g}"')
        if known.dashed:
            words.append('stroke-dasharray="4 3"')
    if known.bold:
        words.append('font-weight="bold"')
    return " ".join(words)


def svg(shape: Shape, attributes: Callable[[str], str]) -> str:
    """A shape as an SVG element. `attributes` turns the name of its look into attributes."""
    look = attributes(shape.look)
    if isinstance(shape, Rectangle):
        return (
            f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
            f'height="{shape.height:.1f}" rx="{shape.radius:g}" {look}/>'
        )
    if isinstance(shape, Text):
        anchor = ' text-anchor="middle"' if shape.middle else ""
        return (
            f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" '
            f"{look}{anchor}>{escape(shape.text)}</text>"
        )
    path = " ".join(kind + _corners(points) for kind, points in pieces(shape))
    line = f'<path d="{path}" {look}/>'
    if not shape.arrow:
        return line
    head = _corners(arrow_head(shape))
    return f'{line}<polygon points="{head}" {attributes("arrow" + shape.look[4:])}/>'


def _corners(points: list[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def inline_svg(drawing: Drawing) -> str:
    """An SVG element for an HTML page, whose style sheet knows the looks as classes."""
    body = "".join(svg(shape, _classes) for shape in drawing.shapes)
    return (
        f'<svg class="drawing" {_size(drawing)} role="img" '
        f'aria-label="{escape(drawing.description)}">{body}</svg>'
    )


def _classes(look: str) -> str:
    first, *rest = look.split()
    kind, number = first.rstrip("0123456789"), first.lstrip("abcdefghijklmnopqrstuvwxyz")
    words = [f"d-{kind}", *([f"tint{number}"] if number else []), *rest]
    return f'class="{" ".join(words)}"'
