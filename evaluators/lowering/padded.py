"""The block's walk over texts that are padded: what stands at padding is never read.

    What comes out at a position that is not padding depends on no padding.

A key that is padding is hidden from every query, as a later key is, and operations along the
positions see their neutral element there. A position always sees itself, so that nothing is
divided by a sum over no keys. What comes out at padding itself has no meaning.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from primeval.dna.graph import Graph
from primeval.dna.infer import INPUT_OP, Node
from primeval.evaluators.lowering.walk import Weigh
from primeval.primitives.kernels import PURE, kernel_of, with_branches
from primeval.primitives.primitive import Primitive
from primeval.primitives.rules import ENTRYWISE_RULES

Tensor = Any


def run_padded(graph: Graph, x: Tensor, weigh: Weigh, real: Tensor) -> Tensor:
    """The block's output for its input x, both (batch, position, channel).

    Args:
        graph: The block.
        x: Its input.
        weigh: What to do with weights; see `lowering.py`.
        real: (batch, position), false or 0 where a position is padding.
    """
    walk = _PaddedWalk(graph, weigh, real)
    values: list[Tensor] = []
    for number, node in enumerate(graph.nodes):
        values.append(x if node.op == INPUT_OP else walk.value(number, node, values))
    return values[-1]


class _PaddedWalk:
    """Computes nodes. Its masks are true at what may be read; they know of no branches."""

    def __init__(self, graph: Graph, weigh: Weigh, real: Tensor) -> None:
        self.graph, self.weigh = graph, weigh
        real = ops.cast(real, "bool")
        queries, keys = ops.expand_dims(real, 2), ops.expand_dims(real, 1)
        past = ops.tril(ops.cast(ops.ones_like(ops.logical_and(queries, keys)), "int32"))
        itself = ops.triu(past) > 0
        self.positions = queries  # (batch, position, 1)
        self.visible = ops.logical_and(past > 0, ops.logical_or(keys, itself))
        self.real = ops.logical_and(self.visible, queries)  # (batch, query, key), as `visible`

    def value(self, number: int, node: Node, values: list[Tensor]) -> Tensor:
        first = self.graph.nodes[node.inputs[0]]
        primitive = node.primitive
        if primitive is None:
            return self._merge(node, first, values[node.inputs[0]])
        operands = [
            self._seen(primitive, self.graph.nodes[read], values[read]) for read in node.inputs
        ]
        if primitive.owns_weights:
            return self.weigh(number, node, operands[0])
        operands = [with_branches(operand, len(node.over)) for operand in operands]
        if first.scores and node.op == "MASK":
            return _where(self.visible, operands[0], 0.0)
        if first.scores and node.op == "RED_MEAN":
            counted = _where(self.visible, ops.ones_like(operands[0]), 0.0)
            return PURE["RED_SUM"](operands[0]) / PURE["RED_SUM"](counted)
        extra = () if node.constant is None else (node.constant,)
        return kernel_of(primitive)(*operands, *extra)

    def _seen(self, primitive: Primitive, source: Node, operand: Tensor) -> Tensor:
        """An operand with the operation's neutral element where it may not look."""
        if primitive.rule in ENTRYWISE_RULES:
            return operand
        moves = _moves(primitive)
        if source.scores:
            return _where(self.real if moves else self.visible, operand, primitive.neutral)
        if moves or primitive.rule == "matrix_product":
            return _where(self.positions, operand, primitive.neutral)
        return operand

    def _merge(self, node: Node, source: Node, operand: Tensor) -> Tensor:
        same = len(source.over) == len(node.over)
        parts = [operand] * node.branches if same else ops.unstack(operand, axis=-3)
        return ops.concatenate(parts, axis=-1)


def _moves(primitive: Primitive) -> bool:
    """Whether an operation brings values to later positions, or queries."""
    if primitive.rule == "convolution":
        return primitive.kernel_width > 1
    return primitive.rule in ("depthwise", "cumulative")


def _where(mask: Tensor, value: Tensor, otherwise: float) -> Tensor:
    """The value where the mask holds; infinities as large as its type allows."""
    limit = 6.0e4 if str(value.dtype) == "float16" else 3.0e38
    filler = ops.cast(min(max(otherwise, -limit), limit), value.dtype)
    return ops.where(with_branches(mask, len(value.shape) - 3), value, filler)
