"""The names that weights have in printed TensorFlow code, for comparing values."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from primeval.dna.graph import Graph
from primeval.dna.printing import state_name
from primeval.dna.program import INPUTS


class WeightName(NamedTuple):
    """The printed name of a weight, and where it is in the graph.

    Attributes:
        name: As in the printed code: the states on the way, with the branch's number.
        node: The node that owns it.
        branch: Its index along the node's branch axes.
    """

    name: str
    node: int
    branch: tuple[int, ...]


def weight_names(graph: Graph) -> list[WeightName]:
    """All weights of the printed code. One of a graph's (1, in, out) is printed (in, out)."""
    names = []
    for number, line in enumerate(graph.lines):
        node = graph.node_of.get(number)
        primitive = None if node is None else graph.nodes[node].primitive
        if node is None or primitive is None or not primitive.owns_weights:
            continue
        if line.op != primitive.name:  # a marker or a merge, which pass the value on
            continue
        steps = [*line.path, (line.subprogram, line.place)]
        for branch in itertools.product(*map(range, line.scope)):
            names.append(WeightName(_weight_name(graph, steps, branch), node, branch))
    return names


def _weight_name(graph: Graph, steps: list[tuple[int, int]], branch: tuple[int, ...]) -> str:
    numbers, words = iter(branch), []
    for index, place in steps:
        instruction = graph.program.subprograms[index].instructions[place]
        number = next(numbers) if instruction.branching > 1 else ""
        words.append(f"{state_name(place + INPUTS)}{number}")
    return ".".join(words)
