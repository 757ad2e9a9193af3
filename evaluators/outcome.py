"""What comes back from evaluating a candidate: a value, even if the candidate failed.

Nothing here imports TensorFlow: workers write outcomes, and everything else reads them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Status(str, Enum):
    """How an evaluation ended. Only the first two have a fitness."""

    COMPLETED = "completed"  # used its whole budget
    STOPPED = "stopped"  # missed a hurdle; its fitness is the one it had there
    DIVERGED = "diverged"  # its loss stopped being a finite number
    REJECTED = "rejected"  # has no meaning, or does not fit this scale
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    LOST = "lost"  # its workers were lost, more often than `workers.retries`; not its fault
    KNOWN = "known"  # the same program as an earlier individual, so it was not trained
    PROBED = "probed"  # only its digest was asked for; it may still be trained


@dataclass(frozen=True, slots=True)
class Point:
    """One validation: the loss, in nats per token, after a number of the candidate's steps."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one evaluation.

    Attributes:
        status: How it ended.
        loss: Validation loss at its end, in nats per token; None where it has none.
        bits_per_byte: The same loss per byte of text, comparable between tokenisers; None
            where there is no text.
        accuracy: Share of the tokens asked for that were predicted, at the last validation;
            None for text.
        hurdle: The hurdle (0-based) it was stopped at; None otherwise.
        curve: Every validation, from the first hurdle to the end.
        steps: Training steps made.
        step_ms: Milliseconds per step without compilation; the minimum over repeats.
        step_ratio: Its step time over the reference program's, measured in turns with it;
            None where the budget does not need it.
        seconds: Wall time by cause: probe, build, check, trace, compile, reference,
            calibrate, train, evaluate; `lost` where the worker could not report a cause.
        parameters: Number of trainable parameters of the whole model.
        flops: Arithmetic operations of a forward pass, per token.
        message: Why it failed, for people.
        digest: A hash of what the program computes (`probe.py`); None if it has none.
        same_as: The earlier individual that is the same program; None for a new program.
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
    accuracy: float | None = None

    @property
    def fitness(self) -> float:
        """Minus the validation loss; minus infinity if there is no loss, or no finite one."""
        if self.loss is None or not math.isfinite(self.loss):
            return -math.inf
        return -self.loss

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the store, which `from_dict` reads back."""
        return {**asdict(self), "status": self.status.value}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Outcome:
        """The outcome that `to_dict` made plain data of."""
        points = tuple(Point(**point) for point in data["curve"])
        return cls(**{**data, "status": Status(data["status"]), "curve": points})
