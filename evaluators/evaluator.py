"""The boundary between the search and whatever trains candidates.

Text and numbers go in, an `Outcome` comes back: evaluators are stateless to the search, and
every one of them passes the same tests (tests/evaluators/test_evaluators.py). `toy` scores the
text, `local` trains in this process, `ray` in worker processes.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass

from primeval.evaluators.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Candidate:
    """One program to evaluate.

    Attributes:
        id: The individual's number in the run.
        text: The program (`dna/parsing.py`).
        seed: Seed of its weights.
        thresholds: The loss it must stay below at each hurdle; None lets everything pass.
        weights: File to keep its weights in if it completes its budget; None for nowhere.
        data_seed: Seed of the order of the data instead of the run's; None for the run's.
        probe: Whether only the program's digest is wanted, before it is paid for.
    """

    id: int
    text: str
    seed: int
    thresholds: tuple[float | None, ...] = ()
    weights: str | None = None
    data_seed: int | None = None
    probe: bool = False

    @property
    def purpose(self) -> str:
        """What is done with it, in a word: `probe` or `train`."""
        return "probe" if self.probe else "train"


class Evaluator(ABC):
    """Evaluates candidates, several at a time.

    `submit` takes no time, and may be called while fewer than `capacity` candidates are in
    flight. `wait` gives back what has finished, in any order, each candidate exactly once; it
    never raises for a candidate that failed.

    Attributes:
        capacity: How many candidates may be in flight.
        probes: Whether candidates may be submitted to be probed: their outcome then has the
            status PROBED and a digest, and leaves room to submit them again, to be trained.
        prompt: Whether `wait` keeps to its timeout; otherwise it may train meanwhile.
    """

    capacity: int = 1
    probes: bool = False
    prompt: bool = False

    @abstractmethod
    def submit(self, candidate: Candidate) -> None:
        """Start evaluating a candidate."""

    @abstractmethod
    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        """Finished candidates by id; waits up to `timeout` seconds for the first."""

    def processes(self) -> list[int]:
        """Ids of the processes that train, those on this machine; waits until they can.

        Raises ValueError if one cannot start.
        """
        return [os.getpid()]

    @abstractmethod
    def close(self) -> None:
        """Give up whatever is in flight and free the workers."""
