"""Where the time of one evaluation goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up seconds of wall time by cause.

    Attributes:
        seconds: The sums so far; the causes are those of `Outcome.seconds`.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, cause: str) -> Iterator[None]:
        """Add the time that the block takes, even if it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(cause, time.perf_counter() - start)

    def add(self, cause: str, seconds: float) -> None:
        """Add seconds that were measured elsewhere."""
        self.seconds[cause] = self.seconds.get(cause, 0.0) + seconds
