"""Padding: no output at a position of the text depends on it, in any program."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from helpers.program_blocks import LENGTH, WIDTH, block_of, mask_of, numbers
from helpers.strategies import SEEDS, meaning, mutated

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.primitives.widths import Rejection

pytestmark = pytest.mark.tf

PADDED = 3


def losses_of_training(tokens: Any, targets: Any) -> list[float]:
    """The losses of eight steps of a model whose embedding marks token 0 as padding."""
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(16, WIDTH, mask_zero=True)(inputs)
    x = block_of("primer_ez")(x)
    x = block_of("primer_ez")(x)
    model = keras.Model(inputs, keras.layers.Dense(16)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(True)
    model.compile(keras.optimizers.Adam(0.001), loss, jit_compile=False)
    losses: list[float] = model.fit(tokens, targets, epochs=8, verbose=0).history["loss"]
    return losses


def test_a_model_trains_on_a_padded_text_as_on_the_text() -> None:
    """Keras passes the embedding's mask on: padding adds no loss and no gradient."""
    tokens = np.random.default_rng(0).integers(1, 16, (4, LENGTH))
    text = tokens, np.roll(tokens, -1, 1)
    padded = [np.pad(part, ((0, 0), (PADDED, 0))) for part in text]
    losses = losses_of_training(*text)
    np.testing.assert_allclose(losses_of_training(*padded), losses, rtol=1e-3)
    assert losses[-1] < losses[0] - 1.0


# Padding in arbitrary programs


def padding_is_never_read(graph: Graph, seed: int = 0) -> bool:
    """Check that no output depends on padding; returns False where values are not finite."""
    width = measure(graph, Scale(1, 16, LENGTH, (500, 60_000))).width
    block = block_of(graph.program)
    rng = np.random.default_rng(seed)
    x = numbers(seed, width=width)
    before = block(x, mask=np.ones((2, LENGTH), bool)).numpy()
    if not (np.isfinite(before).all() and np.isfinite(block(x)).all()):
        return False
    size = max(1.0, np.abs(before).max())
    np.testing.assert_allclose(before / size, block(x).numpy() / size, atol=1e-4)
    padded = sorted(rng.choice(LENGTH, PADDED, replace=False).tolist())
    mask = mask_of(padded)
    other = x.copy()
    other[:, padded] = rng.normal(0, 3, other[:, padded].shape)
    one, two = (block(value, mask=mask).numpy()[mask] for value in (x, other))
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        return False
    size = max(1.0, np.abs(one).max())
    np.testing.assert_allclose(one / size, two / size, atol=1e-5)
    return True


@pytest.mark.parametrize("name", list(SEEDS))
def test_built_in_programs_never_read_padding(name: str) -> None:
    assert padding_is_never_read(build_graph(SEEDS[name]))


def test_random_programs_never_read_padding() -> None:
    told = 0
    for number in range(40):
        rng = random.Random(number)
        graph = meaning(mutated(rng, rng.randrange(1, 30)))
        try:
            told += graph is not None and padding_is_never_read(graph, number)
        except Rejection:
            continue
    assert told >= 12


@pytest.mark.parametrize(
    "lines",
    [
        "c = T_MAT_MUL a a\n d = MASK c\n e = MAT_MUL d c\n f = MAT_MUL e a",
        "c = T_MAT_MUL a a\n d = RED_MEAN c\n e = MULTIPLY a d",
        "c = T_MAT_MUL a a\n d = RED_MAX c\n e = RED_MIN c\n f = ADD d e\n g = MULTIPLY a f",
        "c = T_MAT_MUL a a\n d = CUM_SUM c\n e = MAT_MUL d a",
        "c = T_MAT_MUL a a\n d = CUM_PROD c\n e = MAT_MUL d a",
        "c = T_MAT_MUL a a\n d = T_MAT_MUL c c\n e = MAT_MUL d a",
        "c = T_MAT_MUL a a\n d = DCONV_3X1 c\n e = MAT_MUL d a",
        "c = T_MAT_MUL a a\n d = CONV_3X1 c dim0",
        "c = T_MAT_MUL a a\n d = CONV_1X1 c dim0",
        "c = CUM_SUM a\n d = CUM_PROD c\n e = DCONV_7X1 d\n f = CONV_3X1 e dim0",
    ],
)
def test_no_operation_along_positions_reads_padding(lines: str) -> None:
    graph = build_graph(parse(f"width 4\ndims 4\nS0 main(a, b):\n {lines}\n"))
    for seed in range(3):
        assert padding_is_never_read(graph, seed)


def test_a_padded_text_gives_what_the_text_gives() -> None:
    for name in ("transformer", "primer_ez", "evolved_transformer", "transformer_pp"):
        block, x = block_of(name), numbers()
        block(x)
        left = block(x, mask=mask_of([0, 1, 2]))[:, 3:]
        np.testing.assert_allclose(left, block(x[:, 3:]), atol=1e-5)
        right = block(x, mask=mask_of([6, 7]))[:, :6]
        np.testing.assert_allclose(right, block(x[:, :6]), atol=1e-5)
