"""The ledger for people: yields of mutations, losses to failures, and what was saved."""

from __future__ import annotations

from typing import Any

from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.scripts.tables.ranking import print_summary
from primeval.search.run.folder import Run
from primeval.search.views.ledger import ledger

COUNTS = ("tried", "valid", "known", "new", "better", "lost")
CAUSES = ("failure", "mutation", "count", "budget", "first message")
LEVELS = (("graph", "by their graph"), ("probe", "by outputs and gradients"))


def print_ledger(run: Run, as_json: bool = False) -> None:
    account = ledger(run)
    if as_json:
        terminal.print_json(account)
        return
    print_summary(run)
    cells = [_yield_cells(row) for row in account["mutations"]]
    terminal.print_table(("mutation", *COUNTS, "budget"), cells, {"mutation"})
    if saved := receipt(account["saved"]):
        print(saved)
    if not account["failures"]:
        print("No candidate failed.")
        return
    print(f"\nLost to failures, of {account['spent']:,.0f} {account['unit']}:")
    cells = [
        [row["status"], row["kind"], f"{row['count']:,}", f"{row['budget']:.1%}",
         row["message"].split("\n", 1)[0]]
        for row in account["failures"]
    ]  # fmt: skip
    terminal.print_table(CAUSES, cells, {"failure", "mutation", "first message"})


def _yield_cells(row: dict[str, Any]) -> list[str]:
    """Known are those of both levels."""
    known = row["known"] + row["duplicates"]
    counts = {**row, "known": known}
    return [row["kind"], *(f"{counts[key]:,}" for key in COUNTS), f"{row['budget']:.1%}"]


def receipt(saved: dict[str, Any]) -> str | None:
    """What was not trained again, in words; None if nothing was saved or spent on it.

    Args:
        saved: As `search/views/savings.py` gives it.
    """
    counts = {level: saved[level]["evaluations"] for level, _ in LEVELS}
    total, probing = sum(counts.values()), saved["probing_seconds"]
    if not total and not probing:
        return None
    by = ", ".join(f"{counts[level]:,} {how}" for level, how in LEVELS)
    seconds = sum(saved[level]["seconds"] for level, _ in LEVELS)
    time = f": {rough_duration(seconds)} of workers' time saved" if seconds else ""
    cost = f"; probing took {rough_duration(probing)}" if probing else ""
    return f"Known, so not trained again: {total:,} ({by}){time}{cost}."
