"""The plots of a report: scales, ticks and paths, as plain data for the template.

A plot is an SVG stretched to the page (1000 by 1000, strokes keep their width) with its ticks
as text beside it, so that it fits a phone and a sheet of paper without being drawn again.
The points of a band are one path; points that would fall on the same spot are drawn once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from primeval.scripts.tables import terminal
from primeval.search.views.history import History, Told

SIZE = 1000  # width and height of a plot
GRID_X, GRID_Y = 1000, 500  # points in the same cell of this grid are drawn once
CLIPPED = 0.975  # share of the losses that the scale has room for
TICKS = 5
SECONDS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, with its label."""

    at: float  # per cent of the axis
    label: str


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to `high`, which is drawn from 0 to 100 per cent."""

    low: float
    high: float
    ticks: list[Tick]
    title: str

    def at(self, value: float) -> float:
        """Where a value is, in per cent of the axis; values beyond its ends are moved there."""
        return 100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass(frozen=True)
class Plot:
    """A plot as the template draws it.

    Attributes:
        key: A word for it in the ids of the page.
        title, description: What it shows; screen readers read the description.
        x, y: Its axes; losses grow upwards.
        bands: Paths of points, with how far along the scale of colours each is, from 0 to 1.
        line: Path of the best so far; empty for none.
        seed: Where the seed's loss is, in per cent from the top; None for nowhere.
        noise: Where the losses begin that are gains beyond the noise; None if it is not known.
        end: Where the line ends, in per cent from the top, with its loss.
        failed: Path of the marks of candidates without a loss, along the bottom.
        above: How many losses lie above the scale and are drawn on its upper edge.
    """

    key: str
    title: str
    description: str
    x: Axis
    y: Axis
    bands: list[tuple[float, str]]
    line: str
    seed: float | None
    noise: float | None = None
    end: tuple[float, float] | None = None
    failed: str = ""
    above: int = 0


def best_plot(history: History) -> Plot | None:
    """The lowest loss over compute, with the candidates that came near; None without a loss."""
    records, seed = history.records(), history.seed_loss
    if not records:
        return None
    best = records[-1].loss or 0.0
    worst = max(record.loss or 0.0 for record in records[:1]) if seed is None else seed
    lowest = min(best, worst - history.floor) if history.floor is not None else best
    room = max(0.25 * (worst - lowest), 1e-3)
    y = _loss_axis(lowest - room / 2, worst + room)
    x = _compute_axis(history)
    near = [one for one in history.told if one.loss is not None and one.loss <= y.high]
    beside = "" if seed is None else f" The seed has {seed:.4f}."
    if seed is not None and history.floor is not None:
        beside += f" Down to {seed - history.floor:.4f} a lower loss is noise."
    description = (
        f"The lowest loss falls from {records[0].loss:.4f} to {best:.4f} in {len(records) - 1} "
        f"steps, over {x.title}.{beside}"
    )
    plot = _plot("best", "Lowest loss over compute", description, near, history, x, y)
    return replace(plot, end=(100 - y.at(best), best))


def all_plot(history: History) -> Plot | None:
    """Every candidate's loss over compute by band (the paper's Figure 12); None without one."""
    shown = [one for one in history.told if one.loss is not None]
    losses = sorted(one.loss or 0.0 for one in shown)
    if not losses:
        return None
    top = losses[min(len(losses) - 1, math.ceil(CLIPPED * len(losses)))]
    room = max(0.04 * (top - losses[0]), 1e-3)
    x, y = _compute_axis(history), _loss_axis(losses[0] - room, top + room)
    description = (
        f"{len(shown):,} losses over {x.title}, coloured by how many hurdles were passed. "
        "The table beside it has counts and medians."
    )
    plot = _plot("all", "Every candidate", description, shown, history, x, y)
    above = sum(loss > y.high for loss in losses)
    return replace(plot, failed=_marks(history.failed(), x), above=above)


def _plot(
    key: str, title: str, text: str, points: list[Told], history: History, x: Axis, y: Axis
) -> Plot:
    """What both plots show: candidates by band, the lowest loss so far, seed and noise."""
    bands = _bands(points, history, x, y)
    line = _stairs(history.records(), history.spent, x, y)
    seed = None if history.seed_loss is None else 100 - y.at(history.seed_loss)
    noise = None
    if history.seed_loss is not None and history.floor is not None:
        noise = 100 - y.at(history.seed_loss - history.floor)
    return Plot(key, title, text, x, y, bands, line, seed, noise)


def plotted(history: History) -> dict[str, Any]:
    """What the page's script shows of each point: columns, in the order of `history.told`."""
    total = history.spent or 1.0
    return {
        "hurdles": history.hurdles,
        "id": [one.id for one in history.told],
        "x": [round(100 * one.compute / total, 2) for one in history.told],
        "loss": [None if one.loss is None else round(one.loss, 4) for one in history.told],
        "band": [one.band for one in history.told],
        "status": [None if one.loss is not None else one.status for one in history.told],
        "edit": [one.edit for one in history.told],
    }


def _bands(
    points: Sequence[Told], history: History, x: Axis, y: Axis
) -> list[tuple[float, str]]:
    """A path per band; the bands that got farthest are drawn last, on top."""
    paths = []
    for band in range(history.hurdles + 1):
        spots = {
            (round(x.at(one.compute) * GRID_X / 100), round(y.at(one.loss) * GRID_Y / 100))
            for one in points
            if one.band == band and one.loss is not None
        }
        # a dot is a line of no length with round ends
        dots = [
            f"M{across * SIZE / GRID_X:g} {SIZE - up * SIZE / GRID_Y:g}h0"
            for across, up in sorted(spots)
        ]
        if dots:
            paths.append((history.color(band), "".join(dots)))
    return paths


def _stairs(records: Sequence[Told], end: float, x: Axis, y: Axis) -> str:
    """The path of the lowest loss so far: level until a candidate has a lower one."""
    words: list[str] = []
    for record in records:
        across = f"{SIZE / 100 * x.at(record.compute):.1f}"
        down = f"{SIZE - SIZE / 100 * y.at(record.loss or 0):.1f}"
        words.append(f"H{across}V{down}" if words else f"M{across} {down}")
    return "".join(words) + f"H{SIZE / 100 * x.at(end):.1f}"


def _marks(points: Sequence[Told], x: Axis) -> str:
    """The path of short strokes along the bottom."""
    places = sorted({round(x.at(one.compute) * SIZE / 100) for one in points})
    return "".join(f"M{at} {SIZE}v-24" for at in places)


def _compute_axis(history: History) -> Axis:
    factor, unit = 1.0, "training steps"
    if history.unit == "seconds":
        fitting = (one for one in SECONDS if history.spent >= 2 * one[0])
        factor, name = next(fitting, SECONDS[-1])
        unit = f"{name} of worker time"
    high = max(history.spent, 1e-9) / factor
    values = [value for value in nice(0.0, high) if value <= high]
    ticks = [Tick(100 * value / high, terminal.short_count(value)) for value in values]
    return Axis(0.0, history.spent or 1.0, ticks, unit)


def _loss_axis(low: float, high: float) -> Axis:
    values = nice(low, high)
    step = values[1] - values[0] if values[1:] else 0.001
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    axis = Axis(low, high, [], "loss, nats per token")
    axis.ticks.extend(Tick(100 - axis.at(value), f"{value:.{digits}f}") for value in values)
    return axis


def nice(low: float, high: float, count: int = TICKS) -> list[float]:
    """About `count` round numbers from `low` to `high`."""
    step = (high - low) / count
    power = 10.0 ** math.floor(math.log10(step))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
