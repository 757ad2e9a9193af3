"""Draws two rankings as points. Import it only for this: matplotlib takes long to import."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Bbox

from primeval.scripts.drawing.looks import FAINT, INK, LINE, PAPER
from primeval.search.views.agreement import Agreement, Side

SIZE = (8.6, 7.4)  # inches
DOT = "#0b62b3"
FAR = 4.0  # a difference that is so many times the usual one is far out
ROOM = 3.5  # between a point and what is written about others, in points
DISTANCES, ANGLES = (6, 12, 20, 29, 40, 54, 70, 90, 115), 16  # where a label may stand
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "primeval",  # the same figure is the same file
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
}


class Point(NamedTuple):
    """A program: its differences to the first seed under A and B, and their deviations."""

    name: str
    x: float
    y: float
    x_deviation: float | None
    y_deviation: float | None


def draw_scatter(found: Agreement, path: Path) -> None:
    """Write an SVG or PNG file, as its name says: a point for each program that failed nowhere.

    Raises OSError if the file cannot be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(SIZE, dpi=72, layout="constrained")  # a pixel is a point
        canvas: Any = FigureCanvasAgg(figure)
        axes: Any = figure.add_subplot()
        points = list(_points(found))
        for one in points:
            bars = {"xerr": one.x_deviation, "yerr": one.y_deviation, "elinewidth": 0.7}
            axes.errorbar(one.x, one.y, fmt="o", ms=4.5, color=DOT, **bars)
        _explain(axes, found, len(points), _spread(axes, points))
        canvas.draw()  # fixes where everything is
        figure.set_layout_engine("none")
        _label(axes, points)
        # no date, so that the same figure is the same file
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(path, facecolor=PAPER, metadata=metadata, dpi=150)


def _points(found: Agreement) -> Iterator[Point]:
    a, b = found.a, found.b
    rows = zip(found.names, a.gaps, b.gaps, a.deviations, b.deviations, strict=True)
    for at, (name, x, y, *deviations) in enumerate(rows):
        if x is not None and y is not None:
            # the seed differs from itself by nothing
            yield Point(name, x.mean, y.mean, *(deviations if at else (None, None)))


def _spread(axes: Any, points: Sequence[Point]) -> str:
    """Make room in the middle where a few programs lie far out; returns a note about it."""
    sizes = sorted(abs(value) for one in points for value in (one.x, one.y))
    middle = float(f"{2 * statistics.median(sizes):.0e}") if sizes else 0.0
    if not middle or sizes[-1] < FAR * middle:
        return ""
    steps = [0.5, *(4.0**power for power in range(8))]
    ticks = [0.0, *(sign * step * middle for step in steps for sign in (1, -1))]
    ends = (sizes[-1] * 1.5, -sizes[-1] * 1.5)
    ticks = [tick for tick in ticks if ends[1] < tick < ends[0]]
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("symlog", linthresh=middle, linscale=1.5)
        axis.set_ticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks])
        axis.set_minor_locator(NullLocator())
    return f"axes: logarithmic beyond ±{middle:g}"


def _explain(axes: Any, found: Agreement, shown: int, note: str) -> None:
    """Title, axes, and the lines that the seed lies on."""
    axes.axhline(0, color=FAINT, lw=0.7, ls="--", zorder=0)
    axes.axvline(0, color=FAINT, lw=0.7, ls="--", zorder=0)
    axes.set_xlabel(_axis("A", found.a, found))
    axes.set_ylabel(_axis("B", found.b, found))
    lines = [f"{name} {_interval(*one)}" for name, one in _correlations(found)]
    seeds = found.a.seeds
    lines.append(f"{len(found.names)} programs, {seeds} seed{'s' if seeds > 1 else ''} each")
    if seeds > 1:
        lines.append("bars: ± one standard deviation over the seeds")
    if note:
        lines.append(note)
    if left := len(found.names) - shown:
        lines.append(f"not shown, as they failed: {left}")
    axes.set_title(
        "\n".join(" · ".join(lines[at : at + 2]) for at in range(0, len(lines), 2)), fontsize=9
    )
    axes.margins(0.12)


def _correlations(found: Agreement) -> list[tuple[str, Any]]:
    return [("Spearman", found.spearman), ("Kendall", found.kendall)]


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "has no value"
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _axis(letter: str, side: Side, found: Agreement) -> str:
    return f"{letter}, {side.name}: loss minus that of {found.names[0]}, nats per token"


# -- labels -------------------------------------------------------------------------------


def _label(axes: Any, points: Sequence[Point]) -> None:
    """Write each name as near as there is room, covering no point, no bar and no other name.

    The most crowded points choose first. A line leads to a name that stands further away.
    """
    taken = [box for one in points for box in _marks(axes, one)]
    spots = {one.name: tuple(axes.transData.transform((one.x, one.y))) for one in points}

    def crowd(name: str) -> float:
        return sum(1 / (1 + math.dist(spots[name], other)) for other in spots.values())

    for name in sorted(spots, key=crowd, reverse=True):
        text = axes.annotate(
            name,
            spots[name],
            xycoords="figure points",
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "lw": 0.6, "color": LINE, "shrinkA": 0},
        )
        size = text.get_window_extent()
        half = size.width / 2 + 1, size.height / 2
        offset, box, distance = _place(spots[name], half, taken, axes.bbox)
        text.set_position(offset)
        text.arrow_patch.set_visible(distance > DISTANCES[0])
        taken.append(box)


def _marks(axes: Any, point: Point) -> Iterator[Bbox]:
    """What a point and its bars take of the figure, in points."""
    across, up = point.x_deviation or 0.0, point.y_deviation or 0.0
    for dx, dy in ((across, 0.0), (0.0, up)):
        ends = [(point.x - dx, point.y - dy), (point.x + dx, point.y + dy)]
        (left, bottom), (right, top) = axes.transData.transform(ends)
        yield Bbox.from_extents(left - 1, bottom - 1, right + 1, top + 1)
    x, y = axes.transData.transform((point.x, point.y))
    yield _around(x, y, ROOM, ROOM)


def _place(
    spot: tuple[float, float], half: tuple[float, float], taken: list[Bbox], inside: Bbox
) -> tuple[tuple[float, float], Bbox, float]:
    """The nearest free place for a label, else the least covered one.

    Returns its offset from the spot to the label's middle, its box, and its distance.
    """
    least, found = math.inf, ((0.0, 0.0), _around(*spot, *half), 0.0)
    for distance, turn in itertools.product(DISTANCES, range(ANGLES)):
        angle = 2 * math.pi * turn / ANGLES  # to the right first
        dx = (distance + half[0]) * math.cos(angle)
        dy = (distance + half[1]) * math.sin(angle)
        box = _around(spot[0] + dx, spot[1] + dy, *half)
        covered = sum(_area(Bbox.intersection(box, other)) for other in taken)
        covered += _area(box) - _area(Bbox.intersection(box, inside))
        if covered < least - 1e-6:
            least, found = covered, ((dx, dy), box, distance)
        if covered < 1e-6:
            break
    return found


def _around(x: float, y: float, half_width: float, half_height: float) -> Bbox:
    return Bbox.from_extents(x - half_width, y - half_height, x + half_width, y + half_height)


def _area(box: Bbox | None) -> float:
    return 0.0 if box is None else float(box.width * box.height)
