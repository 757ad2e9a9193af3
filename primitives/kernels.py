"""What each primitive computes: one function on tensors for each row of the vocabulary.

The functions use `keras.ops`. On the TensorFlow backend these are the TensorFlow functions
that the paper's table names. They also build the stock Keras model that a winner is exported
as, so that the trained program and the exported one share these lines. Only this file and
`evaluators/` import Keras.

A sequence is (batch, *branches, position, channel), scores are (batch, *branches, query, key).
Kernels work on the last two axes, so they need no code for branches. Weights come as arguments,
with their branch axes first. Kernels apply no masks: `evaluators/lowering/` calls `fill_above`
where `rules.fill` asks for it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras import ops

from primeval.primitives.primitive import Kernel, Primitive
from primeval.primitives.promises import check_promises
from primeval.primitives.rules import finite, matrix_equation

Tensor = Any
POSITIONS, CHANNELS = -2, -1


def abs_root(x: Tensor) -> Tensor:
    """The square root of |x|, of the same shape, with gradient 0 at 0 instead of infinity."""
    zero = ops.equal(x, 0.0)
    safe = ops.where(zero, 1.0, ops.abs(x))
    return ops.where(zero, 0.0, ops.sqrt(safe))


def reciprocal(x: Tensor) -> Tensor:
    """1 / x, and 0 for 0, of the same shape, as tf.math.reciprocal_no_nan."""
    zero = ops.equal(x, 0.0)
    return ops.where(zero, 0.0, ops.divide(1.0, ops.where(zero, 1.0, x)))


def visible_keys(scores: Tensor) -> Tensor:
    """How many keys each query sees, 1, 2, ...: (..., query, key) to (..., query, 1)."""
    ones = ops.ones_like(scores[..., :1], dtype="float32")  # bfloat16 only counts to 256
    return ops.cast(ops.cumsum(ones, axis=POSITIONS), scores.dtype)


def fill_above(scores: Tensor, value: float) -> Tensor:
    """Scores (..., query, key) with `value` above the diagonal; the shape stays the same.

    An infinite value is replaced by a large number, see `rules.finite`.
    """
    if value == 0.0:
        return ops.tril(scores)
    visible = ops.tril(ops.ones_like(scores[(0,) * (len(scores.shape) - 2)]))
    return ops.where(visible > 0.0, scores, finite(value, str(scores.dtype)))


class Forms(NamedTuple):
    """The costly kernels, in forms that suit where they run.

    Attributes:
        product: (..., m, k), (..., k, n) -> (..., m, n).
        depthwise: Like the function `depthwise`, for the convolutions that `projections`
            computes together.
        weighted: Like `WEIGHTED`.
    """

    product: Callable[[Tensor, Tensor], Tensor]
    depthwise: Callable[[Tensor, Tensor], Tensor]
    weighted: Mapping[str, Callable[[Tensor, Tensor], Tensor]]


def shifted(x: Tensor, steps: int) -> Tensor:
    """(..., position, channel) to the values `steps` positions earlier, zeros at the start."""
    if steps == 0:
        return x
    rank = len(x.shape)
    padding = [[0, 0]] * (rank - 2) + [[steps, 0], [0, 0]]
    return ops.pad(x, padding)[..., :-steps, :]


def with_branches(x: Tensor, branches: int) -> Tensor:
    """(batch, ..., t, c) with `branches` axes after the batch, missing ones of size 1.

    The missing axes are the inner ones: (batch, n, t, c) becomes (batch, n, 1, t, c).
    """
    for _ in range(branches - (len(x.shape) - 3)):
        x = ops.expand_dims(x, POSITIONS - 1)
    return x


def convolution(x: Tensor, weight: Tensor) -> Tensor:
    """Causal convolution along positions.

    (batch, *seen, position, in), (*branches, taps, in, out)
    -> (batch, *branches, position, out), where `seen` are the first of the branches, or all.
    Tap 0 sees the current position, tap j the one j earlier. The taps become channels, so that
    a convolution of any width is one matrix product.
    """
    if len(x.shape) == 3:
        return projections(x, [weight], [], PLAIN)[0]
    taps, inputs, outputs = weight.shape[-3:]
    equation = matrix_equation(len(x.shape) - 3, len(weight.shape) - 3)
    # (*branches, taps, in, out) to (*branches, taps * in, out)
    weight = ops.reshape(weight, (*weight.shape[:-3], taps * inputs, outputs))
    return ops.einsum(equation, taps_of(x, taps), weight)


def taps_of(x: Tensor, taps: int) -> Tensor:
    """What each tap sees, side by side: (..., position, in) to (..., position, taps * in)."""
    stacked = [shifted(x, tap) for tap in range(taps)]
    return x if taps == 1 else ops.concatenate(stacked, axis=CHANNELS)


def projections(
    x: Tensor, weights: list[Tensor], filters: list[Tensor], forms: Forms
) -> list[Tensor]:
    """Convolutions with equally many taps of one input without branches, as one matrix product.

    The rows of all sequences form one matrix. So the gradient by the weights is one product as
    well; a stack of matrices would give one product each, which would have to be added up.

    Args:
        x: (batch, position, in).
        weights: (*branches, taps, in, out) each; their branches may differ.
        filters: (*branches, taps, out) each: depthwise convolutions to follow, one for each
            weight, with equally many taps; empty for no such convolutions.
        forms: Forms of the kernels to use.

    Returns:
        (batch, *branches, position, out) for each weight.
    """
    taps, inputs = weights[0].shape[-3:-1]
    matrix = _columns(weights)
    # (batch, position, taps * in) to (batch * position, taps * in)
    y = forms.product(ops.reshape(taps_of(x, taps), (-1, taps * inputs)), matrix)
    # (batch * position, all outputs) to (batch, position, all outputs)
    y = ops.reshape(y, (-1, ops.shape(x)[-2], matrix.shape[1]))
    if filters:
        y = forms.depthwise(y, _columns([ops.expand_dims(one, -2) for one in filters]))
    sizes = [math.prod(weight.shape[:-3]) * weight.shape[-1] for weight in weights]
    ends = list(itertools.accumulate(sizes))
    parts = [y] if len(weights) == 1 else ops.split(y, ends[:-1], axis=CHANNELS)
    return [
        _with_branches_first(part, (*weight.shape[:-3], weight.shape[-1]))
        for part, weight in zip(parts, weights, strict=True)
    ]


def _columns(weights: list[Tensor]) -> Tensor:
    """Each (*branches, taps, in, out), as one matrix (taps * in, sum of branches * out)."""
    matrices = []
    for weight in weights:
        last = len(weight.shape) - 1
        order = (last - 2, last - 1, *range(last - 2), last)
        rows = weight.shape[-3] * weight.shape[-2]
        # to (taps, in, *branches, out), and to (taps * in, branches * out)
        matrices.append(ops.reshape(ops.transpose(weight, order), (rows, -1)))
    return matrices[0] if len(matrices) == 1 else ops.concatenate(matrices, axis=1)


def _with_branches_first(y: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(batch, position, branches * out) to (batch, *branches, position, out)."""
    if len(shape) == 1:
        return y
    # (batch, position, branches * out) to (batch, position, *branches, out)
    y = ops.reshape(y, (-1, ops.shape(y)[1], *shape))
    branches = range(2, 1 + len(shape))
    return ops.transpose(y, (0, *branches, 1, 1 + len(shape)))


