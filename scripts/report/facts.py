"""What a report says, as plain data for its template, read from a run and nothing else."""

from __future__ import annotations

import time
from typing import Any

from primeval.scripts.report.plots import all_plot, band_color, best_plot, plotted
from primeval.scripts.report.programs import changed_lines, programs
from primeval.search.config.config import to_yaml
from primeval.search.run.environment import read_environment
from primeval.search.run.folder import Run
from primeval.search.views.confirmed_rows import confirmed_rows
from primeval.search.views.gains import gap_to_seed, total_gain, with_gains
from primeval.search.views.history import History, read_history
from primeval.search.views.ledger import ledger
from primeval.search.views.ranking import lineage, ranking

RANKED = 100  # rows of the ranking
SHOWN_LINES = 14  # of what the best one changed, on the first page
DIGITS = 4  # of losses in the lineage, so that the gains that are shown add up


def report_facts(run: Run, top: int, running: bool, refresh: float | None) -> dict[str, Any]:
    """All that the template needs.

    Args:
        run: The run.
        top: How many of the best programs are shown in full.
        running: Whether its search goes on.
        refresh: Seconds after which an open page loads itself again; None for never.
    """
    history = read_history(run)
    rows = [{"confirmed": None} | row for row in ranking(run, max(RANKED, top))]
    best = [row for row in rows if row["loss"] is not None]
    shown = programs(run, best[:top])
    return {
        "head": _head(run, history, running, refresh),
        "best": best[0] if best else None,
        "rows": rows,
        "total": len(run.store.ranked()),
        "confirmed": confirmed_rows(run),
        "plots": [plot for plot in (best_plot(history), all_plot(history)) if plot],
        "points": plotted(history),
        "bands": _bands(history),
        "records": history.records(),
        "programs": shown,
        "found": changed_lines(shown[0]["against"][0]["lines"])
        if shown and shown[0]["against"]
        else [],
        "shown_lines": SHOWN_LINES,
        "lineage": _lineage(run, best[0]["id"]) if best else None,
        "ledger": ledger(run),
        "times": history.time_shares(),
        "environment": read_environment(run.store),
        "config": to_yaml(run.config),
        "seeds": run.store.seeds,
        "events": [
            event._asdict() | {"when": _when(event.time)} for event in run.store.events()
        ],
    }


def _head(run: Run, history: History, running: bool, refresh: float | None) -> dict[str, Any]:
    events = run.store.events()
    last = events[-1]
    stopped = last.data.get("message", "") if last.kind == "stopped" else ""
    asked = run.store.asked()
    return {
        "name": run.folder.resolve().name,
        "folder": str(run.folder),
        "running": running,
        "stopped": stopped,
        "refresh": refresh if running else None,
        "written": _when(time.time()),
        "started": _when(events[0].time),
        "elapsed": run.store.elapsed(),
        "told": len(history.told),
        "in_flight": asked - len(history.told),
        "statuses": run.store.statuses(),
        "spent": history.spent,
        "unit": history.unit,
        "seed_loss": history.seed_loss,
        "evaluator": run.config.workers.evaluator,
        "workers": run.config.workers.count,
        "hurdles": history.hurdles,
        "budget": run.config.candidate.budget,
        "algorithm": run.config.search.algorithm,
    }


def _bands(history: History) -> list[dict[str, Any]]:
    """The bands with their colours, as far along the scale as in the plots."""
    return [
        row | {"color": None if row["band"] is None else band_color(row["band"], history)}
        for row in history.bands()
    ]


def _lineage(run: Run, number: int) -> dict[str, Any]:
    """The winner's lineage, with gains that add up as they are shown."""
    rows = with_gains(lineage(run, number), DIGITS)
    gains = [abs(row["gain"]) for row in rows if row["gain"] is not None]
    known = [row for row in rows if row["loss_at_mark"] is not None]
    return {
        "rows": [row | {"vs_seed": gap_to_seed(row, rows[0])} for row in rows],
        "largest": max(gains, default=0.0) or 1.0,
        "total": total_gain(rows),
        "first": known[0] if known else None,
        "last": known[-1] if known else None,
        "whole": rows[-1]["hurdle"] is None,
        "mean": run.store.means().get(number),
    }


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
