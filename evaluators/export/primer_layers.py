"""The paper's two ideas as plain Keras layers, for models that are not searched (section 3).

    SquaredReLU()                          max(x, 0) squared, for the feed-forward part
    MultiDConvHeadAttention(num_heads=8)   a depthwise convolution after Q, K, V of each head

They need no program and no search. tests/evaluators/export/test_program_block.py checks that
they compute the same as the programs `squared_relu` and `mdha`.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from primeval.primitives.rules import deviation, finite, near_identity

Tensor = Any


@keras.saving.register_keras_serializable(package="primeval")
class SquaredReLU(keras.layers.Layer):
    """max(x, 0) squared, for each number; (...) to the same shape."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Tensor) -> Tensor:
        """(...) to the same shape."""
        return ops.square(ops.relu(x))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        return input_shape


@keras.saving.register_keras_serializable(package="primeval")
class MultiDConvHeadAttention(keras.layers.Layer):
    """Causal self-attention with depthwise convolutions: (batch, position, width) to the same.

    The convolutions run along positions, on each head's queries, keys and values.

    Args:
        num_heads: How many heads.
        key_dim: Channels of a head; width / num_heads if None.
        kernel_size: Positions the convolutions see: the present and those before it.
        dropout: Of the attention weights, while training.

    Call arguments:
        x: (batch, position, width).
        mask: (batch, position), false where a position is padding: no other position
            attends to it, and the convolutions see zeros there.

    Raises:
        ValueError: when the layer is built, if the width is not a multiple of the heads.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int | None = None,
        kernel_size: int = 3,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.num_heads, self.key_dim = num_heads, key_dim
        self.kernel_size, self.dropout = kernel_size, dropout
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights. Raises ValueError if the width does not suit the heads."""
        heads, width = self.num_heads, input_shape[-1]
        if width is None or (self.key_dim is None and width % heads):
            raise ValueError(
                f"{heads} heads need a width that is a multiple of {heads}, or a key_dim. "
                f"Received: width {width}."
            )
        size = self.key_dim or width // heads
        self.projections = []
        for name in ("query", "key", "value"):
            matrix = self.add_weight(
                (heads, width, size), _normal(width), name=f"{name}_kernel"
            )
            shape = (self.kernel_size, heads, 1, size)
            taps = self.add_weight(shape, _near, name=f"{name}_taps")
            self.projections.append((matrix, taps))
        self.output_kernel = self.add_weight(
            (heads, size, width), _normal(heads * size), name="output_kernel"
        )

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        """(batch, position, width) to the same shape."""
        # (batch, head, position, channel) each; scores (batch, head, query, key)
        query, key, value = (self._project(x, *pair, mask) for pair in self.projections)
        scores = ops.einsum("bntd,bnsd->bnts", query * query.shape[-1] ** -0.5, key)
        seen = ops.tril(ops.ones_like(scores)) > 0
        if mask is not None:
            itself = ops.triu(ops.tril(ops.ones_like(scores))) > 0
            keys = ops.cast(mask, "bool")[:, None, None, :]
            seen = ops.logical_and(seen, ops.logical_or(keys, itself))
        lowest = finite(-math.inf, str(scores.dtype))
        weights = ops.softmax(ops.where(seen, scores, ops.cast(lowest, scores.dtype)))
        heads = ops.einsum("bnts,bnsd->bntd", self.drop(weights, training=training), value)
        return ops.einsum("bntd,ndc->btc", heads, self.output_kernel)

    def _project(self, x: Tensor, matrix: Any, taps: Any, mask: Tensor | None) -> Tensor:
        """Project and convolve (batch, position, width) to (batch, head, position, channel)."""
        y = ops.einsum("btc,ncd->bntd", x, matrix)
        if mask is not None:
            y = y * ops.cast(mask, y.dtype)[:, None, :, None]
        total = y * taps[0]
        for step in range(1, self.kernel_size):
            padding = [[0, 0], [0, 0], [step, 0], [0, 0]]
            total = total + ops.pad(y, padding)[:, :, :-step] * taps[step]
        return total

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        names = ("num_heads", "key_dim", "kernel_size", "dropout")
        return {**config, **{name: getattr(self, name) for name in names}}


def _normal(inputs: int) -> Any:
    return keras.initializers.RandomNormal(stddev=deviation(inputs))


def _near(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
    """Taps (taps, head, 1, channel), the present first."""
    start = ops.convert_to_tensor(near_identity(shape[0]), dtype)
    return ops.ones(shape, dtype) * ops.reshape(start, (shape[0], 1, 1, 1))
