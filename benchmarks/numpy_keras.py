"""The part of Keras that kernels and `GraphBlock` use, on NumPy, to run many tiny programs.

An operation costs TensorFlow a third of a millisecond in eager mode, whatever its size, and
NumPy a hundredth of that. `install()` replaces `keras` by this module, so that the real
kernels, the real lowering and the real layer run; tests/benchmarks/test_language.py compares
both on the same programs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np


class Variable(np.ndarray):
    """An array whose values can be assigned."""

    def assign(self, value: Any) -> None:
        self[...] = value


class Layer:
    """Holds weights and calls `call`."""

    def __init__(self, **kwargs: Any) -> None:
        self.trainable_weights: list[Variable] = []

    def add_weight(
        self, shape: tuple[int, ...], initializer: Callable[..., Any], name: str = ""
    ) -> Variable:
        value = np.array(initializer(shape, "float32"), "float32").reshape(shape)
        self.trainable_weights.append(value.view(Variable))
        return self.trainable_weights[-1]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def unstack(x: np.ndarray, num: int, axis: int) -> list[np.ndarray]:
    return [np.take(x, at, axis=axis) for at in range(num)]


def cast(x: Any, dtype: str) -> np.ndarray:
    return np.asarray(x).astype(dtype)


def install() -> None:
    """Make `import keras` return this module, unless Keras is imported already."""
    if "keras" in sys.modules:
        return
    keras, ops, layers = (ModuleType(name) for name in ("keras", "keras.ops", "keras.layers"))
    vars(ops).update({name: getattr(np, name) for name in np.__all__})
    vars(ops).update(sigmoid=sigmoid, unstack=unstack, cast=cast)
    vars(ops).update(convert_to_numpy=np.asarray, convert_to_tensor=np.asarray)
    vars(layers).update(Layer=Layer)
    vars(keras).update(ops=ops, layers=layers)
    sys.modules.update({"keras": keras, "keras.ops": ops, "keras.layers": layers})
