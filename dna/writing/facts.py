"""The facts about a program, as plain data: its meaning, and its costs at a scale.

The commands print these facts, as text or as JSON; nothing is printed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from primeval.dna.cost import Cost, Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.dna.writing.listing import matrix_widths, resolved_listing, whole
from primeval.primitives.widths import Rejection


@dataclass(frozen=True)
class Facts:
    """A program and, if a scale is given, what it costs there.

    Attributes:
        program: The program.
        scale: The scale at which it is counted; None for relative widths and no costs.
    """

    program: Program
    scale: Scale | None = None

    @cached_property
    def _built(self) -> tuple[Graph | None, Cost | None, str]:
        try:
            graph = build_graph(self.program)
        except Rejection as rejection:
            return None, None, f"has no meaning: {rejection}"
        if self.scale is None:
            return graph, None, ""
        try:
            return graph, measure(graph, self.scale), ""
        except Rejection as rejection:
            return graph, None, f"cannot be trained at this scale: {rejection}"

    @property
    def graph(self) -> Graph | None:
        """Its canonical graph; None if the program has no meaning."""
        return self._built[0]

    @property
    def cost(self) -> Cost | None:
        """What it costs; None without a scale, or if it does not fit the scale."""
        return self._built[1]

    @property
    def problem(self) -> str:
        """Why it has no graph, or no cost at its scale; empty if nothing is wrong."""
        return self._built[2]

    def listing(self) -> list[dict[str, Any]]:
        """Its resolved lines; without channels if it does not fit its scale."""
        if self.graph is None:
            return []
        return resolved_listing(self.graph, self.scale if self.cost else None)

    def as_data(self) -> dict[str, Any]:
        """Everything but the lines, for JSON."""
        data: dict[str, Any] = {
            "text": format_program(self.program),
            "rejected": self.problem or None,
        }
        if self.graph is not None:
            data |= {
                "fingerprint": self.graph.fingerprint,
                "lines": len(self.graph.lines),
                "operations": len(self.graph.nodes),
                "fixed_length": self.graph.fixed_length,
            }
        return data | self.costs()

    def costs(self) -> dict[str, Any]:
        """Costs for JSON; each is None if it is not known."""
        cost = self.cost
        return {
            "parameters": cost and cost.parameters,
            "flops_per_token": cost and cost.flops,
            "unit": cost and whole(cost.unit),
            "model_width": cost and cost.width,
            "widths": cost and matrix_widths(cost),
        }
