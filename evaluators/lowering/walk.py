"""From the canonical graph to tensors: the one walk that trains, exports and explains.

`run_graph` applies the kernels step by step, as `plan.py` has arranged them. What to do with
an operation that owns weights is the caller's: the trained layer multiplies by its variables,
the exporter puts a stock Keras layer there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.dna.resolve import MERGE_OP
from primeval.evaluators.lowering.plan import Step, literal, plan
from primeval.primitives.kernels import (
    PLAIN,
    PURE,
    Forms,
    fill_above,
    kernel_of,
    visible_keys,
    with_branches,
)
from primeval.primitives.primitive import Kernel

Tensor = Any
Weigh = Callable[[int, Node, Tensor], Tensor]  # node's number, node, operand -> value


def run_graph(graph: Graph, x: Tensor, weigh: Weigh, forms: Forms = PLAIN) -> Tensor:
    """The block's output for its input x, both (batch, position, channel).

    Args:
        graph: What to compute.
        x: The input.
        weigh: Gives the values of operations that own weights.
        forms: Forms of the costly kernels.
    """
    return _walk(graph, plan(graph), x, weigh, forms)[len(graph.nodes) - 1]


def node_values(graph: Graph, x: Tensor, weigh: Weigh) -> list[Tensor]:
    """The value of every node; above the diagonal of scores there may be rubbish."""
    return list(_walk(graph, literal(graph), x, weigh, PLAIN).values())


def _walk(
    graph: Graph, steps: tuple[Step, ...], x: Tensor, weigh: Weigh, forms: Forms
) -> dict[int, Tensor]:
    values: dict[int, Tensor] = {}
    for step in steps:
        node = step.node
        if node.op == INPUT_OP:
            value = x
        elif node.op == MERGE_OP:
            value = _merge(node, graph.nodes[node.inputs[0]], values[node.inputs[0]])
        else:
            operands = [
                values[read] if neutral is None else fill_above(values[read], neutral)
                for read, neutral in zip(node.inputs, step.fills, strict=True)
            ]
            if step.same:
                value = operands[0]
            elif node.primitive is not None and node.primitive.owns_weights:
                value = weigh(step.number, node, operands[0])
            else:
                value = _apply(graph, node, operands, forms)
        for late in step.late:
            value = _scale_rows(graph, late, value, values)
        values[step.number] = value
    return values


def _apply(graph: Graph, node: Node, operands: list[Tensor], forms: Forms) -> Tensor:
    """A primitive without weights, on its operands."""
    operands = [with_branches(operand, len(node.over)) for operand in operands]
    if node.op == "MAT_MUL":
        return forms.product(*operands)
    if node.op == "T_MAT_MUL":
        return forms.product(operands[0], ops.swapaxes(operands[1], -2, -1))
    if node.constant is not None:
        return kernel_of_node(node)(*operands, node.constant)
    if node.op == "RED_MEAN" and graph.nodes[node.inputs[0]].scores:
        # over the visible keys, not the length
        return PURE["RED_SUM"](operands[0]) / visible_keys(operands[0])
    return kernel_of_node(node)(*operands)


def kernel_of_node(node: Node) -> Kernel:
    """The kernel of a node that is a primitive without weights."""
    if node.primitive is None:
        raise ValueError(f"{node.op} is no primitive.")
    return kernel_of(node.primitive)


def _scale_rows(graph: Graph, number: int, value: Tensor, values: dict[int, Tensor]) -> Tensor:
    """What node `number` does to the rows of its scores, done to the rows of `value`."""
    node = graph.nodes[number]
    if node.constant is not None:
        return kernel_of_node(node)(value, node.constant)
    column = next(read for read in node.inputs if not graph.nodes[read].scores)
    return kernel_of_node(node)(value, with_branches(values[column], len(value.shape) - 3))


def _merge(node: Node, source: Node, operand: Tensor) -> Tensor:
    """Concatenate the branches along the channels: (..., n, t, c) to (..., t, n * c)."""
    if len(source.over) == len(node.over):  # the same value in every branch
        return ops.concatenate([operand] * node.branches, axis=-1)
    return ops.concatenate(ops.unstack(operand, node.branches, axis=-3), axis=-1)
