"""Readable names for the values and weights of a graph, from the program it was built from.

A value is named by its subprogram and state (`feed_forward_e`), a weight by its subprogram and
its role (`feed_forward_shift`). The second value or weight of one name gets `_2` behind it.
Source text and exported models use the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.dna.printing import state_name
from primeval.dna.program import INPUTS

LONGEST = 32  # characters of a subprogram's name that are used
ROLES = {"convolution": "kernel", "depthwise": "taps", "SCALE": "scale", "SHIFT": "shift"}
INPUT_NAME = "x"


class Names(NamedTuple):
    """Names of a graph, all different.

    Attributes:
        values: Names of the nodes' values, by the node's number.
        weights: Names of the weights, for the nodes that own one.
    """

    values: dict[int, str]
    weights: dict[int, str]


def name_nodes(graph: Graph, taken: Iterable[str] = ()) -> Names:
    """Names in the order of the program; none of them is in `taken`."""
    values, weights = _Unique(taken), _Unique(taken)
    names = Names({}, {})
    for number in program_order(graph):
        node = graph.nodes[number]
        if node.op == INPUT_OP:
            names.values[number] = INPUT_NAME
            continue
        line = graph.lines[node.line]
        where = identifier(graph.program.subprograms[line.subprogram].name)
        names.values[number] = values(f"{where}_{state_name(line.place + INPUTS)}")
        if role := role_of(node):
            names.weights[number] = weights(f"{where}_{role}")
    return names


def program_order(graph: Graph) -> list[int]:
    """The nodes as the program computes them, operands before their users."""
    return sorted(range(len(graph.nodes)), key=lambda number: graph.nodes[number].line)


def role_of(node: Node) -> str:
    """What kind of weight a node owns, as a word; empty if it owns none."""
    if node.primitive is None or not node.primitive.owns_weights:
        return ""
    return ROLES.get(node.primitive.rule) or ROLES[node.op]


def identifier(text: str) -> str:
    """The text in lower case, as the beginning of a Python name."""
    word = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:LONGEST].strip("_")
    return f"s_{word}" if not word or word[0].isdigit() else word


class _Unique:
    """Gives each name once, then with a number behind it."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def __call__(self, name: str) -> str:
        unique, number = name, 1
        while unique in self._taken:
            number += 1
            unique = f"{name}_{number}"
        self._taken.add(unique)
        return unique
