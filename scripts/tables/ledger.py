"""The ledger as tables: what mutations yielded, what failures cost, and what was saved."""

from __future__ import annotations

from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.scripts.tables.ranking import print_summary
from primeval.search.run.folder import Run
from primeval.search.views.ledger import Yield, ledger
from primeval.search.views.savings import Savings

COUNTS = ("tried", "valid", "known", "new", "better", "lost")
CAUSES = ("failure", "mutation", "count", "budget", "first message")


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
    if not account.failures:
        print("No candidate failed.")
        return
    print(f"\nLost to failures, of {account.spent:,.0f} {account.unit}:")
    cells = [
        [row.status, row.kind, f"{row.count:,}", f"{row.budget:.1%}",
         row.message.split("\n", 1)[0]]
        for row in account.failures
    ]  # fmt: skip
    terminal.print_table(CAUSES, cells, {"failure", "mutation", "first message"})


def _yield_cells(row: Yield) -> list[str]:
    counts = (row.tried, row.valid, row.known, row.new, row.better, row.lost)
    return [row.kind, *(f"{count:,}" for count in counts), f"{row.budget:.1%}"]


def receipt(saved: Savings) -> str | None:
    """One sentence on what was not trained again; None if nothing was saved or probed."""
    total, seconds, probing = saved.evaluations, saved.seconds, saved.probing_seconds
    if not total and not probing:
        return None
    by = (
        f"{saved.graph.evaluations:,} by their graph, "
        f"{saved.probe.evaluations:,} by outputs and gradients"
    )
    time = f": {rough_duration(seconds)} of workers' time saved" if seconds else ""
    cost = f"; probing took {rough_duration(probing)}" if probing else ""
    return f"Known, so not trained again: {total:,} ({by}){time}{cost}."
