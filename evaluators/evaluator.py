"""The boundary between the search and whatever trains candidates.

Text and numbers go in, an `Outcome` comes back. To the search an evaluator has no state, and
all of them pass the same tests (tests/evaluators/test_evaluators.py). `toy` scores the text,
`local` trains in this process, `ray` trains in worker processes.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass

from primeval.evaluators.outcome import Outcome

TICK = 0.5  # seconds that callers wait for an outcome before they look at the clock


@dataclass(frozen=True, slots=True)
class Candidate:
    """One program to evaluate.

    Attributes:
        id: The individual's number in the run.
        text: The program (`dna/parsing.py`).
        seed: Seed of its weights.
        thresholds: The loss, in nats per token, that it must not exceed at each hurdle; None,
            or no entry, lets every loss pass.
        weights: File for its weights if it completes its budget; None keeps no weights.
        data_seed: Seed of the order of the data; None for the run's.
        probe: Whether only the program's digest is wanted, before any training; it is always
            that of rung 1.
        rung: The scale that it is trained at, from 1 (`Task.on`).
    """

    id: int
    text: str
    seed: int
    thresholds: tuple[float | None, ...] = ()
    weights: str | None = None
    data_seed: int | None = None
    probe: bool = False
    rung: int = 1

    @property
    def purpose(self) -> str:
        """What it is evaluated for, in a word: `probe` or `train`."""
        return "probe" if self.probe else "train"

    def misses(self, hurdle: int, loss: float) -> bool:
        """Whether a loss, in nats per token, is too large at a hurdle (0-based)."""
        threshold = self.thresholds[hurdle] if hurdle < len(self.thresholds) else None
        return threshold is not None and loss > threshold


class Evaluator(ABC):
    """Evaluates candidates, several at a time.

    `submit` returns at once. It may be called while fewer than `capacity` candidates are in
    flight. `wait` returns each candidate exactly once, when it has finished, in any order. It
    never raises for a candidate that failed.

    Candidates of all rungs of its task may be in flight together.

    Attributes:
        capacity: How many candidates may be in flight.
        probes: Whether candidates may be submitted to be probed. Their outcome then has the
            status PROBED and a digest, and they may be submitted again to be trained.
        prompt: Whether `wait` keeps to its timeout. If not, it trains before it returns.
    """

    capacity: int = 1
    probes: bool = False
    prompt: bool = False

    @abstractmethod
    def submit(self, candidate: Candidate) -> None:
        """Start evaluating a candidate."""

    @abstractmethod
    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        """Ids and outcomes of finished candidates; waits up to `timeout` seconds for one."""

    def processes(self) -> list[int]:
        """Ids of the processes on this machine that train, once all of them are ready.

        Is called before the first `submit`. Raises ValueError if a process cannot start.
        """
        return [os.getpid()]

    @abstractmethod
    def close(self) -> None:
        """Give up the candidates in flight and end the workers."""
