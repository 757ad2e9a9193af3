"""The steps that compute a graph with less work; visible numbers change by rounding only.

- Masks are left out. EXP of scores may hold anything above the diagonal, so it is made to hold
  zero there (the exponential of minus infinity). Then more values than the graph says are known
  to be zero there, and a MASK of them does nothing.
- Divisions wait. Dividing the rows of scores and then multiplying by values gives the same as
  multiplying first, which leaves less to divide: scores have a column per key, the product has
  one per channel.
- Convolutions of one input, with the depthwise ones that follow them, become one product.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import NamedTuple

from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.primitives.primitive import COLUMN, RUBBISH, ZERO
from primeval.primitives.rules import fill, stays_zero

# These scale whole rows of scores if their other operand is a column, or a constant.
ROWWISE = frozenset({"DIVIDE", "MULTIPLY", "C_MUL"})
# The rules whose operations may leave zeros above the diagonal as they are.
KEEPING_RULES = frozenset({"elementwise", "channelwise"})


class Step(NamedTuple):
    """One node to compute.

    Attributes:
        number: The node's place in the graph.
        node: The node.
        fills: What to write above the diagonal of each operand; None for nothing.
        late: Nodes that scale rows of the first operand, in the order of execution. The step
            reads the operand from before them, and they are applied to its result.
        same: Whether the value is that of its operand, so that there is nothing to compute.
    """

    number: int
    node: Node
    fills: tuple[float | None, ...]
    late: tuple[int, ...] = ()
    same: bool = False


class Projection(NamedTuple):
    """A convolution, and the depthwise one that reads it if nothing else does."""

    convolution: int
    depthwise: int | None


def plan(graph: Graph) -> tuple[Step, ...]:
    """The steps that compute a graph. Each node is a step of its own, or `late` in another."""
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
    """The steps as the graph says: every node is one, and none is left out or late."""
    zero = [node.zero for node in graph.nodes]
    return tuple(
        Step(number, node, tuple(_fill(graph, node, read, zero) for read in node.inputs))
        for number, node in enumerate(graph.nodes)
    )


def _fill(graph: Graph, node: Node, read: int, zero: list[bool]) -> float | None:
    scores = graph.nodes[read].scores
    if node.primitive is None or not scores:
        return None
    return -math.inf if node.op == "EXP" else fill(node.primitive, scores, zero[read])


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
    """The nodes that end in `number`, only scale rows and have one reader, in their order."""
    late: list[int] = []
    node = graph.nodes[number]
    while node.op in ROWWISE and node.scores and users[number] == 1:
        kinds = [graph.nodes[read].scores for read in node.inputs]
        if sum(kinds) != 1 or (node.op == "DIVIDE" and kinds[1]):
            break
        late.append(number)
        number = _scaled(graph, number)
        node = graph.nodes[number]
    return tuple(reversed(late))


def _scaled(graph: Graph, number: int) -> int:
    """The operand whose rows a node of ROWWISE scales."""
    inputs = graph.nodes[number].inputs
    if len(inputs) == 2 and not graph.nodes[inputs[0]].scores:
        return inputs[1]
    return inputs[0]


def _users(graph: Graph) -> Counter[int]:
    return Counter(read for node in graph.nodes for read in node.inputs)


def projections(graph: Graph) -> dict[int, tuple[Projection, ...]]:
    """The convolutions that are computed together, for each node's number among them.

    They have one input, equally many taps, and the same depthwise taps after them or none.
    """
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
