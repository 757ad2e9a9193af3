"""The 39 primitives, in the order of the paper's Table 2 (A.1).

A program has no operations but these and those that a user adds. `CHOICE:` notes mark what
the paper leaves open; docs/language.md collects them.
"""

from __future__ import annotations

from primeval.primitives.primitive import (
    COLUMN,
    CONSTANT,
    DIM,
    INPUT_1,
    INPUT_2,
    ZERO,
    Primitive,
    Vocabulary,
)

UNARY, BINARY = (INPUT_1,), (INPUT_1, INPUT_2)
WITH_CONSTANT, WITH_DIM = (INPUT_1, CONSTANT), (INPUT_1, DIM)
KEEPS_ZERO, BOTH_ZERO = frozenset({ZERO}), frozenset({ZERO + ZERO})


def _not_above_zero(constant: float) -> bool:
    return constant <= 0.0


def _not_below_zero(constant: float) -> bool:
    return constant >= 0.0


def _conv(width: int, maps_to: str) -> Primitive:
    return Primitive(f"CONV_{width}X1", WITH_DIM, "convolution", maps_to, width)


def _depthwise(width: int) -> Primitive:
    # CHOICE: a depthwise convolution keeps its channels. Table 2 lists a filters field, but
    # the evolved program prints d_model there, not the width per head, so nothing reads it.
    maps_to = "tf.nn.depthwise_conv2d"
    return Primitive(f"DCONV_{width}X1", UNARY, "depthwise", maps_to, width)


ROWS = (
    Primitive(
        "ADD",
        BINARY,
        "elementwise",
        "tf.math.add",
        commutative=True,
        zero_if=BOTH_ZERO,
    ),
    Primitive(
        "DIFFERENCE",
        BINARY,
        "elementwise",
        "tf.math.subtract",
        zero_if=BOTH_ZERO,
    ),
    # Zero times an infinity above the diagonal is not a number. So of two scores, both must be
    # zero there.
    Primitive(
        "DIVIDE",
        BINARY,
        "elementwise",
        "tf.math.divide",
        zero_if=frozenset({ZERO + COLUMN}),
    ),
    Primitive(
        "MULTIPLY",
        BINARY,
        "elementwise",
        "tf.math.multiply",
        commutative=True,
        zero_if=BOTH_ZERO | {ZERO + COLUMN, COLUMN + ZERO},
    ),
    Primitive(
        "ABS_ROOT",
        UNARY,
        "elementwise",
        "tf.math.sqrt(tf.abs(x))",
        zero_if=KEEPS_ZERO,
        flops=2,
        note="the gradient at 0 is taken as 0",
    ),
    Primitive("SQUARE", UNARY, "elementwise", "tf.math.square", zero_if=KEEPS_ZERO),
    Primitive("EXP", UNARY, "elementwise", "tf.math.exp", flops=8),
    Primitive("LOG", UNARY, "elementwise", "tf.math.log(tf.abs(x))", flops=9),
    Primitive("C_MUL", WITH_CONSTANT, "elementwise", "x * c", zero_if=KEEPS_ZERO),
    Primitive("ABS", UNARY, "elementwise", "tf.abs", zero_if=KEEPS_ZERO),
    Primitive(
        "RECIP",
        UNARY,
        "elementwise",
        "tf.math.reciprocal_no_nan",
        zero_if=KEEPS_ZERO,
        note="0 maps to 0",
    ),
    Primitive("SIGN", UNARY, "elementwise", "tf.sign", zero_if=KEEPS_ZERO),
    Primitive("COS", UNARY, "elementwise", "tf.cos", flops=8),
    Primitive("SIN", UNARY, "elementwise", "tf.sin", zero_if=KEEPS_ZERO, flops=8),
    Primitive("TANH", UNARY, "elementwise", "tf.tanh", zero_if=KEEPS_ZERO, flops=8),
    Primitive("SIGMOID", UNARY, "elementwise", "tf.sigmoid", flops=8),
    Primitive(
        "MAX",
        WITH_CONSTANT,
        "elementwise",
        "tf.maximum(x, c)",
        zero_if=KEEPS_ZERO,
        zero_when=_not_above_zero,
    ),
    Primitive(
        "MIN",
        WITH_CONSTANT,
        "elementwise",
        "tf.minimum(x, c)",
        zero_if=KEEPS_ZERO,
        zero_when=_not_below_zero,
    ),
    Primitive(
        "SCALE",
        UNARY,
        "channelwise",
        "x * variable",
        zero_if=KEEPS_ZERO,
        note="the printed table swaps SCALE and SHIFT; the names and their use decide",
    ),
    Primitive("SHIFT", UNARY, "channelwise", "x + variable", note="see SCALE"),
    Primitive("MASK", UNARY, "mask", "tf.linalg.band_part(x, -1, 0)"),
    Primitive("CUM_PROD", UNARY, "cumulative", "tf.math.cumprod", neutral=1.0),
    Primitive("CUM_SUM", UNARY, "cumulative", "tf.math.cumsum"),
    Primitive("RED_MEAN", UNARY, "reduction", "tf.reduce_mean"),
    Primitive("RED_SUM", UNARY, "reduction", "tf.reduce_sum"),
    Primitive("RED_MIN", UNARY, "reduction", "tf.reduce_min", neutral=float("inf")),
    Primitive("RED_MAX", UNARY, "reduction", "tf.reduce_max", neutral=float("-inf")),
    Primitive("RED_PROD", UNARY, "reduction", "tf.reduce_prod", neutral=1.0),
    Primitive("MAT_MUL", BINARY, "matrix_product", "tf.matmul"),
    Primitive(
        "T_MAT_MUL",
        BINARY,
        "transposed_product",
        "tf.matmul(x, y, transpose_b=True)",
    ),
    _conv(1, "tf.layers.dense"),
    _conv(3, "tf.nn.conv1d"),
    _conv(7, "tf.nn.conv1d"),
    _conv(15, "tf.nn.conv1d"),
    _conv(31, "tf.nn.conv1d"),
    _depthwise(3),
    _depthwise(7),
    _depthwise(15),
    _depthwise(31),
)

PRIMITIVES = Vocabulary(ROWS)
