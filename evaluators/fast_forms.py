"""Forms of the costly kernels whose gradients are cheap on a CPU; the values are the same.

The gradient of a matrix product by its second factor, x^T dz, has its first operand
transposed, which the compiler's library reads slowly: (2048 x 256)^T (2048 x 64) takes 1.8 ms,
its mirror image 1.1. So the narrower factor comes first. The compiler knows that both are
the same and would turn them back, hence the barrier. Rows of 2 or 4 KB collide in the cache:
with 1024 columns it is 27 ms, with 16 more columns of zeros 14 (LOG.md).

The gradient of a depthwise convolution by its weights adds up over sequences first: whole rows,
then what is left over positions.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from primeval.primitives import kernels
from primeval.primitives.kernels import Forms

Tensor = Any
ALIASED, PADDING = 512, 16  # columns: multiples that collide in the cache, and what helps


def product(x: Tensor, y: Tensor) -> Tensor:
    """(..., m, k) times (..., k, n), inside a program that XLA compiles."""
    if x.shape[:-2] != y.shape[:-2]:
        return tf.matmul(x, y)  # one of them is spread over branches
    return _product(x, y)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _product(x: Tensor, y: Tensor) -> tuple[Tensor, Any]:
    def gradient(dz: Tensor) -> tuple[Tensor, Tensor]:
        dx = tf.matmul(dz, y, transpose_b=True)
        if x.shape[-1] <= dz.shape[-1]:
            dy = _transposed_times(x, dz)
        else:
            dy = tf.linalg.matrix_transpose(_transposed_times(dz, x))
        return dx, dy

    return tf.matmul(x, y), gradient


def _transposed_times(narrow: Tensor, wide: Tensor) -> Tensor:
    """narrow^T wide."""
    columns = wide.shape[-1]
    if len(wide.shape) == 2 and columns % ALIASED == 0:
        padded = xla.optimization_barrier(tf.pad(wide, [[0, 0], [0, PADDING]]))[0]
        return tf.matmul(narrow, padded, transpose_a=True)[:, :columns]
    return xla.optimization_barrier(tf.matmul(narrow, wide, transpose_a=True))[0]


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """`kernels.depthwise`, for sequences without branches."""
    return _depthwise(x, weight) if len(x.shape) == 3 else kernels.depthwise(x, weight)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _depthwise(x: Tensor, weight: Tensor) -> tuple[Tensor, Any]:
    taps, length = weight.shape[0], x.shape[1]

    def gradient(dy: Tensor) -> tuple[Tensor, Tensor]:
        dx = dy * weight[0]
        for tap in range(1, min(taps, length)):
            later = tf.concat([dy[:, tap:], tf.zeros_like(dy[:, :tap])], 1)
            dx += later * weight[tap]
        sums = [
            tf.reduce_sum(tf.reduce_sum(x[:, : length - tap] * dy[:, tap:], 0), 0)
            for tap in range(min(taps, length))
        ]
        sums += [tf.zeros_like(weight[0])] * (taps - len(sums))
        return dx, tf.stack(sums)

    return kernels.depthwise(x, weight), gradient


FAST = Forms(product, depthwise)
