"""Trying a user's primitive before it is used: does its kernel keep what its row promises?

The kernel is called with small tensors. It must compute, eagerly and symbolically (export
builds stock Keras models of it); make the shape that its rule promises; stay finite on zeros,
negative and large numbers; depend on nothing that it may not see (other entries, channels,
positions, the future); make zeros where the row says so; have a gradient. The error says which
promise is broken, and how.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from primeval.primitives.primitive import CONSTANT, Kernel, Primitive, Vocabulary
from primeval.primitives.user import PrimitiveError

SHAPE = BATCH, LENGTH, CHANNELS = 2, 5, 4
CONSTANTS = (0.0, 1.5, -2.0)
# CHOICE: "large" is a number of which EXP is still finite in float32. Values beyond it end a
# candidate anyway.
LARGE = 60.0
TOLERANCE = 1e-5


def check_all_promises(vocabulary: Vocabulary) -> None:
    """Try every user's primitive. Raises PrimitiveError for the first that breaks a promise."""
    for row in vocabulary.values():
        if row.kernel is not None:
            check_promises(row)


@cache
def check_promises(row: Primitive) -> None:
    """Try a primitive that carries its kernel, once in a process.

    Raises PrimitiveError if it breaks a promise; then it is tried again the next time.
    """
    if row.kernel is None:
        raise ValueError(f"{row.name} carries no kernel.")
    # in a thread of its own, as this thread may be tracing a training step just now
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_try, row, row.kernel).result()


def _try(row: Primitive, kernel: Kernel) -> None:
    tries = _Tries(row, kernel)
    for broken in itertools.chain(
        tries.computes_the_promised_shape(),
        tries.stays_finite(),
        tries.sees_what_it_may(),
        tries.keeps_zeros(),
        tries.commutes(),
        tries.has_a_gradient(),
    ):
        raise PrimitiveError(f"{row.name} breaks a promise: {broken}.")
    tries.works_symbolically()


def _numbers(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE).astype("float32")


class _Tries:
    """The tries of one primitive. Each tries one promise and yields how it is broken.

    Each raises PrimitiveError if the kernel fails.
    """

    def __init__(self, row: Primitive, kernel: Kernel) -> None:
        self.row, self.kernel = row, kernel

    def computes_the_promised_shape(self) -> Iterator[str]:
        for leading in ((BATCH,), (BATCH, 3)):  # with a branch axis too
            x = np.ones((*leading, LENGTH, CHANNELS), "float32")
            expected = (*leading, LENGTH, 1 if self.row.rule == "reduction" else CHANNELS)
            shape = self._call(x).shape
            if shape != expected:
                yield f"from {x.shape} its rule promises {expected}, and it made {shape}"
        if self.row.arity == 2:
            column = np.ones((BATCH, LENGTH, 1), "float32")
            for pair in ((_numbers(), column), (column, _numbers())):
                if self._call(*pair).shape != SHAPE:
                    yield "an operand of one channel broadcasts against the other"

    def stays_finite(self) -> Iterator[str]:
        for name, size in (
            ("zeros", 0.0),
            ("negative numbers", -1.0),
            ("large numbers", LARGE),
            ("large negative numbers", -LARGE),
        ):
            if not np.isfinite(self._call(np.full(SHAPE, size, "float32"))).all():
                yield f"it stays finite, and on {name} ({size:g}) it does not"

    def sees_what_it_may(self) -> Iterator[str]:
        """Change one entry of the input at a time, and look where the result changes."""
        promise, may_change = _MAY_SEE[self.row.rule]
        x = _numbers()
        before = self._call(x)
        for position, channel in itertools.product(range(LENGTH), range(CHANNELS)):
            other = x.copy()
            other[0, position, channel] += 1.0
            moved = np.abs(self._call(other) - before) > TOLERANCE
            moved[0][may_change(position, channel)] = False
            if moved.any():
                row, place, _ = np.argwhere(moved)[0]
                seen = "of another sequence" if row else f"at position {place}"
                yield f"{promise}, and a change at position {position} changed a result {seen}"

    def keeps_zeros(self) -> Iterator[str]:
        """What `zero_if` says about values above the diagonal of scores."""
        known = {"z": np.zeros(SHAPE, "float32")}
        for states in self.row.zero_if:
            operands = [known.get(state, _numbers()[..., :1]) for state in states]
            for constant in filter(self.row.zero_when, CONSTANTS):
                if np.abs(self._call(*operands, constant=constant)).max() != 0.0:
                    yield f"zero_if says {states!r} gives zeros, and it does not"

    def commutes(self) -> Iterator[str]:
        one, other = _numbers(1), _numbers(2)
        if self.row.commutative and not np.allclose(
            self._call(one, other), self._call(other, one)
        ):
            yield "commutative says the order of its inputs means nothing, and it does"

    def has_a_gradient(self) -> Iterator[str]:
        import tensorflow as tf

        x = tf.constant(_numbers() + 0.1)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = self._apply(x)
        gradient = tape.gradient(y, x)
        if gradient is None:
            yield "a gradient exists, and TensorFlow finds none: use keras.ops only"
        elif not np.isfinite(gradient.numpy()).all():
            yield "its gradient is finite on ordinary numbers, and it is not"

    def works_symbolically(self) -> None:
        import keras

        self._apply(keras.Input((LENGTH, CHANNELS)), where="in a Keras model: ")

    def _call(self, *operands: np.ndarray, constant: float = CONSTANTS[1]) -> np.ndarray:
        from keras import ops

        result = self._apply(*map(ops.convert_to_tensor, operands), constant=constant)
        return np.asarray(ops.convert_to_numpy(result))

    def _apply(self, *tensors: Any, constant: float = CONSTANTS[1], where: str = "") -> Any:
        """The kernel's result. If it has two operands and one is given, both are that one."""
        if len(tensors) < self.row.arity:
            tensors *= 2
        extra = (constant,) if CONSTANT in self.row.reads else ()
        try:
            return self.kernel(*tensors, *extra)
        except Exception as error:  # a user's kernel may fail in any way
            first = str(error).strip().split("\n", 1)[0]
            raise PrimitiveError(
                f"{self.row.name}: {where}its kernel fails: {type(error).__name__}: {first}"
            ) from error


# By rule: what a result depends on, and where a change of one entry may change results.
_MAY_SEE: dict[str, tuple[str, Callable[[int, int], Any]]] = {
    "elementwise": (
        "an elementwise result depends on the entry at its place only",
        lambda position, channel: (position, channel),
    ),
    "rowwise": (
        "a rowwise result depends on its own position only",
        lambda position, channel: position,
    ),
    "reduction": (
        "a reduction depends on its own position only",
        lambda position, channel: position,
    ),
    "cumulative": (
        "a cumulative result depends on its channel and no later position",
        lambda position, channel: (slice(position, None), channel),
    ),
}
