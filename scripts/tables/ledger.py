"""The ledger as tables: yields of mutations, costs of rungs and failures, what was saved."""

from __future__ import annotations

import math
from collections import Counter

from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.scripts.tables.ranking import print_summary
from primeval.search.run.folder import Run
from primeval.search.views.ledger import Ledger, Yield, ledger
from primeval.search.views.savings import Savings

COUNTS = ("tried", "valid", "known", "new", "better", "lost")
MOST_CAUSES = 4  # columns; smaller ones are added up
FAILURES = ("failure", "mutation", "count", "budget", "first message")


def print_ledger(run: Run, as_json: bool = False) -> None:
    """Print the ledger of a run as tables, or as JSON."""
    account = ledger(run)
    if as_json:
        terminal.print_json(account.as_json())
        return
    print_summary(run)
    cells = [_yield_cells(row) for row in account.mutations]
    terminal.print_table(("mutation", *COUNTS, "budget"), cells, {"mutation"})
    if saved := receipt(account.saved):
        print(saved)
    if len(account.rungs) > 1:
        print("\nWhat each rung took, and how much of it for what; noise: the seed again:")
        _print_rungs(account)
    if not account.failures:
        print("No candidate failed.")
        return
    print(f"\nLost to failures, of {account.spent:,.0f} {account.unit}:")
    cells = []
    for row in account.failures:
        first = row.message.split("\n", 1)[0]
        cells.append([row.status, row.kind, f"{row.count:,}", f"{row.budget:.1%}", first])
    terminal.print_table(FAILURES, cells, {"failure", "mutation", "first message"})


def _print_rungs(account: Ledger) -> None:
    total = Counter[str]()
    for row in account.rungs:
        total.update(row.causes)
    named = [cause for cause, _ in total.most_common(MOST_CAUSES)]
    rest = [] if len(named) == len(total) else ["other"]
    cells = []
    for row in account.rungs:
        spent = row.spent or 1.0  # nothing yet, if all of it is in flight
        shares = [row.causes[cause] / spent for cause in named]
        shares += [row.spent / spent - math.fsum(shares) for _ in rest]
        time = rough_duration(row.spent) if account.unit == "seconds" else f"{row.spent:,.0f}"
        name = f"{row.rung} noise" if row.noise else str(row.rung)
        figures = [f"{row.individuals:,}", time, f"{row.budget:.1%}"]
        cells.append([name, *figures, *(f"{share:.0%}" for share in shares)])
    amount = "time" if account.unit == "seconds" else "steps"
    columns = ("rung", "trained", amount, "budget", *named, *rest)
    terminal.print_table(columns, cells, {"rung"})


def _yield_cells(row: Yield) -> list[str]:
    counts = (row.tried, row.valid, row.known, row.new, row.better, row.lost)
    return [row.kind, *(f"{count:,}" for count in counts), f"{row.budget:.1%}"]


def receipt(saved: Savings) -> str | None:
    """One sentence on what was not trained again; None if nothing was saved or probed."""
    total, seconds, probing = saved.evaluations, saved.seconds, saved.probing_seconds
    if not total and not probing:
        return None
    graph, probe = saved.graph.evaluations, saved.probe.evaluations
    by = f"{graph:,} by their graph, {probe:,} by outputs and gradients"
    time = f": {rough_duration(seconds)} of workers' time saved" if seconds else ""
    cost = f"; probing took {rough_duration(probing)}" if probing else ""
    return f"Known, so not trained again: {total:,} ({by}){time}{cost}."
