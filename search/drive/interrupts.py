"""Ctrl-C and kill: the first signal ends a search cleanly, the second at once.

A signal may come while the loop waits for candidates, which can take minutes, or while it
appends to the store, which must not be cut short. So a signal is only noted, except where the
loop says that it is waiting: there it raises.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from primeval.evaluators.evaluator import TICK, Evaluator
from primeval.evaluators.outcome import Outcome

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Raised while the loop waits, when a signal comes.

    It is not an Exception: an evaluator that turns the errors of a candidate into an outcome
    must not take it for one of them.
    """


class Interrupts:
    """Notes the first SIGINT or SIGTERM; `requested` says whether it came.

    A second signal raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.requested = False
        self._waiting = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interrupts:
        # outside the main thread the program around us handles signals
        with contextlib.suppress(ValueError):
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self._waiting:
            raise Interrupted

    def patiently(self, wait: Callable[[], T], otherwise: T) -> T:
        """The result of `wait()`; `otherwise` if the first signal comes before or during it."""
        self._waiting = True
        try:
            return otherwise if self.requested else wait()
        except Interrupted:
            return otherwise
        finally:
            self._waiting = False

    def finished(self, evaluator: Evaluator) -> list[tuple[int, Outcome]]:
        """What an evaluator has finished, after `TICK` seconds at most; nothing on a signal."""
        return self.patiently(lambda: evaluator.wait(TICK), [])
