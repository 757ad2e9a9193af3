"""What the algorithm needs to know of a rung: not its model or its data, only its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph


@dataclass(frozen=True)
class Rung:
    """The rules of one rung.

    Attributes:
        hurdles: How many hurdles candidates meet.
        cost: Counts a graph's parameters; raises Rejection for one that does not fit. None
            counts nothing and lets every graph pass.
        replicates: How often the first seed is trained.
        promote: How many programs of the rung below are trained: below 1 a share of them,
            otherwise a number. Of no meaning on the first rung.
    """

    hurdles: int = 0
    cost: Callable[[Graph], Cost] | None = None
    replicates: int = 1
    promote: float = 0.1

    def measured(self, graph: Graph) -> Cost | None:
        """What a graph costs at this rung's scale; None if nothing is counted.

        Raises Rejection if it does not fit.
        """
        return None if self.cost is None else self.cost(graph)
