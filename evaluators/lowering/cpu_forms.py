"""Forms of the costly kernels whose gradients are cheap on a CPU; the values are the same.

The gradient of a matrix product by its second factor is x^T dz. Three things make it slow:

| what is slow | remedy | gain |
| --- | --- | --- |
| the library reads a wide transposed factor | the narrower one first | 1.8 to 1.1 ms (1) |
| the compiler would swap the factors back | a barrier | keeps that gain |
| rows of 2 or 4 KB collide in the cache (2) | 16 columns of zeros | 27 to 14 ms (3) |

(1) For (2048 x 256)^T (2048 x 64). (2) Without AVX-512. With it the library reads the rows in
another way, and the zeros would cost 3 % of a step (LOG.md). (3) With 1024 columns.

The gradient by a weight per channel adds up groups of neighbouring rows, then their sums.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

# what `numpy.show_runtime` prints; NumPy offers it nowhere else
from numpy._core._multiarray_umath import (  # type: ignore[import-not-found]
    __cpu_features__,
)
from tensorflow.compiler.tf2xla.python import xla

from primeval.primitives import kernels
from primeval.primitives.kernels import Forms

Tensor = Any
ALIASED, PADDING = 512, 16  # columns: multiples of the first collide; zeros added to them
AVX512 = __cpu_features__.get("AVX512F", False)
SUMMED = 16  # rows that are added up at a time
UNROLLED = 4  # taps that are summed one after the other


def product(x: Tensor, y: Tensor) -> Tensor:
    """(..., m, k), (..., k, n) -> (..., m, n), inside a program that XLA compiles."""
    if x.shape[:-2] != y.shape[:-2]:
        return tf.matmul(x, y)  # one of them is broadcast over branches
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
    """narrow^T wide: (..., m, k), (..., m, n) -> (..., k, n)."""
    columns = wide.shape[-1]
    if not AVX512 and len(wide.shape) == 2 and columns % ALIASED == 0:
        padded = _barrier(tf.pad(wide, [[0, 0], [0, PADDING]]))
        return tf.matmul(narrow, padded, transpose_a=True)[:, :columns]
    return _barrier(tf.matmul(narrow, wide, transpose_a=True))


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """`kernels.depthwise`, with the same shapes; faster for sequences without branches.

    That is for (batch, position, channel) and (taps, channel).
    """
    if len(x.shape) == 3 and len(weight.shape) == 2:
        return _depthwise(x, weight)
    return kernels.depthwise(x, weight)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _depthwise(x: Tensor, weight: Tensor) -> tuple[Tensor, Any]:
    taps = min(weight.shape[0], x.shape[1])

    def gradient(dy: Tensor) -> tuple[Tensor, Tensor]:
        sums = _sums_by_tap(x, dy, taps)
        unread = [[0, weight.shape[0] - taps], [0, 0]]
        return _convolved(dy, weight, taps, ahead=True), tf.pad(sums, unread)

    return _convolved(x, weight, taps), gradient


def _convolved(x: Tensor, weight: Tensor, taps: int, ahead: bool = False) -> Tensor:
    """Weighted sums of each position and the ones before it, or after it if `ahead`.

    (batch, position, channel), (taps, channel) -> (batch, position, channel). The positions
    that see all taps are computed apart from those at the edge, and need no zeros. Joining the
    two parts also writes them to memory. Without that, an operation that reads the result
    transposed would compute it again, from rows that lie far apart.
    """
    edge = taps - 1
    if not edge:
        return x * weight[0]
    inner = x.shape[1] - edge
    starts = range(taps) if ahead else range(edge, -1, -1)
    whole = sum(x[:, start : start + inner] * weight[tap] for tap, start in enumerate(starts))
    rest = x[:, inner:] if ahead else x[:, :edge]
    partial = sum(_moved(rest, -tap if ahead else tap) * weight[tap] for tap in range(edge))
    return tf.concat([whole, partial] if ahead else [partial, whole], 1)


def _sums_by_tap(x: Tensor, dy: Tensor, taps: int) -> Tensor:
    """For each tap, the sum of x times dy that many positions later.

    Both (batch, position, channel) -> (taps, channel). If there are many taps, a loop computes
    them: it runs as fast, and the program takes a third of the time to compile (LOG.md).
    """
    if taps <= UNROLLED:
        return tf.stack([_added_up(x * _moved(dy, -tap)) for tap in range(taps)])
    padded = tf.pad(dy, [[0, 0], [0, taps - 1], [0, 0]])

    def one(tap: Tensor) -> Tensor:
        return _added_up(x * tf.slice(padded, tf.stack([0, tap, 0]), x.shape))

    return tf.map_fn(one, tf.range(taps), fn_output_signature=x.dtype)


def _moved(x: Tensor, steps: int) -> Tensor:
    """(batch, position, channel) with the values moved `steps` positions later, zeros before.

    Negative steps move them earlier. Zeros are joined to them, as a padded copy would be
    written to memory before it is read.
    """
    if steps == 0:
        return x
    if steps < 0:
        return tf.concat([x[:, -steps:], tf.zeros_like(x[:, :-steps])], 1)
    return tf.concat([tf.zeros_like(x[:, :steps]), x[:, :-steps]], 1)


def scale(x: Tensor, weight: Tensor) -> Tensor:
    """`kernels.scale`, with the same shapes; faster for sequences without branches.

    That is for (batch, position, channel) and (channel,).
    """
    if len(x.shape) == 3 and len(weight.shape) == 1:
        return _scale(x, weight)
    return kernels.scale(x, weight)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _scale(x: Tensor, weight: Tensor) -> tuple[Tensor, Any]:
    return x * weight, lambda dy: (dy * weight, _added_up(x * dy))


def _added_up(x: Tensor) -> Tensor:
    """The sum over sequences and positions: (batch, position, channel) -> (channel,).

    It is made of sums of a few rows. By itself the compiler splits it into windows, which takes
    five times as long (LOG.md). The barrier stops it from merging the two sums into one.
    """
    rows = math.gcd(x.shape[0] * x.shape[1], SUMMED)
    # (batch, position, channel) to (groups, rows, channel)
    parts = tf.reduce_sum(tf.reshape(x, (-1, rows, x.shape[2])), 1)
    return tf.reduce_sum(_barrier(parts), 0)


def _barrier(x: Tensor) -> Tensor:
    """x, which the compiler may not merge with what reads it; x as it is if run eagerly."""
    return x if tf.executing_eagerly() else xla.optimization_barrier(x)[0]


DEPTHWISE = [op for op, kernel in kernels.WEIGHTED.items() if kernel is kernels.depthwise]
FAST = Forms(
    product,
    depthwise,
    {**kernels.WEIGHTED, "SCALE": scale, **dict.fromkeys(DEPTHWISE, depthwise)},
)
