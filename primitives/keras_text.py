"""How each primitive is written in Keras, for modules that need Keras only: text.

`dna/writing/keras_layer.py` writes programs with these forms; they run on any backend. Training
uses `kernels.py` instead, and tests/dna/test_source.py checks that both compute the same. In a
form, {a} and {b} are the operands, {c} is the constant and {w} the weight. A module contains
those of the HELPERS that it uses.
"""

from __future__ import annotations

from primeval.primitives.rules import PRESENT, Initial
from primeval.primitives.vocabulary import FUNCTIONS, PRIMITIVES, TAPS

# A function and its arguments. Weights of branches have a branch axis in front.
CALLS: dict[str, tuple[str, ...]] = {
    **{
        name: (f"ops.{function.split('.')[-1]}", "{a}", "{b}")[: 1 + PRIMITIVES[name].arity]
        for name, function in FUNCTIONS.items()
    },
    "ABS_ROOT": ("abs_root", "{a}"),
    "LOG": ("ops.log", "ops.abs({a})"),
    "C_MUL": ("ops.multiply", "{a}", "{c}"),
    "RECIP": ("reciprocal", "{a}"),
    "MAX": ("ops.maximum", "{a}", "{c}"),
    "MIN": ("ops.minimum", "{a}", "{c}"),
    "SCALE": ("ops.multiply", "{a}", "{w}"),
    "SHIFT": ("ops.add", "{a}", "{w}"),
    "MASK": ("ops.tril", "{a}"),
    "CUM_PROD": ("ops.cumprod", "{a}", "axis=-2"),
    "CUM_SUM": ("ops.cumsum", "{a}", "axis=-2"),
    "T_MAT_MUL": ("ops.matmul", "{a}", "ops.swapaxes({b}, -1, -2)"),
    **{
        f"RED_{name}": (f"ops.{name.lower()}", "{a}", "axis=-1", "keepdims=True")
        for name in ("MEAN", "SUM", "MIN", "MAX", "PROD")
    },
    **{f"DCONV_{width}X1": ("depthwise_conv", "{a}", "{w}") for width in TAPS},
}

# The mean of scores, over the keys that a query sees; see `rules.counts_visible_keys`.
VISIBLE_MEAN = ("visible_mean", "{a}")

# What a weight starts with; {inputs} is the number that each output of a matrix sums over.
INITIALIZERS = {
    Initial.NORMAL: "normal({inputs})",
    Initial.NEAR_IDENTITY: "near_identity",
    Initial.ONES: '"ones"',
    Initial.ZEROS: '"zeros"',
}

# A matrix: a product for one copy, an einsum for branches. For several taps, {a} is PAST.
MATRIX = ("ops.matmul", "{a}", "{w}")
BRANCHED_MATRIX = ("ops.einsum", '"{equation}"', "{a}", "{w}")
PAST = "with_past({a}, {taps})"

OPERATORS = {
    **{"ADD": "+", "DIFFERENCE": "-", "DIVIDE": "/", "MULTIPLY": "*"},
    **{"C_MUL": "*", "SCALE": "*", "SHIFT": "+"},
}

# An operand whose future may not be read: it is overwritten there first, {v} is the value.
FILL_ZERO, FILL = "ops.tril({a})", "fill_future({a}, {v})"

NEW_BRANCH = "ops.expand_dims({a}, -3)"  # for a value that the branches share
MERGE = ("ops.concatenate", "ops.unstack({a}, axis=-3)", "axis=-1")
MERGE_OF_ONE = ("ops.concatenate", "[{a}] * {n}", "axis=-1")

# Helpers by name, each after those that it uses.
HELPERS: dict[str, str] = {
    "normal": '''\
def normal(inputs):
    """Initial values of a matrix that keep the variance of its inputs."""
    return keras.initializers.RandomNormal(stddev=inputs**-0.5)
''',
    "near_identity": f'''\
def near_identity(shape, dtype=None):
    """First taps (taps, ..., channels): {PRESENT} for the present, {PRESENT} / taps before."""
    taps = shape[0]
    start = ops.convert_to_tensor([*[{PRESENT} / taps] * (taps - 1), {PRESENT}], dtype)
    return ops.ones(shape, dtype) * ops.reshape(start, (taps, *[1] * (len(shape) - 1)))
''',
    "shifted": '''\
def shifted(x, steps):
    """The values (..., position, channel) `steps` positions earlier; zeros at the start."""
    if steps == 0:
        return x
    padding = [[0, 0]] * (len(x.shape) - 2) + [[steps, 0], [0, 0]]
    return ops.pad(x, padding)[..., :-steps, :]
''',
    "with_past": '''\
def with_past(x, taps):
    """The channels of a position, then those of each of the `taps - 1` before it."""
    return ops.concatenate([shifted(x, step) for step in range(taps)], axis=-1)
''',
    "depthwise_conv": '''\
def depthwise_conv(x, kernel):
    """Causal convolution of each channel; kernel (taps, ..., channels), the present last."""
    taps = kernel.shape[0]
    parts = [shifted(x, step) * kernel[taps - 1 - step] for step in range(taps)]
    return sum(parts[1:], parts[0])
''',
    "abs_root": '''\
def abs_root(x):
    """The square root of |x|, but with gradient 0 at 0 instead of infinity."""
    zero = ops.equal(x, 0.0)
    return ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, ops.abs(x))))
''',
    "reciprocal": '''\
def reciprocal(x):
    """1 / x, and 0 for 0."""
    zero = ops.equal(x, 0.0)
    return ops.where(zero, 0.0, 1.0 / ops.where(zero, 1.0, x))
''',
    "fill_future": '''\
def fill_future(scores, value):
    """The scores (..., query, key), with `value` where the key comes after the query."""
    return ops.where(ops.tril(ops.ones_like(scores)) > 0.0, scores, value)
''',
    "visible_mean": '''\
def visible_mean(scores):
    """Mean over the keys a query sees, of scores that are zero for all others."""
    count = ops.cumsum(ops.ones_like(scores[..., :1], dtype="float32"), axis=-2)
    return ops.sum(scores, axis=-1, keepdims=True) / ops.cast(count, scores.dtype)
''',
}
