"""The 39 primitives, in the order of the paper's Table 2 (A.1).

A program has no operations but these and those that a user adds. `CHOICE:` notes mark what
the paper leaves open; docs/language.md collects them.
"""

from __future__ import annotations

from typing import Any

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
TAPS = (3, 7, 15, 31)  # of convolutions that look back


def _elementwise(name: str, reads: tuple[str, ...], maps_to: str, **traits: Any) -> Primitive:
    return Primitive(name, reads, "elementwise", maps_to, **traits)


ROWS = (
    _elementwise("ADD", BINARY, "tf.math.add", commutative=True, zero_if=BOTH_ZERO),
    _elementwise("DIFFERENCE", BINARY, "tf.math.subtract", zero_if=BOTH_ZERO),
    # Zero times an infinity above the diagonal is not a number. So of two scores, both must be
    # zero there.
    _elementwise("DIVIDE", BINARY, "tf.math.divide", zero_if=frozenset({ZERO + COLUMN})),
    _elementwise(
        "MULTIPLY",
        BINARY,
        "tf.math.multiply",
        commutative=True,
        zero_if=BOTH_ZERO | {ZERO + COLUMN, COLUMN + ZERO},
    ),
    _elementwise(
        "ABS_ROOT",
        UNARY,
        "tf.math.sqrt(tf.abs(x))",
        zero_if=KEEPS_ZERO,
        flops=2,
        note="the gradient at 0 is taken as 0",
    ),
    _elementwise("SQUARE", UNARY, "tf.math.square", zero_if=KEEPS_ZERO),
    _elementwise("EXP", UNARY, "tf.math.exp", flops=8),
    _elementwise("LOG", UNARY, "tf.math.log(tf.abs(x))", flops=9),
    _elementwise("C_MUL", WITH_CONSTANT, "x * c", zero_if=KEEPS_ZERO),
    _elementwise("ABS", UNARY, "tf.abs", zero_if=KEEPS_ZERO),
    _elementwise(
        "RECIP", UNARY, "tf.math.reciprocal_no_nan", zero_if=KEEPS_ZERO, note="0 maps to 0"
    ),
    _elementwise("SIGN", UNARY, "tf.sign", zero_if=KEEPS_ZERO),
    _elementwise("COS", UNARY, "tf.cos", flops=8),
    _elementwise("SIN", UNARY, "tf.sin", zero_if=KEEPS_ZERO, flops=8),
    _elementwise("TANH", UNARY, "tf.tanh", zero_if=KEEPS_ZERO, flops=8),
    _elementwise("SIGMOID", UNARY, "tf.sigmoid", flops=8),
    _elementwise(
        "MAX",
        WITH_CONSTANT,
        "tf.maximum(x, c)",
        zero_if=KEEPS_ZERO,
        zero_when=lambda constant: constant <= 0.0,
    ),
    _elementwise(
        "MIN",
        WITH_CONSTANT,
        "tf.minimum(x, c)",
        zero_if=KEEPS_ZERO,
        zero_when=lambda constant: constant >= 0.0,
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
    Primitive("T_MAT_MUL", BINARY, "transposed_product", "tf.matmul(x, y, transpose_b=True)"),
    Primitive("CONV_1X1", WITH_DIM, "convolution", "tf.layers.dense", kernel_width=1),
    *(
        Primitive(f"CONV_{taps}X1", WITH_DIM, "convolution", "tf.nn.conv1d", taps)
        for taps in TAPS
    ),
    # CHOICE: a depthwise convolution keeps its channels. Table 2 lists a filters field, but
    # the evolved program prints d_model there, not the width per head, so nothing reads it.
    *(
        Primitive(f"DCONV_{taps}X1", UNARY, "depthwise", "tf.nn.depthwise_conv2d", taps)
        for taps in TAPS
    ),
)

PRIMITIVES = Vocabulary(ROWS)

# For each primitive that a single function computes from its inputs alone: that function.
FUNCTIONS = {
    row.name: row.maps_to
    for row in ROWS
    if row.rule in ("elementwise", "matrix_product")
    and row.maps_to.replace(".", "").isidentifier()
}
