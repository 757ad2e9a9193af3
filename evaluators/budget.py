"""How much training a candidate gets, and where it must prove itself on the way.

Halving hurdles (A.3): with n hurdles the budget is cut at (2^k - 1) / (2^(n+1) - 1) for
k = 1..n, so that each band gets the same expected compute when half of the candidates pass
each hurdle. Four hurdles stand at 1/31, 3/31, 7/31 and 15/31.
"""

from __future__ import annotations

from dataclasses import dataclass

UNITS = ("reference_steps", "steps", "tokens", "flops", "seconds")


@dataclass(frozen=True)
class Budget:
    """Training of one candidate.

    Attributes:
        unit: `reference_steps` gives the compute in which the reference program makes so
            many steps: the candidate's own number follows from the ratio of step times.
            `steps` are its own; `tokens` are seen in training; `flops` are counted from the
            program (forward and backward); `seconds` are of stepping, compilation apart.
        amount: How many of them.
        hurdles: How many hurdles lie on the way.
    """

    unit: str
    amount: float
    hurdles: int = 4

    def marks(self) -> tuple[float, ...]:
        """Fractions of the budget at which the loss is measured; the last one is 1."""
        whole = 2 ** (self.hurdles + 1) - 1
        return tuple((2**k - 1) / whole for k in range(1, self.hurdles + 2))

    def total_steps(self, step_ratio: float, step_seconds: float, cost: StepCost) -> int:
        """Steps this budget buys a candidate, at least one."""
        steps = {
            "steps": self.amount,
            "reference_steps": self.amount / step_ratio,
            "tokens": self.amount / cost.tokens,
            "flops": self.amount / cost.flops,
            "seconds": self.amount / step_seconds,
        }[self.unit]
        return max(1, round(steps))


@dataclass(frozen=True)
class StepCost:
    """What one training step of a candidate takes, counted: tokens and FLOPs.

    CHOICE: a backward pass counts as two forward passes.
    """

    tokens: int
    flops: float
