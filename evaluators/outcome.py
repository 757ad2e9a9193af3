"""What comes back from evaluating a candidate: a value, also when it failed.

Nothing here imports TensorFlow: outcomes are written by workers and read everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Status(str, Enum):
    """How an evaluation ended. Only the first two leave a fitness."""

    COMPLETED = "completed"  # used its whole budget
    STOPPED = "stopped"  # missed a hurdle; keeps the fitness it had there
    DIVERGED = "diverged"  # its loss was no longer a finite number
    REJECTED = "rejected"  # cannot be given a meaning at this scale
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    LOST = "lost"  # its worker was lost, more often than it is asked again; not its fault
    KNOWN = "known"  # the same program as an earlier individual: not trained
    PROBED = "probed"  # only its digest was asked for; the search goes on with it


@dataclass(frozen=True, slots=True)
class Point:
    """One validation: the loss, in nats per token, after so many steps of its own."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one evaluation.

    Attributes:
        status: How it ended.
        loss: Validation loss at its end, in nats per token; None where it has none.
        bits_per_byte: The same per byte of text, comparable between tokenisers.
        hurdle: The hurdle (0-based) it was stopped at; None otherwise.
        curve: Every validation on the way, hurdles first to last.
        steps: Training steps made.
        step_ms: Milliseconds per step, compilation apart; the minimum over repeats.
        step_ratio: Its step time over the reference program's, measured interleaved; None
            where the budget does not ask for it.
        seconds: Wall time by cause: probe, build, check, trace, compile, reference,
            calibrate, train, evaluate; lost where the worker could not tell.
        parameters: Trainable numbers of the whole model.
        flops: Arithmetic operations of a forward pass, per token.
        message: Why it failed, for people.
        digest: Of what the program computes (`probe.py`); None if it has none.
        same_as: The earlier individual that is the same program; None for a new one.
    """

    status: Status
    loss: float | None = None
    bits_per_byte: float | None = None
    hurdle: int | None = None
    curve: tuple[Point, ...] = ()
    steps: int = 0
    step_ms: float | None = None
    step_ratio: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    parameters: int | None = None
    flops: int | None = None
    message: str = ""
    digest: str | None = None
    same_as: int | None = None

    @property
    def fitness(self) -> float:
        """Minus the validation loss; minus infinity for whatever has none."""
        if self.loss is None or not math.isfinite(self.loss):
            return -math.inf
        return -self.loss

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the store; `from_dict` reads it back."""
        data = {name: getattr(self, name) for name in self.__slots__}
        data["status"] = self.status.value
        data["curve"] = [{"step": point.step, "loss": point.loss} for point in self.curve]
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Outcome:
        points = tuple(Point(**point) for point in data["curve"])
        return cls(**{**data, "status": Status(data["status"]), "curve": points})
