"""An observer of a running search, and the events that it receives and may ignore."""

from __future__ import annotations

from primeval.evaluators.outcome import Outcome
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.drive.stops import Stop
from primeval.search.run.folder import Run


class Progress:
    """An observer of the loop. Subclasses override the methods that they need.

    Times are seconds of running, earlier sessions included.
    """

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        """The search is about to start or to resume."""

    def asked(self, individual: Individual) -> None:
        """An individual was submitted."""

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        """An individual has its outcome."""

    def tick(self, elapsed: float) -> None:
        """Time has passed; called about twice a second while nothing finishes."""

    def end(self, stop: Stop, elapsed: float) -> None:
        """The search has stopped."""
