"""The kernels' fast forms for training give the plain forms' values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tf


def gradients(function: Any, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """The function's value, and the gradients of a weighted sum of it, compiled by XLA."""
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def run(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            value = function(x, y)
            steps = tf.reshape(tf.range(tf.size(value), dtype=tf.float32), value.shape)
            loss = tf.reduce_sum(value * tf.cos(steps))
        return [value, *tape.gradient(loss, [x, y])]

    return [tensor.numpy() for tensor in run(tf.constant(x), tf.constant(y))]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((6, 3), (3, 8)),
        ((6, 8), (8, 3)),
        ((2, 4, 5, 3), (2, 4, 3, 5)),
        ((2, 4, 5, 5), (2, 4, 5, 3)),
        ((2, 4, 5, 5), (2, 1, 5, 3)),
        ((6, 3), (3, 512)),  # so many columns collide in the caches of some processors
        ((6, 512), (512, 3)),
    ],
)
@pytest.mark.parametrize("avx512", [False, True])
def test_products_have_the_same_gradients(
    x: tuple[int, ...], y: tuple[int, ...], avx512: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from primeval.evaluators.lowering import cpu_forms as fast_forms
    from primeval.evaluators.lowering.cpu_forms import FAST
    from primeval.primitives.kernels import PLAIN

    monkeypatch.setattr(fast_forms, "AVX512", avx512)
    fast, plain = (gradients(f.product, numbers(*x), numbers(*y)) for f in (FAST, PLAIN))
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("branches", [(), (2,)])
@pytest.mark.parametrize("length", [2, 7, 12])
@pytest.mark.parametrize(
    ("op", "rows"), [("SCALE", ()), ("SHIFT", ()), ("DCONV_3X1", (3,)), ("DCONV_7X1", (7,))]
)
def test_weights_per_channel_have_the_same_gradients(
    op: str, rows: tuple[int, ...], length: int, branches: tuple[int, ...]
) -> None:
    from primeval.evaluators.lowering.cpu_forms import FAST
    from primeval.primitives.kernels import PLAIN

    x, weight = numbers(4, length, 6), numbers(*branches, *rows, 6)
    fast, plain = (gradients(forms.weighted[op], x, weight) for forms in (FAST, PLAIN))
    for one, other in zip(fast, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_depthwise_convolution_has_its_fast_form_wherever_it_stands() -> None:
    from primeval.evaluators.lowering.cpu_forms import FAST
    from primeval.primitives.kernels import PLAIN

    changed = {op for op, form in FAST.weighted.items() if form != PLAIN.weighted[op]}
    assert changed == {"SCALE", "DCONV_3X1", "DCONV_7X1", "DCONV_15X1", "DCONV_31X1"}
