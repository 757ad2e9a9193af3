"""From the canonical graph to tensors: the one walk that trains, exports and explains.

`run_graph` applies the kernels step by step, in the steps that `plan.py` arranged. The caller
computes the operations that own weights: the trained layer multiplies by its variables, the
exporter puts a stock Keras layer there. A `Visibility` says what an operation may see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.evaluators.lowering.plan import Step, literal
from primeval.evaluators.lowering.visibility import CAUSAL, Visibility
from primeval.primitives.kernels import PLAIN, PURE, Forms, kernel_of, with_branches
from primeval.primitives.primitive import Kernel
from primeval.primitives.rules import counts_visible_keys

Tensor = Any
# Number of a node that owns weights, the node, its operand (batch, ..., position, channel)
# -> its value (batch, *branches, position, channel).
Weigh = Callable[[int, Node, Tensor], Tensor]


def run_graph(
    graph: Graph,
    x: Tensor,
    weigh: Weigh,
    forms: Forms = PLAIN,
    visibility: Visibility = CAUSAL,
) -> Tensor:
    """The block's output for its input x, both (batch, position, channel).

    Args:
        graph: What to compute.
        x: The input.
        weigh: Computes the operations that own weights.
        forms: Forms of the costly kernels, used for products of two values.
        visibility: What an operation may see of its operands.
    """
    walk = _Walk(graph, weigh, forms, visibility)
    return walk.values(visibility.steps(graph), x)[len(graph.nodes) - 1]


def node_values(graph: Graph, x: Tensor, weigh: Weigh) -> list[Tensor]:
    """The value of every node, for the input x (batch, position, channel).

    Sequences are (batch, *branches, position, channel), scores (batch, *branches, query, key).
    Scores may hold anything above the diagonal.
    """
    return list(_Walk(graph, weigh, PLAIN, CAUSAL).values(literal(graph), x).values())


class _Walk(NamedTuple):
    """Computes the steps of one graph, one after the other; see `run_graph`."""

    graph: Graph
    weigh: Weigh
    forms: Forms
    visibility: Visibility

    def values(self, steps: tuple[Step, ...], x: Tensor) -> dict[int, Tensor]:
        """The value of each step's node by its number, for x (batch, position, channel)."""
        values: dict[int, Tensor] = {}
        for step in steps:
            value = x if step.node.op == INPUT_OP else self._step(step, values)
            for late in step.late:
                value = self._scale_rows(late, value, values)
            values[step.number] = value
        return values

    def _step(self, step: Step, values: dict[int, Tensor]) -> Tensor:
        node, nodes = step.node, self.graph.nodes
        if node.primitive is None:
            return _merge(node, nodes[node.inputs[0]], values[node.inputs[0]])
        operands = [
            self.visibility.operand(step, place, nodes[read], values[read])
            for place, read in enumerate(node.inputs)
        ]
        if step.same:
            return operands[0]
        if node.primitive.owns_weights:
            return self.weigh(step.number, node, operands[0])
        return self._apply(
            node, [with_branches(operand, len(node.over)) for operand in operands]
        )

    def _apply(self, node: Node, operands: list[Tensor]) -> Tensor:
        """A primitive without weights, on its operands."""
        if node.op == "MAT_MUL":
            return self.forms.product(*operands)
        if node.op == "T_MAT_MUL":
            return self.forms.product(operands[0], ops.swapaxes(operands[1], -2, -1))
        source = self.graph.nodes[node.inputs[0]]
        if source.scores and node.op == "MASK":
            return self.visibility.masked(operands[0])
        if node.primitive is not None and counts_visible_keys(node.primitive, source.scores):
            return PURE["RED_SUM"](operands[0]) / self.visibility.count(operands[0])
        constant = [] if node.constant is None else [node.constant]
        return self._kernel(node)(*operands, *constant)

    def _scale_rows(self, number: int, value: Tensor, values: dict[int, Tensor]) -> Tensor:
        """`value` (..., position, channel), its rows scaled as the node scales its scores."""
        nodes = self.graph.nodes
        node = nodes[number]
        if node.constant is not None:
            return self._kernel(node)(value, node.constant)
        column = next(read for read in node.inputs if not nodes[read].scores)
        return self._kernel(node)(value, with_branches(values[column], len(value.shape) - 3))

    def _kernel(self, node: Node) -> Kernel:
        """The kernel of a node that is a primitive without weights."""
        return kernel_of(self.graph.program.vocabulary[node.op])


def _merge(node: Node, source: Node, operand: Tensor) -> Tensor:
    """The branches concatenated along the channels: (..., n, t, c) to (..., t, n * c)."""
    if len(source.over) == len(node.over):  # the same value in every branch
        return ops.concatenate([operand] * node.branches, axis=-1)
    return ops.concatenate(ops.unstack(operand, node.branches, axis=-3), axis=-1)
