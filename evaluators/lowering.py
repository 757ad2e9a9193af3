"""From the canonical graph to tensors: the one walk that trains, exports and explains.

`run_graph` applies the kernels node by node. What to do with an operation that owns weights
is the caller's: the trained layer multiplies by its variables, the exporter puts a stock
Keras layer there. Masks are written here, and left out where the graph shows them needless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.dna.resolve import MERGE_OP
from primeval.evaluators.promises import kernel_of
from primeval.primitives.kernels import fill_above, visible_keys, with_branches
from primeval.primitives.rules import fill

Tensor = Any
Weigh = Callable[[int, Node, Tensor], Tensor]  # node's number, node, operand -> value


def run_graph(graph: Graph, x: Tensor, weigh: Weigh) -> Tensor:
    """The block's output for its input x, both (batch, position, channel)."""
    values: list[Tensor] = []
    for number, node in enumerate(graph.nodes):
        values.append(_value(graph, number, node, values, x, weigh))
    return values[-1]


def _value(
    graph: Graph, number: int, node: Node, values: list[Tensor], x: Tensor, weigh: Weigh
) -> Tensor:
    if node.op == INPUT_OP:
        return x
    if node.op == MERGE_OP:
        return _merge(node, graph.nodes[node.inputs[0]], values[node.inputs[0]])
    primitive = node.primitive
    operands = [_masked(graph, node, read, values[read]) for read in node.inputs]
    if primitive is not None and primitive.owns_weights:
        return weigh(number, node, operands[0])
    depth = len(node.over)
    operands = [with_branches(operand, depth) for operand in operands]
    if node.constant is not None:
        return kernel_of(node.op)(*operands, node.constant)
    source = graph.nodes[node.inputs[0]]
    if node.op == "RED_MEAN" and source.scores:  # over the visible keys, not the length
        return kernel_of("RED_SUM")(operands[0]) / visible_keys(operands[0])
    return kernel_of(node.op)(*operands)


def _masked(graph: Graph, node: Node, read: int, operand: Tensor) -> Tensor:
    """The operand as the operation may see it: nothing of the future."""
    source = graph.nodes[read]
    if not source.scores or node.primitive is None:
        return operand
    neutral = fill(node.primitive, source)
    return operand if neutral is None else fill_above(operand, neutral)


def _merge(node: Node, source: Node, operand: Tensor) -> Tensor:
    """Concatenate the branches along the channels: (..., n, t, c) to (..., t, n * c)."""
    if len(source.over) == len(node.over):  # the same value in every branch
        return ops.concatenate([operand] * node.branches, axis=-1)
    return ops.concatenate(ops.unstack(operand, node.branches, axis=-3), axis=-1)
