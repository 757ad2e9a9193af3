"""How to compute a graph with less work: needless masks, divisions that can wait, projections
that are one matrix product. No visible number changes, but for rounding.

- Above the diagonal EXP of scores may hold anything, so it holds zero (the exponential of
  minus infinity). What is made of it is then known to be zero in more places than the graph
  says, and a MASK of it does nothing.
- Dividing every row of scores by a number and then multiplying by values is multiplying
  first: the scores have a column per key, the product one per channel.
- Convolutions of one input, and the depthwise ones that follow each, are one product.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import NamedTuple

from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.primitives.primitive import COLUMN, RUBBISH, ZERO
from primeval.primitives.rules import fill, stays_zero

# What scales whole rows of scores when the other operand is a column, or a constant.
ROWWISE = frozenset({"DIVIDE", "MULTIPLY", "C_MUL"})
# The rules whose operations may leave zeros above the diagonal as they are.
KEEPING_RULES = frozenset({"elementwise", "channelwise"})


class Step(NamedTuple):
    """One node to compute.

    Attributes:
        number: The node's place in the graph.
        node: The node.
        fills: What to write above the diagonal of each operand; None for nothing.
        late: Nodes that scale rows of the first operand, nearest last. The operand is taken
            from before them, and they are applied to the result.
        same: Whether the value is the operand's.
    """

    number: int
    node: Node
    fills: tuple[float | None, ...]
    late: tuple[int, ...] = ()
    same: bool = False


class Projection(NamedTuple):
    """A convolution, and the depthwise one that alone reads it, if there is one."""

    convolution: int
    depthwise: int | None


def plan(graph: Graph) -> tuple[Step, ...]:
    """The steps that compute a graph. Nodes that no step computes are the `late` ones."""
    zero, users = _known_zero(graph), _users(graph)
    steps, waiting = list[Step](), set[int]()
    for number, node in enumerate(graph.nodes):
        inputs = node.inputs
        late: tuple[int, ...] = ()
        if node.op == "MAT_MUL":
            late = _late(graph, inputs[0], users)
            if late:
                inputs = (_scaled(graph, late[0]), inputs[1])
                waiting.update(late)
        fills = tuple(_fill(graph, node, read, zero) for read in inputs)
        same = node.op == "MASK" and zero[inputs[0]]
        steps.append(Step(number, node._replace(inputs=inputs), fills, late, same))
    return tuple(step for step in steps if step.number not in waiting)


def literal(graph: Graph) -> tuple[Step, ...]:
    """The steps just as the graph says: every node is computed."""
    zero = [node.zero for node in graph.nodes]
    return tuple(
        Step(number, node, tuple(_fill(graph, node, read, zero) for read in node.inputs))
        for number, node in enumerate(graph.nodes)
    )


def _fill(graph: Graph, node: Node, read: int, zero: list[bool]) -> float | None:
    source = graph.nodes[read]
    if node.primitive is None or not source.scores:
        return None
    if node.op == "EXP":
        return -math.inf
    return fill(node.primitive, source._replace(zero=zero[read]))


def _known_zero(graph: Graph) -> list[bool]:
    """Of each node, whether it holds zero above the diagonal when computed by the plan."""
    zero = list[bool]()
    for node in graph.nodes:
        known = node.zero or (node.op == "EXP" and node.scores)
        primitive = node.primitive
        if not known and node.scores and primitive and primitive.rule in KEEPING_RULES:
            states = "".join(_state(graph, read, zero) for read in node.inputs)
            known = stays_zero(primitive, states, node.constant or 0.0)
        zero.append(known)
    return zero


def _state(graph: Graph, read: int, zero: list[bool]) -> str:
    if not graph.nodes[read].scores:
        return COLUMN
    return ZERO if zero[read] else RUBBISH


def _late(graph: Graph, number: int, users: Counter[int]) -> tuple[int, ...]:
    """The nodes from `number` downwards that only scale rows, for this one reader; the one
    nearest the scores first."""
    late: list[int] = []
    node = graph.nodes[number]
    while node.op in ROWWISE and node.scores and users[number] == 1:
        if node.op == "MULTIPLY" and all(graph.nodes[read].scores for read in node.inputs):
            break
        if node.op == "DIVIDE" and graph.nodes[node.inputs[1]].scores:
            break
        if not graph.nodes[_scaled(graph, number)].scores:
            break
        late.append(number)
        number = _scaled(graph, number)
        node = graph.nodes[number]
    return tuple(reversed(late))


def _scaled(graph: Graph, number: int) -> int:
    """The operand whose rows such a node scales."""
    inputs = graph.nodes[number].inputs
    if len(inputs) == 2 and not graph.nodes[inputs[0]].scores:
        return inputs[1]
    return inputs[0]


def _users(graph: Graph) -> Counter[int]:
    return Counter(read for node in graph.nodes for read in node.inputs)


def projections(graph: Graph) -> dict[int, tuple[Projection, ...]]:
    """Convolutions that are computed together, by the number of each node among them."""
    users = _users(graph)
    groups: dict[tuple[int, ...], list[Projection]] = defaultdict(list)
    reader = {read: number for number, node in enumerate(graph.nodes) for read in node.inputs}
    for number, node in enumerate(graph.nodes):
        source = graph.nodes[node.inputs[0]] if node.inputs else node
        if node.primitive is None or node.primitive.rule != "convolution":
            continue
        if source.scores or source.over:
            continue
        last = graph.nodes[reader[number]] if users[number] == 1 else node
        follows = last.primitive is not None and last.primitive.rule == "depthwise"
        follows = follows and last.over == node.over
        taps = last.primitive.kernel_width if follows and last.primitive else 0
        key = (node.inputs[0], node.primitive.kernel_width, taps)
        groups[key].append(Projection(number, reader[number] if follows else None))
    return {
        member: tuple(group)
        for group in groups.values()
        for pair in group
        for member in pair
        if member is not None
    }
