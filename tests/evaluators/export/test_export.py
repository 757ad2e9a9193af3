"""Exported models consist of stock Keras parts, give equal numbers and can be trained."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import numpy as np
import pytest
from helpers import exports
from helpers.small_exports import SCALE, TOKENS, export, model_of, module_at
from helpers.strategies import meaning, mutated

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed, seed_text
from primeval.dna.writing.keras_module import format_source
from primeval.primitives.widths import Rejection

pytestmark = pytest.mark.tf

# Equal numbers on every backend


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exports of three named programs and two mutants."""
    folder = tmp_path_factory.mktemp("exported")
    exports.write_exports(folder, mutants=2)
    return folder


@pytest.mark.parametrize(
    "backend",
    [
        "tensorflow",
        pytest.param("jax", marks=pytest.mark.slow),
        pytest.param("torch", marks=pytest.mark.slow),
    ],
)
def test_exports_open_and_train_alike_on_every_backend(exported: Path, backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed here; see benchmarks/backends.py")
    rows = exports.open_all(exported, backend, quick=True)
    assert len(rows) == len(exports.NAMED) + 2
    assert {row["backend"] for row in rows} == {backend}
    exports.assert_as_the_evaluator_says(rows)


def test_random_programs_become_equal_stock_models(tmp_path: Path) -> None:
    """Save, load again and compare; in this process, as that is quicker."""
    import keras

    from primeval.evaluators.export.stock_model import stock_model
    from primeval.evaluators.lowering.model import LanguageModel

    scale = Scale(1, 32, 8, (500, 60_000))
    compared = 0
    for number in range(30):
        rng = random.Random(number)
        graph = meaning(mutated(rng, rng.randrange(1, 25)))
        try:
            if graph is None:
                continue
            cost = measure(graph, scale)
        except Rejection:
            continue
        if cost.width > 200 or len(graph.nodes) > 80:
            continue
        model = LanguageModel(scale, cost, seed=number)
        tokens = np.random.default_rng(number).integers(0, 32, (2, 8))
        expected = np.asarray(model(tokens))
        stock = stock_model(scale, model)
        assert stock.count_params() == cost.parameters
        stock.save(tmp_path / "model.keras")
        got = np.asarray(keras.models.load_model(tmp_path / "model.keras")(tokens))
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4, err_msg=str(number))
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize(
    ("name", "length"), [("transformer", None), ("primer_ez", None), ("primer_evolved", 8)]
)
def test_shorter_texts_fit_unless_the_length_is_fixed(name: str, length: int | None) -> None:
    from primeval.evaluators.export.stock_model import stock_model

    trained = model_of(name)
    trained.build((1, 8))
    model = stock_model(SCALE, trained)
    assert model.input_shape == (None, length)
    if length is None:
        np.testing.assert_allclose(model(TOKENS[:, :3]), model(TOKENS)[:, :3], atol=1e-5)


# Source


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and its source: pair.keras and pair.py."""
    folder = tmp_path_factory.mktemp("pair")
    path, source = folder / "pair.keras", folder / "pair.py"
    done = export(seed_text("primer_evolved"), path, seed=3, source=source)
    assert done.difference <= 1e-5
    assert sorted(file.name for file in folder.iterdir()) == ["pair.keras", "pair.py"]
    return folder


def test_the_source_reads_the_weights_of_its_model(pair: Path, tmp_path: Path) -> None:
    module = module_at(pair / "pair.py")
    model = module.build_model()
    expected = np.asarray(model_of("primer_evolved", seed=3)(TOKENS))
    assert np.abs(model(TOKENS) - expected).max() > 0.01
    module.load_weights(model, pair / "pair.keras")
    np.testing.assert_allclose(model(TOKENS), expected, atol=1e-5)
    model.save(tmp_path / "own.keras")
    again = module.keras.models.load_model(tmp_path / "own.keras")
    np.testing.assert_allclose(again(TOKENS), expected, atol=1e-5)


def test_the_source_trains_as_its_model_does(pair: Path) -> None:
    module = module_at(pair / "pair.py")
    exported = module.keras.models.load_model(pair / "pair.keras")
    model = module.build_model()
    module.load_weights(model, pair / "pair.keras")
    loss = module.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=False)
    exported.jit_compile = False
    targets = np.roll(TOKENS, -1, 1)
    one, other = (m.fit(TOKENS, targets, epochs=3, verbose=0) for m in (exported, model))
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-3)
    assert one.history["loss"][-1] < one.history["loss"][0]


def test_source_alone_is_verified_too(tmp_path: Path) -> None:
    done = export(seed_text("mdha"), source=tmp_path / "mdha.py")
    assert done.difference <= 1e-5
    assert [file.name for file in tmp_path.iterdir()] == ["mdha.py"]


def test_untied_models_are_exported_too(tmp_path: Path) -> None:
    from primeval.evaluators.export.export import export_program

    untied = Scale(1, 32, 8, width=16, tied=False)
    done = export_program(
        load_seed("mdha"), untied, tmp_path / "m.keras", source=tmp_path / "m.py"
    )
    assert done.difference <= 1e-5


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b"", b"hello"])
def test_weights_from_a_broken_file_are_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "mine.py"
    cost = measure(build_graph(load_seed("mdha")), SCALE)
    source.write_text(format_source(cost, SCALE, "mdha"), encoding="utf-8")
    module = module_at(source)
    (tmp_path / "cut.keras").write_bytes(content)
    with pytest.raises(ValueError, match=r"cut\.keras cannot be read as a Keras model"):
        module.load_weights(module.build_model(), tmp_path / "cut.keras")


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    from primeval.evaluators.export.stock_model import stock_model

    cost = measure(build_graph(load_seed("mdha")), SCALE)
    source = tmp_path / "mine.py"
    source.write_text(format_source(cost, SCALE, "mdha"), encoding="utf-8")
    module, foreign = module_at(source), tmp_path / "foreign.keras"
    other = model_of("transformer")
    other.build((1, 8))
    stock_model(SCALE, other).save(foreign)
    with pytest.raises(ValueError, match=r"of another program or size: .* weights, not "):
        module.load_weights(module.build_model(), foreign)
