"""The contents of a report, read from a run, as values for the templates."""

from __future__ import annotations

import re
import time
from typing import Any

from primeval.scripts.report.plots import all_plot, best_plot, plotted
from primeval.scripts.report.programs import changed_lines, programs
from primeval.scripts.tables.noise import (
    found_text,
    lineage_noise,
    noise_lines,
    promotion_lines,
)
from primeval.search.config.config import to_yaml
from primeval.search.drive.stops import last_stop
from primeval.search.run.environment import read_environment
from primeval.search.run.folder import Run
from primeval.search.views.comparing import Verdict
from primeval.search.views.confirmed_rows import confirmed_rows
from primeval.search.views.history import read_history
from primeval.search.views.ledger import ledger
from primeval.search.views.lineage import LineageRow, gap_to_seed, lineage, total_gain
from primeval.search.views.ranking import Ranking, ranking

RANKED = 100  # rows of the ranking
SHOWN_LINES = 14  # of the changes of the best program, on the first page
DIGITS = 4  # of losses in the lineage, so that the gains that are shown add up


def report_contents(run: Run, top: int, running: bool, refresh: float | None) -> dict[str, Any]:
    """Everything that the template shows, by the names that it uses.

    Args:
        run: The run.
        top: How many of the best programs are shown in full.
        running: Whether its search is running.
        refresh: Seconds after which an open page loads itself again; None for never.
    """
    history = read_history(run)
    found = ranking(run, max(RANKED, top))
    return {
        "head": _head(run, running, refresh),
        "run": run,
        "history": history,
        **_best(run, found, top),
        "noise": _noise(run, found),
        "confirmed": confirmed_rows(run),
        "plots": [plot for plot in (best_plot(history), all_plot(history)) if plot],
        "points": plotted(history),
        "bands": history.bands(),
        "ledger": ledger(run),
        "times": history.time_shares(),
        "environment": read_environment(run.store),
        "config": to_yaml(run.config),
        "events": [(event, _when(event.time)) for event in run.store.events()],
    }


def _head(run: Run, running: bool, refresh: float | None) -> dict[str, Any]:
    stop = last_stop(run.store)
    return {
        "name": run.folder.resolve().name,
        "running": running,
        "stopped": stop.message if stop else "",
        "refresh": refresh if running else None,
        "written": _when(time.time()),
        "started": _when(run.store.events()[0].time),
    }


def _noise(run: Run, found: Ranking) -> dict[str, Any]:
    """What is known of the noise, and what was found beyond it."""
    return {
        "rungs": found.rungs,
        "several": len(found.rungs) > 1,
        "lines": [*noise_lines(run.config, found.rungs), *promotion_lines(found.rungs)],
        "found": re.sub(r"-(?=\d)", "\N{MINUS SIGN}", found_text(found)),
        "shown": found.found is not None or not found.noise_known,
    }


def _best(run: Run, found: Ranking, top: int) -> dict[str, Any]:
    """The ranking, the best programs in full, and the winner's changes and lineage."""
    rows = found.rows
    ranked = [(rank, row) for rank, row in enumerate(rows, 1) if row.loss is not None]
    best = found.found or next((row for _, row in ranked), None)
    chosen = [one for at, one in enumerate(ranked) if at < top or one[1] is best]
    shown = programs(run, chosen)
    against: list[dict[str, Any]] = next(
        (one["against"] for one in shown if one["row"] is best), []
    )
    seeds = len(run.store.seeds)
    return {
        "best": best,
        "rows": rows,
        "shown": {row.id for _, row in chosen},
        "promoted": [row for row in rows if len(row.rungs) > 1 and row.id >= seeds],
        "total": len(run.store.ranked()),
        "programs": shown,
        "found": changed_lines(against[0]["lines"]) if against else [],
        "shown_lines": SHOWN_LINES,
        "lineage": _lineage(run, best.id) if best else None,
    }


def _lineage(run: Run, number: int) -> dict[str, Any]:
    """The winner's lineage, with gains that add up as they are shown."""
    rows = lineage(run, number, DIGITS)
    gains = [abs(row.gain) for row in rows if row.gain is not None]
    known = [row for row in rows if row.loss_at_mark is not None]
    return {
        "rows": [_beside_seed(row, rows[0]) for row in rows],
        "noise": lineage_noise(run, rows),
        "largest": max(gains, default=0.0) or 1.0,
        "total": total_gain(rows),
        "first": known[0] if known else None,
        "last": rows[-1],
        "last_known": known[-1] if known else None,
        "mean": run.store.means().get(number),
    }


def _beside_seed(row: LineageRow, seed: LineageRow) -> tuple[LineageRow, float | None, Verdict]:
    """An individual of a lineage, the difference of its loss to the seed's, and its meaning."""
    gap = gap_to_seed(row, seed)
    return row, gap, Verdict.UNKNOWN if row is seed else row.judged(gap)


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
