"""The boundary between the search and whatever trains candidates.

Text and numbers go in, an `Outcome` comes back: evaluators are stateless to the search, and
every one of them passes the same tests (tests/test_evaluators.py). `toy` scores the text,
`local` trains in this process, `ray` in worker processes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from primeval.evaluators.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Candidate:
    """One program to evaluate.

    Attributes:
        id: The individual's number in the run.
        text: The program (`dna/text.py`).
        seed: Seed of its weights; the order of the data is the run's, equal for all.
        thresholds: The loss it must stay below at each hurdle; None lets everything pass.
        weights: File to keep its weights in if it completes its budget; None for nowhere.
    """

    id: int
    text: str
    seed: int
    thresholds: tuple[float | None, ...] = ()
    weights: str | None = None


class Evaluator(ABC):
    """Evaluates candidates, several at a time.

    `submit` may be called while fewer than `capacity` candidates are in flight. `wait` gives
    back what has finished, in any order, each candidate exactly once; it never raises for a
    candidate that failed.
    """

    capacity: int = 1

    @abstractmethod
    def submit(self, candidate: Candidate) -> None:
        """Start evaluating a candidate."""

    @abstractmethod
    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        """Finished candidates by id; waits up to `timeout` seconds for the first."""

    @abstractmethod
    def close(self) -> None:
        """Give up whatever is in flight and free the workers."""