def depthwise(x: Tensor, weight: Tensor) -> Tensor:
    """Causal convolution of each channel with taps of its own; tap j sees j positions earlier.

    (batch, ..., position, channel), (*branches, taps, channel)
    -> (batch, *branches, position, channel).
    """
    taps, x = weight.shape[-2], with_branches(x, len(weight.shape) - 2)
    total = x * weight[..., :1, :]
    for tap in range(1, taps):
        total = total + shifted(x, tap) * weight[..., tap : tap + 1, :]
    return total


def channelwise(operation: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """An operation with one trainable number per channel.

    (batch, ..., position, channel), (*branches, channel)
    -> (batch, *branches, position, channel).
    """
    return lambda x, weight: operation(
        with_branches(x, len(weight.shape) - 1), ops.expand_dims(weight, POSITIONS)
    )


scale = channelwise(ops.multiply)


def transposed_product(x: Tensor, y: Tensor) -> Tensor:
    """x times y transposed: (..., m, k), (..., n, k) -> (..., m, n)."""
    return ops.matmul(x, ops.swapaxes(y, POSITIONS, CHANNELS))


def _reduction(operation: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: operation(x, axis=CHANNELS, keepdims=True)


# Primitives without weights: f(x), f(x, y) or f(x, constant). Elementwise and cumulative ones
# keep the shape; the reductions give (..., 1).
PURE: dict[str, Kernel] = {
    "ADD": ops.add,
    "DIFFERENCE": ops.subtract,
    "DIVIDE": ops.divide,
    "MULTIPLY": ops.multiply,
    "ABS_ROOT": abs_root,
    "SQUARE": ops.square,
    "EXP": ops.exp,
    "LOG": lambda x: ops.log(ops.abs(x)),
    "C_MUL": ops.multiply,
    "ABS": ops.abs,
    "RECIP": reciprocal,
    "SIGN": ops.sign,
    "COS": ops.cos,
    "SIN": ops.sin,
    "TANH": ops.tanh,
    "SIGMOID": ops.sigmoid,
    "MAX": ops.maximum,
    "MIN": ops.minimum,
    "MASK": ops.tril,
    "CUM_PROD": lambda x: ops.cumprod(x, axis=POSITIONS),
    "CUM_SUM": lambda x: ops.cumsum(x, axis=POSITIONS),
    "RED_MEAN": _reduction(ops.mean),
    "RED_SUM": _reduction(ops.sum),
    "RED_MIN": _reduction(ops.min),
    "RED_MAX": _reduction(ops.max),
    "RED_PROD": _reduction(ops.prod),
    "MAT_MUL": ops.matmul,
    "T_MAT_MUL": transposed_product,
}


def kernel_of(primitive: Primitive) -> Kernel:
    """The kernel of a primitive without weights.

    The kernel of a user's primitive is tried before its first use in this process. Raises
    PrimitiveError if it breaks a promise.
    """
    if primitive.kernel is None:
        return PURE[primitive.name]
    check_promises(primitive)
    return primitive.kernel


# Primitives with weights: f(x, weight), with the shapes of the functions above.
WEIGHTED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "SCALE": scale,
    "SHIFT": channelwise(ops.add),
    **{f"CONV_{width}X1": convolution for width in (1, 3, 7, 15, 31)},
    **{f"DCONV_{width}X1": depthwise for width in (3, 7, 15, 31)},
}

PLAIN = Forms(ops.matmul, depthwise, WEIGHTED)
