"""Finds the Primer paper's two ideas in a canonical graph, however they are written.

A graph has no names and no dead lines, so what is found is part of what a program computes.
"""

from __future__ import annotations

from primeval.dna.graph import Graph
from primeval.dna.infer import Node

RECTIFIERS = ("MAX", "MIN")
PRODUCTS = ("T_MAT_MUL", "MAT_MUL")
PROJECTIONS = 3  # of queries, keys and values


def squared_rectifiers(graph: Graph) -> int:
    """How often a rectified value is squared.

    This is SQUARE of a MAX or MIN, a MAX or MIN times itself, or times the value it rectifies:
    x * max(x, 0) is max(x, 0) squared. The constant may be any number, as in the paper's own
    result, which squares max(x, -0.57) (Figure 25).
    """
    return sum(_squares_a_rectifier(node, graph.nodes) for node in graph.nodes)


def _squares_a_rectifier(node: Node, nodes: tuple[Node, ...]) -> bool:
    if node.op == "SQUARE":
        return nodes[node.inputs[0]].op in RECTIFIERS
    if node.op != "MULTIPLY":
        return False
    one, other = node.inputs
    for rectifier, partner in ((one, other), (other, one)):
        at = nodes[rectifier]
        if at.op in RECTIFIERS and partner in (rectifier, at.inputs[0]):
            return True
    return False


def convolved_projections(graph: Graph) -> int:
    """How many operands of attention's products come from a projection (CONV_1X1) through a
    depthwise convolution: up to 3 in the Transformer, for queries, keys and values.
    """
    found = set()
    for product in graph.nodes:
        if product.op in PRODUCTS:
            for operand in product.inputs:
                if any(op.startswith("DCONV") for op in _from_projection(graph, operand)):
                    found.add((product.op, operand))
    return len(found)


def _from_projection(graph: Graph, at: int) -> list[str]:
    """The one-input operations from a sequence back to its projection; [] if there is none."""
    chain = []
    while len(graph.nodes[at].inputs) == 1 and not graph.nodes[at].scores:
        chain.append(graph.nodes[at].op)
        if chain[-1] == "CONV_1X1":
            return chain
        at = graph.nodes[at].inputs[0]
    return []


def has_squared_rectifier(graph: Graph) -> float:
    return float(squared_rectifiers(graph) > 0)


def share_of_projections(graph: Graph) -> float:
    """The share of queries, keys and values that are convolved."""
    return min(convolved_projections(graph), PROJECTIONS) / PROJECTIONS


def has_convolved_product(graph: Graph) -> float:
    """Whether any CONV_1X1 is convolved depthwise, in attention or elsewhere."""
    nodes = graph.nodes
    return float(
        any(
            node.op.startswith("DCONV") and nodes[node.inputs[0]].op == "CONV_1X1"
            for node in nodes
        )
    )


def ideas_in(graph: Graph) -> list[str]:
    """The paper's ideas that a graph contains, in words; [] if it contains neither."""
    found = []
    if squared_rectifiers(graph):
        found.append("squared rectifier")
    if count := convolved_projections(graph):
        found.append(f"convolved projections ({count})")
    return found
