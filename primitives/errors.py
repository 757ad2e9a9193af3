"""The two kinds of errors, and the nearest names to one that does not exist.

A command catches the two base classes and nothing else. It prints the message, and exits with
2 for a user's mistake and with 1 for work that failed. Any other exception is a bug of ours
and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """The user's input is wrong. The message names the rule, what was received and a remedy."""


class WorkError(RuntimeError):
    """The input was right and the work failed: a disk is full, a worker does not start."""


class UnknownNameError(UserError):
    """A name that does not exist; the message offers the nearest ones."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no {what} called {name!r}.{did_you_mean(name, known)}")


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names that are most like a wrong one, the nearest first; often none."""
    return difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """A sentence that offers the nearest names, after a space; empty if no name is near."""
    near = nearest(name, known, count)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
