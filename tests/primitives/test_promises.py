"""The promises of a user's primitive: each is tried, once, before the kernel is first used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from helpers.modules import row

from primeval.primitives.language import Language
from primeval.primitives.primitive import Primitive
from primeval.primitives.user import PrimitiveError
from primeval.primitives.vocabulary import PRIMITIVES


def _peek(x):  # type: ignore[no-untyped-def]
    from keras import ops

    return ops.flip(ops.cumsum(ops.flip(x, axis=-2), axis=-2), axis=-2)


def _numpy(x):  # type: ignore[no-untyped-def]
    import numpy as np
    import tensorflow as tf

    return tf.constant(np.tanh(np.asarray(x)))


def _ops(call: Callable[..., object]) -> Callable[..., object]:
    """A kernel that gets `keras.ops` first."""

    def kernel(*arguments: object) -> object:
        from keras import ops

        return call(ops, *arguments)

    return kernel


@pytest.mark.tf
@pytest.mark.parametrize(
    ("primitive", "kernel", "promise"),
    [
        (row(rule="cumulative"), _peek, "no later position"),
        (row(), _ops(lambda ops, x: ops.softmax(x)), "entry at its place only"),
        (row(), _ops(lambda ops, x: ops.log(x)), "stays finite, and on zeros"),
        (row(), _ops(lambda ops, x: ops.exp(2 * x)), "stays finite, and on large numbers"),
        (row(), _ops(lambda ops, x: x[..., :1]), "its rule promises"),
        (row(rule="reduction"), _ops(lambda ops, x: ops.sum(x, axis=-1)), "its rule promises"),
        (row(rule="rowwise"), _ops(lambda ops, x: ops.cumsum(x, axis=-2)), "own position"),
        (row(zero_if=frozenset({"z"})), _ops(lambda ops, x: ops.cos(x)), "zero_if"),
        (
            row(reads=("input1", "input2"), commutative=True),
            _ops(lambda ops, x, y: x - y),
            "commutative",
        ),
        (row(), _numpy, "gradient"),
        (row(), _ops(lambda ops, x: ops.nonsense(x)), "its kernel fails: AttributeError"),
    ],
)
def test_a_broken_promise_is_named(
    primitive: Primitive, kernel: Callable[..., object], promise: str
) -> None:
    from primeval.primitives.promises import check_all_promises

    language = Language().with_primitive(primitive, kernel)
    with pytest.raises(PrimitiveError, match=promise):
        check_all_promises(language.vocabulary)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("name", "rule"),
    [("TANH", "elementwise"), ("SQUARE", "elementwise"), ("SIGN", "elementwise"),
     ("MAX", "elementwise"), ("MULTIPLY", "elementwise"), ("RED_SUM", "reduction"),
     ("RED_MAX", "reduction"), ("CUM_SUM", "cumulative")],
)  # fmt: skip
def test_built_in_primitives_keep_the_promises(name: str, rule: str) -> None:
    from primeval.primitives.kernels import PURE
    from primeval.primitives.promises import check_promises

    assert PRIMITIVES[name].rule == rule
    check_promises(replace(PRIMITIVES[name], kernel=PURE[name]))


@pytest.mark.tf
def test_each_kernel_is_tried_once_even_if_two_have_one_name() -> None:
    from primeval.primitives.kernels import kernel_of

    calls: list[str] = []

    def counted(which: str) -> Callable[..., object]:
        def kernel(x: object) -> object:
            calls.append(which)
            return x

        return kernel

    for which in ("one", "other"):
        kernel = counted(which)
        primitive = Language().with_primitive(row(), kernel).vocabulary["MINE"]
        assert kernel_of(primitive) is kernel
        tried = calls.count(which)
        assert tried > 0
        assert kernel_of(primitive) is kernel
        assert calls.count(which) == tried


@pytest.mark.tf
def test_a_broken_promise_is_named_each_time() -> None:
    from primeval.primitives.kernels import kernel_of

    broken = Language().with_primitive(row(), _ops(lambda ops, x: ops.log(x)))
    for _ in range(2):
        with pytest.raises(PrimitiveError, match="MINE breaks a promise"):
            kernel_of(broken.vocabulary["MINE"])
