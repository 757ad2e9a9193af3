"""Draws a real search: losses over time, confirmed curves, and confirmed differences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from primeval.evaluators.outcome import Status
from primeval.search.run.folder import Run

if TYPE_CHECKING:
    from rediscovery_real import Finalist, Seen

INK, LOOKS = (
    "#444444",
    {  # by the ideas that a program contains
        (): ("#9a9a9a", "neither"),
        ("squared rectifier",): ("#d95f02", "squared rectifier"),
        ("convolved projections",): ("#1f78b4", "convolved projections"),
        ("squared rectifier", "convolved projections"): ("#2ca02c", "both"),
    },
)


def draw(
    run: Run, everybody: Sequence[Seen], finalists: Sequence[Finalist], path: Path
) -> None:
    figure = Figure((12, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    search, curves, gaps = figure.subplots(1, 3)
    _losses(search, everybody)
    _curves(curves, run, finalists)
    _gaps(gaps, finalists)
    for axes in (search, curves, gaps):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, facecolor="white", metadata={"Software": None})


def _losses(axes: Any, everybody: Sequence[Seen]) -> None:
    """The candidates trained to the end, and the best loss so far."""
    whole = [one for one in everybody if one.outcome.status is Status.COMPLETED]
    for ideas, (color, label) in LOOKS.items():
        at = [(one.minutes, one.outcome.loss) for one in whole if one.ideas == ideas]
        if at:
            axes.scatter(*zip(*at, strict=True), s=14, color=color, label=label)
    best, steps = math.inf, []
    for one in whole:
        best = min(best, one.outcome.loss if one.outcome.loss is not None else math.inf)
        steps.append((one.minutes, best))
    if steps:
        axes.step(*zip(*steps, strict=True), where="post", color=INK, lw=1)
        axes.legend(frameon=False, fontsize=8)
    axes.set(title="the search, trained to the end", xlabel="minutes", ylabel="validation loss")


def _curves(axes: Any, run: Run, finalists: Sequence[Finalist]) -> None:
    """Mean test loss over the seeds at the marks of the budget."""
    marks = run.config.candidate.budget.marks()
    for one in finalists:
        curves = [outcome.curve for outcome in one.confirmed.outcomes.values()]
        whole = [curve for curve in curves if len(curve) == len(marks)]
        if not whole or len(whole) < len(curves):
            continue  # training failed with one of the seeds
        means = [
            statistics.fmean(point.loss for point in at) for at in zip(*whole, strict=True)
        ]
        color, width = LOOKS[one.ideas][0], 1.6 if one.individual is not None else 0.9
        style = "-" if one.individual is not None else "--"
        axes.plot(marks, means, style, color=color, lw=width)
    axes.set_xscale("log")
    axes.set_xticks(marks, [f"{mark:.0%}" for mark in marks])
    axes.minorticks_off()
    axes.set(
        title="confirmed (dashed: known programs)",
        xlabel="share of the compute",
        ylabel="test loss",
    )


def _gaps(axes: Any, finalists: Sequence[Finalist]) -> None:
    shown = [one for one in finalists if one.figures.loss_vs_seed is not None][::-1]
    for at, one in enumerate(shown):
        gap, interval = one.figures.loss_vs_seed, one.figures.interval
        color = LOOKS[one.ideas][0]
        if interval is not None:
            axes.plot(interval, (at, at), color=color, lw=1.4)
        axes.plot([gap], [at], "o", color=color, ms=5)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(range(len(shown)), [one.name for one in shown], fontsize=8)
    axes.set(title="confirmed, 95 % intervals", xlabel="test loss minus the seed's")
