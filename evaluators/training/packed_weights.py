"""A model's weights in one flat vector, which leaves XLA a third fewer kernels to compile."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Tensor = Any


class PackedWeights:
    """Copies of a model's weights, which the optimizer changes.

    Args:
        weights: The model's trainable variables, of any shapes.
        flat: Whether to keep them in one vector instead of in a variable each. The optimizer
            must then work element by element.

    Attributes:
        variables: What the optimizer changes: one (total,) vector, or one per weight.
    """

    def __init__(self, weights: list[Any], flat: bool) -> None:
        self._shapes = [tuple(weight.shape) for weight in weights]
        self._flat = flat
        values = [weight.numpy() for weight in weights]
        if flat:
            values = [np.concatenate([value.reshape(-1) for value in values])]
        self.variables = [keras.Variable(value) for value in values]

    def unpacked(self) -> list[Tensor]:
        """The present weights, each in the shape that the model gave it."""
        if not self._flat:
            return [variable.value for variable in self.variables]
        sizes = [math.prod(shape) for shape in self._shapes]
        parts = tf.split(self.variables[0].value, sizes)
        return [
            tf.reshape(part, shape) for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def packed(self, gradients: list[Tensor]) -> list[Tensor]:
        """Gradients with respect to the weights, in the shapes of `variables`.

        Args:
            gradients: One per weight, in the weight's shape.
        """
        if not self._flat:
            return gradients
        return [tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)]
