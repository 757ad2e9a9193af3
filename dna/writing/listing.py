"""A program resolved, as rows for people and tools (paper, Figures 24 and 25).

Every call is inlined, and branches are lines of their own. There is one row per line, in the
order of execution, dead lines included. At a scale, widths are channels; without one, they are
relative.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from primeval.dna.cost import Cost, Scale, measure
from primeval.dna.graph import Graph
from primeval.dna.resolve import MERGE_OP, Line
from primeval.primitives.primitive import CONSTANT, DIM


def resolved_listing(graph: Graph, scale: Scale | None = None) -> list[dict[str, Any]]:
    """A row per line, with these keys.

    index: its number. op: the primitive, or INPUT_1, INPUT_2, BRANCH_n_INPUT_1,
    BRANCH_n_INPUT_2, BRANCH_MERGE. inputs: the lines it reads. dim: the width it makes, for
    operations with a weight matrix and for BRANCH_MERGE. constant: the one it reads.
    width: channels of its value (None for dead lines and scores). live: whether the output
    depends on it. place: subprogram and instruction, as `S4[2]`.

    Raises Rejection if no unit fits the scale.
    """
    cost = measure(graph, scale) if scale else None
    if cost is not None:
        graph = cost.graph
    return [_row(graph, number, cost) for number in range(len(graph.lines))]


def matrix_widths(cost: Cost) -> list[int]:
    """The widths, in channels, that weight matrices and merged branches make.

    Raises Rejection if one is not a whole number.
    """
    return sorted(
        {
            node.width.channels(cost.unit)
            for node in cost.graph.nodes
            if not node.scores
            and (node.op == MERGE_OP or (node.primitive and DIM in node.primitive.reads))
        }
    )


def whole(number: Fraction) -> int | float:
    """The number as it is written in JSON: an integer where it is one."""
    return int(number) if number.denominator == 1 else float(number)


def _row(graph: Graph, number: int, cost: Cost | None) -> dict[str, Any]:
    line = graph.lines[number]
    row = graph.program.vocabulary.find(line.op)
    reads = row.reads if row else ()
    node = graph.nodes[graph.node_of[number]] if number in graph.node_of else None
    width: int | str | None = None
    if node is not None and not node.scores:
        width = node.width.channels(cost.unit) if cost else str(node.width)
    dim: int | float | str | None = width if DIM in reads or line.op == MERGE_OP else None
    if dim is None and DIM in reads:
        dim = _asked(graph, line, cost)
    constants = graph.program.bank.constants
    return {
        "index": number,
        "op": line.op,
        "inputs": list(line.inputs[: row.arity] if row else line.inputs),
        "dim": dim,
        "constant": constants[line.instruction.constant] if CONSTANT in reads else None,
        "width": width,
        "live": node is not None,
        "place": f"S{line.subprogram}[{line.place}]" if line.inputs else "",
    }


def _asked(graph: Graph, line: Line, cost: Cost | None) -> int | float | str:
    """The width a dead line's operation asks for."""
    relative = graph.program.bank.dims[line.instruction.dim] / math.prod(line.scope)
    return whole(relative * cost.unit) if cost else f"{relative}u"
