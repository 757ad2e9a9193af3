"""What tests ask of a pool of Ray workers and the search does not."""

from __future__ import annotations

from typing import Any


def busy_processes(pool: Any) -> list[int]:
    """Ids of the processes that hold a candidate."""
    return [slot.process for slot in pool._crew.slots if slot.job is not None]


def warm_up(pool: Any) -> None:
    """Wait until every worker is ready, on a cluster too. Nothing may be in flight."""
    while pool._crew.ready < len(pool._crew.slots):
        pool._arrivals(1.0)
