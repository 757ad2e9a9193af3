"""Ctrl-C and kill: the first ends a search cleanly, the second at once.

The loop may be asked to stop while it waits for candidates, which can take minutes, or while
it appends to the store, which must not be cut short. So a signal only leaves a note, except
where the loop says that it is waiting: there it raises.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Raised in the midst of waiting, when somebody asked to stop.

    Not an Exception: an evaluator that turns whatever a candidate raises into an outcome must
    not take it for the candidate's.
    """


class Interrupts:
    """Turns the first SIGINT or SIGTERM into a note; `requested` says whether it came."""

    def __init__(self) -> None:
        self.requested = False
        self._waiting = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interrupts:
        try:
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        except ValueError:
            pass  # not in the main thread: whoever runs us there handles signals
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        """`wait()`, cut short by the first signal; then `otherwise`."""
        self._waiting = True
        try:
            return otherwise if self.requested else wait()
        except Interrupted:
            return otherwise
        finally:
            self._waiting = False
