"""Primitives that misbehave in training: a users' module for `language.modules`.

They do no harm at the batch sizes of probing and of first trials, and strike in training.
"""

from __future__ import annotations

from typing import Any

from primeval.primitives.user import Primitive, register

BATCH = 4  # the batch size at which they strike


def _elsewhere(x: Any, strike: Any) -> Any:
    """Call `strike(x)` through Python if this is training; otherwise return x."""
    import tensorflow as tf

    if x.shape[0] != BATCH:
        return x
    return tf.ensure_shape(tf.py_function(strike, [x], x.dtype), x.shape)


def hang(x: Any) -> Any:
    """Loop for ever inside a compiled call."""
    import tensorflow as tf

    if x.shape[0] != BATCH:
        return x
    i = tf.while_loop(lambda i: i >= 0, lambda i: (i + 1) % 7, [tf.constant(0)])
    return x + tf.cast(i[0] if isinstance(i, (list, tuple)) else i, x.dtype)


def devour(x: Any) -> Any:
    """Allocate memory without end, 16 MB at a time."""
    import tensorflow as tf

    if x.shape[0] != BATCH:
        return x
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[1 << 22])

    def more(i: Any, kept: Any) -> Any:
        return i + 1, kept.write(i, tf.fill([1 << 22], tf.cast(i, tf.float32)))

    _, kept = tf.while_loop(lambda i, _: i >= 0, more, [0, array])
    return x + kept.read(0)[0]


def abort(x: Any) -> Any:
    """End its process by SIGABRT."""
    import os

    return _elsewhere(x, lambda _: os.abort())


def crash(x: Any) -> Any:
    """End its process by SIGSEGV."""
    import ctypes

    return _elsewhere(x, lambda _: ctypes.string_at(0))


for kernel in (hang, devour, abort, crash):
    register(Primitive(kernel.__name__.upper(), ("input1",), "elementwise", ""), kernel=kernel)
