"""Readable names for the values and weights of a graph, from the program it was built from.

A value is named by its subprogram and state (`feed_forward_e`), a weight by its subprogram and
its role (`feed_forward_shift`). The second value or weight of one name gets `_2` behind it.
Source text and exported models use the same names.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.dna.printing import state_name
from primeval.dna.program import INPUTS

LONGEST = 32  # characters of a subprogram's name that are used
ROLES = {"convolution": "kernel", "depthwise": "taps", "SCALE": "scale", "SHIFT": "shift"}


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
    values, weights = set(taken), set(taken)
    names = Names({}, {})
    for number in program_order(graph):
        node = graph.nodes[number]
        if node.op == INPUT_OP:
            names.values[number] = "x"
            continue
        line = graph.lines[node.line]
        where = identifier(graph.program.subprograms[line.subprogram].name)
        names.values[number] = _unique(f"{where}_{state_name(line.place + INPUTS)}", values)
        if role := role_of(node):
            names.weights[number] = _unique(f"{where}_{role}", weights)
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


def _unique(name: str, taken: set[str]) -> str:
    """The name, or the name with a number behind it if it is taken; it is taken then."""
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    unique = next(one for one in itertools.chain([name], numbered) if one not in taken)
    taken.add(unique)
    return unique
