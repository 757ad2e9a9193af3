"""Forms of the costly kernels whose gradients are cheap on a CPU; the values are the same.

The gradient of a matrix product by its second factor, x^T dz, has its first operand
transposed, which the compiler's library reads slowly: (2048 x 256)^T (2048 x 64) takes 1.8 ms,
its mirror image 1.1. So the narrower factor comes first. The compiler knows that both are
the same and would turn them back, hence the barrier. Rows of 2 or 4 KB collide in the cache:
with 1024 columns it is 27 ms, with 16 more columns of zeros 14 (LOG.md).

The gradient by a weight per channel adds up neighbouring rows first, then what is left.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from primeval.primitives import kernels
from primeval.primitives.kernels import Forms

Tensor = Any
ALIASED, PADDING = 512, 16  # columns: multiples that collide in the cache, and what helps
# Bytes from which a convolved value is written out: what reads it transposed would compute it
# anew from rows that lie far apart.
CACHED = 1 << 22
SUMMED = 16  # rows that are added up at a time


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
        padded = _barrier(tf.pad(wide, [[0, 0], [0, PADDING]]))
        return tf.matmul(narrow, padded, transpose_a=True)[:, :columns]
    return _barrier(tf.matmul(narrow, wide, transpose_a=True))


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """`kernels.depthwise`, in another form for sequences without branches."""
    if len(x.shape) == 3 and len(weight.shape) == 2:
        return _depthwise(x, weight)
    return kernels.depthwise(x, weight)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _depthwise(x: Tensor, weight: Tensor) -> tuple[Tensor, Any]:
    taps = min(weight.shape[0], x.shape[1])

    def gradient(dy: Tensor) -> tuple[Tensor, Tensor]:
        dx = sum(_moved(dy, -tap) * weight[tap] for tap in range(taps))
        sums = [_added_up(_moved(x, tap) * dy) for tap in range(taps)]
        sums += [tf.zeros_like(weight[0])] * (weight.shape[0] - taps)
        return dx, tf.stack(sums)

    y = sum(_moved(x, tap) * weight[tap] for tap in range(taps))
    if math.prod(x.shape) * x.dtype.size > CACHED:
        y = _barrier(y)
    return y, gradient


def _moved(x: Tensor, steps: int) -> Tensor:
    """The values so many positions later, or earlier; zeros come in.

    Joined, as a padded copy would be written out before it is read.
    """
    if steps == 0:
        return x
    if steps < 0:
        return tf.concat([x[:, -steps:], tf.zeros_like(x[:, :-steps])], 1)
    return tf.concat([tf.zeros_like(x[:, :steps]), x[:, :-steps]], 1)


def scale(x: Tensor, weight: Tensor) -> Tensor:
    """`kernels.scale`, in another form for sequences without branches."""
    if len(x.shape) == 3 and len(weight.shape) == 1:
        return _scale(x, weight)
    return kernels.scale(x, weight)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _scale(x: Tensor, weight: Tensor) -> tuple[Tensor, Any]:
    return x * weight, lambda dy: (dy * weight, _added_up(x * dy))


def _added_up(x: Tensor) -> Tensor:
    """The sum over sequences and positions, a few rows at a time.

    By itself the compiler cuts it up in windows, which takes five times as long (LOG.md); the
    barrier keeps it from making one sum of the two.
    """
    rows = math.gcd(x.shape[0] * x.shape[1], SUMMED)
    parts = tf.reduce_sum(tf.reshape(x, (-1, rows, x.shape[2])), 1)
    return tf.reduce_sum(_barrier(parts), 0)


def _barrier(x: Tensor) -> Tensor:
    """Keeps the compiler from joining what makes x with what reads it, where there is one."""
    return x if tf.executing_eagerly() else xla.optimization_barrier(x)[0]


DEPTHWISE = (op for op, kernel in kernels.WEIGHTED.items() if kernel is kernels.depthwise)
FAST = Forms(
    product,
    depthwise,
    {**kernels.WEIGHTED, "SCALE": scale, **dict.fromkeys(DEPTHWISE, depthwise)},
)
