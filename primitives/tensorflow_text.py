"""How each primitive is written in plain TensorFlow, for people: text, never executed here.

`dna/writing/tensorflow_code.py` prints programs with these templates. Training uses
`kernels.py` instead, and tests/dna/test_code.py checks that both compute the same. In a
template, {a} and {b} are the operands, {c} is the constant and {w} the weight. The printed code
contains those of the HELPERS that it uses.
"""

from __future__ import annotations

from primeval.primitives.rules import PRESENT, Initial
from primeval.primitives.vocabulary import FUNCTIONS, PRIMITIVES, TAPS

# A user's primitive is printed if its module adds a template here.
TEMPLATES: dict[str, str] = {
    **{
        name: f"{call}({{a}}, {{b}})" if PRIMITIVES[name].arity == 2 else f"{call}({{a}})"
        for name, call in FUNCTIONS.items()
    },
    "ABS_ROOT": "abs_root({a})",
    "LOG": "tf.math.log(tf.abs({a}))",
    "C_MUL": "tf.math.multiply({a}, {c})",
    "MAX": "tf.maximum({a}, {c})",
    "MIN": "tf.minimum({a}, {c})",
    "SCALE": "tf.math.multiply({a}, {w})",
    "SHIFT": "tf.math.add({a}, {w})",
    "MASK": "tf.linalg.band_part({a}, -1, 0)",
    "CUM_PROD": "tf.math.cumprod({a}, axis=-2)",
    "CUM_SUM": "tf.math.cumsum({a}, axis=-2)",
    "T_MAT_MUL": "tf.matmul({a}, {b}, transpose_b=True)",
    "CONV_1X1": "tf.matmul({a}, {w})",
    **{
        f"RED_{name}": f"tf.reduce_{name.lower()}({{a}}, axis=-1, keepdims=True)"
        for name in ("MEAN", "SUM", "MIN", "MAX", "PROD")
    },
    **{f"CONV_{width}X1": "causal_conv({a}, {w})" for width in TAPS},
    **{f"DCONV_{width}X1": "depthwise_conv({a}, {w})" for width in TAPS},
}

# The mean of scores, over the keys that a query sees; see `rules.counts_visible_keys`.
VISIBLE_MEAN = "tf.reduce_sum({a}, axis=-1, keepdims=True) / visible_keys({a})"

# Weights, by what they start with.
WEIGHT_CALLS = {
    Initial.NORMAL: "weight({name}, {shape})",
    Initial.NEAR_IDENTITY: "taps({name}, {shape})",
    Initial.ONES: "weight({name}, {shape}, start=1.0)",
    Initial.ZEROS: "weight({name}, {shape}, start=0.0)",
}

# An operand whose future may not be read: it is overwritten there first, {v} is the value.
FILL_ZERO = "tf.linalg.band_part({a}, -1, 0)"
FILL = "fill_future({a}, {v})"

HELPERS: dict[str, str] = {
    "weight": '''\
WEIGHTS = {}


def weight(name, *shape, start=None):
    """The variable of that name; made at first use, random (1 / sqrt(inputs)) or constant."""
    if name not in WEIGHTS:
        deviation = math.prod(shape[:-1]) ** -0.5
        value = tf.random.normal(shape, stddev=deviation) if start is None else start
        WEIGHTS[name] = tf.Variable(tf.zeros(shape) + value)
    return WEIGHTS[name]
''',
    "taps": f'''\
def taps(name, width, channels):
    """Weights of a depthwise convolution, near the identity at first; tap 0 is the present."""
    start = tf.constant([[{PRESENT}]] + [[{PRESENT} / width]] * (width - 1))
    return weight(name, width, channels, start=start)
''',
    "causal_conv": '''\
def causal_conv(x, kernel):
    """Convolution of the present (tap 0 of the kernel) and the past."""
    x = tf.pad(x, [[0, 0], [kernel.shape[0] - 1, 0], [0, 0]])
    return tf.nn.conv1d(x, kernel[::-1], stride=1, padding="VALID")
''',
    "depthwise_conv": '''\
def depthwise_conv(x, kernel):
    """Convolution of each channel with taps of its own; tap 0 is the present."""
    x = tf.pad(x, [[0, 0], [kernel.shape[0] - 1, 0], [0, 0]])[:, :, None]
    kernel = kernel[::-1, None, :, None]
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID")[:, :, 0]
''',
    "abs_root": '''\
def abs_root(x):
    """tf.sqrt(tf.abs(x)), but with gradient 0 at 0 instead of infinity."""
    zero = tf.equal(x, 0.0)
    return tf.where(zero, 0.0, tf.sqrt(tf.where(zero, 1.0, tf.abs(x))))
''',
    "fill_future": '''\
def fill_future(scores, value):
    """The scores (query, key), with `value` where the key comes after the query."""
    visible = tf.linalg.band_part(tf.ones_like(scores), -1, 0) > 0.0
    return tf.where(visible, scores, value)
''',
    "visible_keys": '''\
def visible_keys(scores):
    """How many keys each query sees: 1, 2, ..., as a column."""
    return tf.cumsum(tf.ones_like(scores[..., :1]), axis=-2)
''',
}
