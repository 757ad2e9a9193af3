"""What a program has more or less of than another: operations, and operations on operands."""

from __future__ import annotations

from collections import Counter

from primeval.dna.graph import Graph


def traits(graph: Graph) -> Counter[str]:
    """How often a graph has each operation, and each pair of an operation and its operand."""
    found = Counter[str]()
    for node in graph.nodes:
        found[node.op] += 1
        found.update(f"{node.op} {graph.nodes[operand].op}" for operand in node.inputs)
    return found


def beside(graph: Graph, base: Counter[str]) -> dict[str, int]:
    """The traits that a graph has more or less of than `base`, with the differences."""
    found = traits(graph)
    found.subtract(base)
    return {trait: count for trait, count in found.items() if count}
