"""Layers for other people's models: a program as one, with masks, and the paper's two ideas."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.strategies import SEEDS, meaning, mutated

from primeval.dna.check import ProgramError
from primeval.dna.cost import Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.primitives.widths import Rejection

pytestmark = pytest.mark.tf

LENGTH, WIDTH = 8, 32
PADDED = 3


def numbers(seed: int = 0, length: int = LENGTH, width: int = WIDTH) -> Any:
    return np.random.default_rng(seed).normal(size=(2, length, width)).astype("float32")


def mask_of(padded: list[int]) -> Any:
    mask = np.ones((2, LENGTH), bool)
    mask[:, padded] = False
    return mask


def block_of(program: Any, **settings: Any) -> Any:
    from primeval.evaluators import ProgramBlock

    return ProgramBlock(program, seed=1, **settings)


@pytest.mark.parametrize("name", list(SEEDS))
def test_it_is_the_layer_that_is_trained(name: str) -> None:
    from primeval.evaluators.lowering.block import GraphBlock

    graph = build_graph(SEEDS[name])
    cost = measure(graph, Scale(1, 1, LENGTH, width=64))
    trained = GraphBlock(graph, cost.unit, LENGTH, seed=1)
    x = numbers(width=64)
    np.testing.assert_allclose(block_of(name)(x), trained(x), atol=1e-5)


def test_a_program_is_a_name_a_file_a_text_or_itself(tmp_path: Path) -> None:
    program = load_seed("mdha")
    path = tmp_path / "mine.dna"
    path.write_text(format_program(program), encoding="utf-8")
    blocks = [block_of(one) for one in ("mdha", str(path), format_program(program), program)]
    assert len({block.program for block in blocks}) == 1


@pytest.mark.parametrize(
    ("program", "error", "problem"),
    [
        ("primer_easy", ValueError, "Did you mean 'primer_ez"),
        ("runs/quickstart:3", ValueError, "find_program"),
        ("S0 main(a, b):\n c = NOTHING a\n", ProgramError, "NOTHING"),
        ("S0 main(a, b):\n c = T_MAT_MUL a a\n", Rejection, "scores"),
    ],
)
def test_what_is_no_program_is_told(program: str, error: type, problem: str) -> None:
    with pytest.raises(error, match=problem):
        block_of(program)


def test_it_takes_its_width_and_length_from_its_input() -> None:
    import keras

    assert block_of("primer_ez")(numbers(width=64)).shape == (2, LENGTH, 64)
    with pytest.raises(ValueError, match="a multiple of 8"):
        block_of("primer_ez")(numbers(width=20))
    block = block_of("primer_evolved")
    assert block(numbers()).shape == (2, LENGTH, WIDTH)
    with pytest.raises(ValueError, match="one length only"):
        block_of("primer_evolved")(keras.Input((None, WIDTH)))


def test_blocks_start_from_different_weights_and_repeat_them_with_a_seed() -> None:
    import keras

    from primeval.evaluators import ProgramBlock

    keras.utils.set_random_seed(1)
    first, second = ProgramBlock("mdha"), ProgramBlock("mdha")
    assert first.seed != second.seed
    keras.utils.set_random_seed(1)
    assert ProgramBlock("mdha").seed == first.seed
    x = numbers()
    np.testing.assert_array_equal(block_of("mdha")(x), block_of("mdha")(x))
    assert np.abs(first(x) - second(x)).max() > 0.1


def test_its_output_is_known_before_it_is_computed() -> None:
    import keras

    spec = block_of("primer_ez", dtype="mixed_bfloat16").compute_output_spec(
        keras.KerasTensor((None, None, WIDTH))
    )
    assert spec.shape == (None, None, WIDTH)
    assert spec.dtype == "bfloat16"


def test_it_is_saved_as_text_and_loaded_anywhere_primeval_is(tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((None, WIDTH))
    model = keras.Model(inputs, block_of("primer_ez", name="mine")(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = numbers()
    np.testing.assert_array_equal(again(x), model(x))
    config = again.get_layer("mine").get_config()
    assert parse(config["program"]) == load_seed("primer_ez")
    copy = keras.layers.deserialize(keras.layers.serialize(model.get_layer("mine")))
    np.testing.assert_array_equal(copy(x), block_of("primer_ez")(x))


def test_it_loads_in_a_fresh_interpreter_that_imports_the_layer(tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((None, WIDTH))
    keras.Model(inputs, block_of("mdha")(inputs)).save(tmp_path / "model.keras")
    code = (
        "import keras; from primeval.evaluators import ProgramBlock;"
        "print(keras.models.load_model('model.keras').output_shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "(None, None, 32)" in done.stdout


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", list(SEEDS))
def test_half_precision_is_near_whole_precision(policy: str, name: str) -> None:
    x = numbers(width=64)
    half, whole = block_of(name, dtype=policy), block_of(name)
    y, masked = half(x), half(x, mask=mask_of([0, 1]))
    assert str(y.dtype) == f"<dtype: '{policy[6:]}'>" == f"<dtype: '{masked.dtype.name}'>"
    assert {weight.dtype for weight in half.weights} == {"float32"}
    difference = np.abs(np.float32(y) - np.float32(whole(x)))
    assert difference.mean() < 0.02 * np.abs(np.float32(whole(x))).mean()
    assert np.isfinite(np.float32(masked)[:, 2:]).all()


def losses_of_training(tokens: Any, targets: Any) -> list[float]:
    """Eight steps of a model whose embedding hands on that 0 is padding."""
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


def test_it_trains_on_a_padded_text_as_on_the_text() -> None:
    """Keras hands the embedding's mask on: padding gives no loss and no gradient."""
    tokens = np.random.default_rng(0).integers(1, 16, (4, LENGTH))
    text = tokens, np.roll(tokens, -1, 1)
    padded = [np.pad(part, ((0, 0), (PADDED, 0))) for part in text]
    losses = losses_of_training(*text)
    np.testing.assert_allclose(losses_of_training(*padded), losses, rtol=1e-3)
    assert losses[-1] < losses[0] - 1.0


# Padding, for arbitrary programs


def padding_is_never_read(graph: Graph, seed: int = 0) -> bool:
    """Whether it could be told: False where numbers are not finite."""
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


# The paper's two ideas


def test_squared_relu_is_what_it_says() -> None:
    from primeval.evaluators import SquaredReLU

    np.testing.assert_array_equal(SquaredReLU()(np.float32([-2, 0, 3])), [0, 0, 9])


def test_multi_dconv_head_attention_is_that_of_the_program() -> None:
    from primeval.evaluators import MultiDConvHeadAttention

    x, width = numbers(width=512), 512  # heads of 64 channels: the program's constant is 1/8
    block, attention = block_of("mdha"), MultiDConvHeadAttention(8)
    block.build(x.shape)
    attention.build(x.shape)
    graph, weights = block.graph, block.block.weight_of
    rng = np.random.default_rng(0)
    matrices = [
        n for n in weights if graph.nodes[n].op == "CONV_1X1" and not graph.nodes[n].over
    ]
    out, _, last = matrices  # the feed-forward part is left out
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
    assert np.abs(layer(x, training=True) - layer(x)).max() > 0  # dropout
    half = MultiDConvHeadAttention(4, dtype="mixed_float16")
    assert np.isfinite(half(x, mask=mask_of([0]))).all()
    with pytest.raises(ValueError, match="a multiple of 5"):
        MultiDConvHeadAttention(5)(x)
