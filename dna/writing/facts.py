"""The facts about a program, as plain data: its meaning, and its costs at a scale.

The commands print these facts, as text or as JSON; nothing is printed here.
"""

from __future__ import annotations

from typing import Any

from primeval.dna.cost import Cost, Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.dna.writing.listing import matrix_widths, resolved_listing, whole
from primeval.primitives.widths import Rejection


class Facts:
    """A program and, if a scale is given, what it costs there.

    Attributes:
        program: The program.
        scale: The scale at which it is counted; None for relative widths and no costs.
        graph: Its canonical graph; None if the program has no meaning.
        cost: What it costs; None without a scale, or if it does not fit the scale.
        problem: Why it has no graph, or no cost at its scale; empty if nothing is wrong.
    """

    def __init__(self, program: Program, scale: Scale | None = None) -> None:
        self.program, self.scale = program, scale
        self.graph: Graph | None = None
        self.cost: Cost | None = None
        self.problem, obstacle = "", "has no meaning"
        try:
            self.graph = build_graph(program)
            obstacle = "cannot be trained at this scale"
            self.cost = measure(self.graph, scale) if scale else None
        except Rejection as rejection:
            self.problem = f"{obstacle}: {rejection}"

    def listing(self) -> list[dict[str, Any]]:
        """Its resolved lines; without channels if it does not fit its scale."""
        scale = self.scale if self.cost else None
        return resolved_listing(self.graph, scale) if self.graph else []

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
