"""How much training a candidate gets, and where it must prove itself on the way.

Halving hurdles (A.3): with n hurdles the budget is cut at (2^k - 1) / (2^(n+1) - 1) for
k = 1..n, so that each band gets the same expected compute when half of the candidates pass
each hurdle. Four hurdles stand at 1/31, 3/31, 7/31 and 15/31.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from primeval.evaluators.limits import Limit, Settings

UNITS = {
    "reference_steps": "The compute in which the reference program, the first seed, makes this "
    "number of steps. A candidate's own number follows from the ratio of measured step times.",
    "counted_steps": "The floating-point operations, counted from the program, with which the "
    "reference program makes this number of steps. Nothing is timed, so a candidate gets the "
    "same number of steps on every machine.",
    "steps": "Training steps of the candidate itself, however long they take.",
    "tokens": "Tokens seen in training.",
    "flops": "Floating-point operations, forward and backward, counted from the program.",
    "seconds": "Seconds of training steps; compilation does not count.",
}


@dataclass(frozen=True)
class Budget(Settings):
    """Training of one candidate.

    Attributes:
        unit: What the budget is counted in, one of `UNITS`.
        amount: How much the candidate gets of that unit.
        hurdles: Points on the way at which a candidate stops if its loss is above the median of
            the latest ones there; 4 as in the paper. With n hurdles the first is at
            1 / (2^(n+1) - 1) of the budget. 0 trains every candidate to the end.
    """

    exclusive = tuple(UNITS)

    unit: Annotated[str, Limit(choices=tuple(UNITS))]
    amount: Annotated[float, Limit(above=0)]
    hurdles: Annotated[int, Limit(least=0, most=10)] = 4

    def marks(self) -> tuple[float, ...]:
        """Fractions of the budget at which the loss is measured; the last one is 1."""
        whole = 2 ** (self.hurdles + 1) - 1
        return tuple((2**k - 1) / whole for k in range(1, self.hurdles + 2))

    def total_steps(self, step_ratio: float, step_seconds: float, cost: StepCost) -> int:
        """Steps that this budget buys a candidate, at least one.

        Args:
            step_ratio: What a step of the candidate takes over what one of the reference takes:
                of times, or with `counted_steps` of floating-point operations.
            step_seconds: Seconds that a step of the candidate takes.
            cost: What a step of the candidate takes, counted.
        """
        steps = {
            "steps": self.amount,
            "reference_steps": self.amount / step_ratio,
            "counted_steps": self.amount / step_ratio,
            "tokens": self.amount / cost.tokens,
            "flops": self.amount / cost.flops,
            "seconds": self.amount / step_seconds,
        }[self.unit]
        return max(1, round(steps))


@dataclass(frozen=True)
class StepCost:
    """Tokens and FLOPs that one training step of a candidate takes, counted from its program.

    CHOICE: a backward pass counts as two forward passes.
    """

    tokens: int
    flops: float
