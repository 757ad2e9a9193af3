"""The two ideas of Primer-EZ as Keras layers of their own, without any program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.program_blocks import WIDTH, block_of, mask_of, numbers

pytestmark = pytest.mark.tf


def test_squared_relu_is_what_it_says() -> None:
    from primeval.evaluators import SquaredReLU

    np.testing.assert_array_equal(SquaredReLU()(np.float32([-2, 0, 3])), [0, 0, 9])


def test_multi_dconv_head_attention_is_that_of_the_program() -> None:
    from primeval.evaluators import MultiDConvHeadAttention

    # heads have 64 channels, for which the program's 1/8 is right
    x, width = numbers(width=512), 512
    block, attention = block_of("mdha"), MultiDConvHeadAttention(8)
    block.build(x.shape)
    attention.build(x.shape)
    graph, weights = block.graph, block.block.weight_of
    rng = np.random.default_rng(0)
    matrices = [
        n for n in weights if graph.nodes[n].op == "CONV_1X1" and not graph.nodes[n].over
    ]
    out, _, last = matrices  # switches off the feed-forward part
    weights[last].assign(np.zeros(weights[last].shape))
    taken = [number for number in weights if graph.nodes[number].over]
    for number in taken[1::2]:
        weights[number].assign(rng.normal(size=weights[number].shape))
    for (matrix, taps), (one, two) in zip(
        attention.projections, zip(taken[::2], taken[1::2], strict=True), strict=True
    ):
        matrix.assign(weights[one].numpy()[:, 0])
        taps.assign(np.moveaxis(weights[two].numpy(), 1, 0)[:, :, None])
    attention.output_kernel.assign(weights[out].numpy()[0].reshape(8, 64, width))
    normed = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    for mask in (None, mask_of([1, 4])):
        expected = block(x, mask=mask).numpy()
        got = x + attention(normed, mask=mask).numpy()
        seen = slice(None) if mask is None else mask
        np.testing.assert_allclose(got[seen], expected[seen], atol=2e-4)


def test_multi_dconv_head_attention_is_a_keras_layer(tmp_path: Path) -> None:
    import keras

    from primeval.evaluators import MultiDConvHeadAttention, SquaredReLU

    inputs = keras.Input((None, WIDTH))
    layer = MultiDConvHeadAttention(4, key_dim=5, kernel_size=7, dropout=0.1)
    model = keras.Model(inputs, SquaredReLU()(layer(inputs)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = numbers()
    np.testing.assert_array_equal(again(x), model(x))
    assert again.layers[1].get_config()["kernel_size"] == 7
    assert np.abs(layer(x, training=True) - layer(x)).max() > 0  # dropout acts in training
    half = MultiDConvHeadAttention(4, dtype="mixed_float16")
    assert np.isfinite(half(x, mask=mask_of([0]))).all()
    with pytest.raises(ValueError, match="a multiple of 5"):
        MultiDConvHeadAttention(5)(x)
