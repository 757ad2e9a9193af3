"""One program as one Keras layer: the block that is trained.

The layer owns one weight for each node of the canonical graph that needs one, with the node's
branch axes in front, and runs the graph. `export/program_block.py` is the layer for users.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import keras
import numpy as np
from keras import ops

from primeval.dna.cost import node_weight_shape
from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.evaluators.lowering.plan import Projection, projections
from primeval.evaluators.lowering.walk import run_graph
from primeval.primitives.kernels import PLAIN, Forms
from primeval.primitives.kernels import projections as project
from primeval.primitives.primitive import Primitive
from primeval.primitives.rules import Initial, deviation, initial, near_identity

Tensor = Any


def initial_value(
    primitive: Primitive, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """The weight of a primitive at step 0, in float32, as `rules.initial` says.

    `shape` is (*branches, taps, in, out) for a convolution, (*branches, taps, channel) for a
    depthwise one, (*branches, channel) for SCALE and SHIFT.
    """
    start = initial(primitive)
    if start is Initial.NORMAL:
        return rng.normal(0.0, deviation(shape[-3] * shape[-2]), shape).astype("float32")
    if start is Initial.NEAR_IDENTITY:
        taps = np.array(near_identity(shape[-2]), "float32")
        return np.broadcast_to(taps[:, None], shape).copy()
    return np.full(shape, 0.0 if start is Initial.ZEROS else 1.0, "float32")


class GraphBlock(keras.layers.Layer):
    """The decoder block of a graph, at a unit and a length.

    Maps (batch, position, channel) to the same shape.

    Args:
        graph: What it computes.
        unit: Channels that a relative width of 1 stands for.
        length: Positions; of importance only if the program owns weights over positions.
        seed: Seed of its weights.
        forms: Forms of the costly kernels.
    """

    def __init__(
        self,
        graph: Graph,
        unit: Fraction,
        length: int,
        seed: int = 0,
        forms: Forms = PLAIN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.forms = forms
        self.graph, self.unit, self.length, self.seed = graph, unit, length, seed
        self.weight_of: dict[int, Any] = {}

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights; their shapes depend on the unit and the length only."""
        rng = np.random.default_rng(self.seed)
        for number, node in enumerate(self.graph.nodes):
            shape = node_weight_shape(self.graph, node, self.unit, self.length)
            if node.primitive is not None and shape:
                value = initial_value(node.primitive, shape, rng)
                self.weight_of[number] = self.add_weight(
                    name=f"{number}_{node.op.lower()}",
                    shape=shape,
                    initializer=lambda shape, dtype=None, value=value: ops.cast(value, dtype),
                )

    def call(self, x: Tensor) -> Tensor:
        """(batch, position, channel) to the same shape."""
        together = projections(self.graph)
        ready: dict[int, Tensor] = {}

        def weigh(number: int, node: Node, operand: Tensor) -> Tensor:
            if number not in together:
                return self.forms.weighted[node.op](operand, self.weight_of[number])
            if number not in ready:
                ready.update(self._project(together[number], operand))
            return ready[number]

        return run_graph(self.graph, x, weigh, self.forms)

    def _project(
        self, group: tuple[Projection, ...], operand: Tensor
    ) -> Iterator[tuple[int, Tensor]]:
        """The values of a group of convolutions of one operand, by the number of the node.

        The operand is (batch, position, in), a value (batch, *branches, position, out). If a
        depthwise convolution follows, its value comes under both numbers: only it is read.
        """
        weights = [self.weight_of[pair.convolution] for pair in group]
        filters = [
            self.weight_of[pair.depthwise] for pair in group if pair.depthwise is not None
        ]
        values = project(operand, weights, filters, self.forms)
        for pair, value in zip(group, values, strict=True):
            yield pair.convolution, value
            if pair.depthwise is not None:
                yield pair.depthwise, value
