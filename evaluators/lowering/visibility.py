"""What an operation may see of its operands: neither the future nor padding.

`walk.py` asks a `Visibility` for the steps to compute, for each operand as the operation may
see it, and for the visible part of scores. The walk itself is the same for all of them.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.evaluators.lowering.plan import Step, literal, plan
from primeval.primitives.kernels import fill_above, visible_keys, with_branches
from primeval.primitives.primitive import Primitive
from primeval.primitives.rules import ENTRYWISE_RULES, finite

Tensor = Any


class Visibility:
    """Causal: a query sees the keys up to its own position.

    Shapes: scores are (batch, *branches, query, key), sequences (batch, *branches, position,
    channel).
    """

    def steps(self, graph: Graph) -> tuple[Step, ...]:
        """The steps that compute a graph whose operands are seen this way."""
        return plan(graph)

    def operand(self, step: Step, place: int, source: Node, value: Tensor) -> Tensor:
        """The operand at `place` as the step's operation sees it; its shape stays the same.

        `source` is the node that made the operand.
        """
        neutral = step.fills[place]
        return value if neutral is None else fill_above(value, neutral)

    def masked(self, scores: Tensor) -> Tensor:
        """The scores, with 0 at the keys that a query does not see; of the same shape."""
        return fill_above(scores, 0.0)

    def count(self, scores: Tensor) -> Tensor:
        """How many keys each query sees: (..., query, 1)."""
        return visible_keys(scores)


CAUSAL = Visibility()


class PaddedVisibility(Visibility):
    """Causal, without padding: the output at a real position depends on no padding.

    A key that is padding is hidden from every query, as a later key is. Operations along the
    positions see their neutral element there. A position always sees itself, so that nothing
    is divided by a sum over no keys. The output at padding has no meaning.

    The masks are true where an operation may read. They have no branch axes.

    Args:
        real: (batch, position), false or 0 where a position is padding.
    """

    def __init__(self, real: Tensor) -> None:
        real = ops.cast(real, "bool")
        queries, keys = ops.expand_dims(real, 2), ops.expand_dims(real, 1)
        past = ops.tril(ops.cast(ops.ones_like(ops.logical_and(queries, keys)), "int32"))
        itself = ops.triu(past) > 0
        self._positions = queries  # (batch, position, 1)
        # (batch, query, key), both
        self._visible = ops.logical_and(past > 0, ops.logical_or(keys, itself))
        self._real = ops.logical_and(self._visible, queries)

    def steps(self, graph: Graph) -> tuple[Step, ...]:
        """Every node is a step, as `plan` relies on what is zero without padding."""
        return literal(graph)

    def operand(self, step: Step, place: int, source: Node, value: Tensor) -> Tensor:
        """The operand with the operation's neutral element in the future and at padding."""
        primitive = step.node.primitive
        if primitive is None or primitive.rule in ENTRYWISE_RULES:
            return value
        moves = _moves(primitive)
        if source.scores:
            return _where(self._real if moves else self._visible, value, primitive.neutral)
        if moves or primitive.rule == "matrix_product":
            return _where(self._positions, value, primitive.neutral)
        return value

    def masked(self, scores: Tensor) -> Tensor:
        """The scores, with 0 at later keys and at padding; of the same shape."""
        return _where(self._visible, scores, 0.0)

    def count(self, scores: Tensor) -> Tensor:
        """How many keys each query sees, itself included: (batch, *branches, query, 1)."""
        return ops.sum(self.masked(ops.ones_like(scores)), axis=-1, keepdims=True)


def _moves(primitive: Primitive) -> bool:
    """Whether an operation brings values to later positions, or queries."""
    if primitive.rule == "convolution":
        return primitive.kernel_width > 1
    return primitive.rule in ("depthwise", "cumulative")


def _where(mask: Tensor, value: Tensor, otherwise: float) -> Tensor:
    """The value where the mask is true, elsewhere `otherwise`, or its finite stand-in.

    The mask is (batch, position, 1) or (batch, query, key), the value has branch axes as well.
    """
    filler = ops.cast(finite(otherwise, str(value.dtype)), value.dtype)
    return ops.where(with_branches(mask, len(value.shape) - 3), value, filler)
