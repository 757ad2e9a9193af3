"""How a search ends: the reason, what the store keeps of it, and how to continue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from primeval.evaluators.units import format_duration
from primeval.search.config.settings import SearchBudget
from primeval.search.run.store import Store

if TYPE_CHECKING:
    from primeval.search.algorithm.evolution import Search

EVENT = "stopped"


@dataclass(frozen=True)
class Stop:
    """Why a search stopped.

    Attributes:
        reason: candidates, time, compute, target, interrupted, failures, stuck or exhausted.
        message: The same for people.
    """

    reason: str
    message: str

    @property
    def failed(self) -> bool:
        """Whether the search broke down, rather than finished."""
        return self.reason in ("failures", "stuck", "exhausted")

    def record(self, store: Store, search: Search, elapsed: float) -> None:
        """Append it to the store. Raises StoreError.

        The population's digest is noted too: a replay of the run must arrive at it.
        """
        data = {**vars(self), "population": search.digest}
        store.append_event(EVENT, data, elapsed)

    def extension(self, budget: SearchBudget) -> str:
        """The option of `primeval resume` that gives the search something to do; or nothing."""
        if self.reason == "candidates":
            return f" --set budget.max_candidates={2 * budget.max_candidates}"
        limit = {"time": budget.max_time, "compute": budget.max_compute}.get(self.reason)
        if limit is not None:
            return f" --set budget.max_{self.reason}={format_duration(2 * limit)}"
        return ""


def last_stop(store: Store) -> Stop | None:
    """How the search ended; None while it runs, and if its process died."""
    last = store.events()[-1]
    if last.kind != EVENT:
        return None
    return Stop(last.data.get("reason", ""), last.data.get("message", ""))


def used_up(budget: SearchBudget, search: Search, elapsed: float) -> Stop | None:
    """The limit of the budget that is reached; None while all of it leaves room."""
    told, target = search.told, budget.target_loss
    if target is not None and search.best is not None and -search.best[0] <= target:
        fitness, best = search.best
        return Stop("target", f"#{best.id} reached the target: loss {-fitness:.4f}.")
    if told >= budget.max_candidates:
        return Stop("candidates", f"All {told:,} candidates are evaluated.")
    if budget.max_time is not None and elapsed >= budget.max_time:
        return Stop("time", f"The time ({format_duration(budget.max_time)}) is up.")
    if budget.max_compute is not None and search.spent >= budget.max_compute:
        limit = format_duration(budget.max_compute)
        return Stop("compute", f"The compute ({limit} of workers' time) is used up.")
    return None
