"""A program as a Keras layer: what it accepts, computes and saves, and in which precision."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.program_blocks import LENGTH, WIDTH, block_of, mask_of, numbers
from helpers.strategies import SEEDS

from primeval.dna.check import ProgramError
from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.primitives.widths import Rejection

pytestmark = pytest.mark.tf


@pytest.mark.parametrize("name", list(SEEDS))
def test_a_block_is_the_layer_that_is_trained(name: str) -> None:
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
def test_what_is_no_program_is_reported(program: str, error: type, problem: str) -> None:
    with pytest.raises(error, match=problem):
        block_of(program)


def test_a_block_takes_its_width_and_length_from_its_input() -> None:
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


def test_the_output_of_a_block_is_known_before_it_is_computed() -> None:
    import keras

    spec = block_of("primer_ez", dtype="mixed_bfloat16").compute_output_spec(
        keras.KerasTensor((None, None, WIDTH))
    )
    assert spec.shape == (None, None, WIDTH)
    assert spec.dtype == "bfloat16"


def test_a_block_is_saved_as_text_and_loaded_anywhere_primeval_is(tmp_path: Path) -> None:
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


def test_a_model_loads_in_a_fresh_interpreter_that_imports_the_layer(tmp_path: Path) -> None:
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
