"""Exported models: stock Keras, equal numbers, trainable, nothing left behind on failure."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from strategies import meaning, mutated

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed, seed_text
from primeval.dna.text import format_program
from primeval.primitives.widths import Rejection

pytestmark = pytest.mark.tf

SCALE = Scale(2, 32, 8, width=16)

USE = """
import sys, numpy as np, keras
model = keras.models.load_model(sys.argv[1])
tokens = np.arange(4 * 8).reshape(4, 8) % 32
before = model.predict(tokens, verbose=0)
history = model.fit(tokens, np.roll(tokens, -1, 1), epochs=8, verbose=0)
losses = history.history["loss"]
assert losses[-1] < losses[0], losses
assert not any(name.split(".")[0] == "primeval" for name in sys.modules)
np.save(sys.argv[2], before)
"""


@pytest.mark.parametrize("name", ["primer_ez", "primer_evolved"])
def test_a_winner_opens_and_trains_without_primeval(tmp_path: Path, name: str) -> None:
    from primeval.evaluators.export import export_program
    from primeval.evaluators.model import LanguageModel

    path, numbers = tmp_path / "winner.keras", tmp_path / "numbers.npy"
    export = export_program(seed_text(name), SCALE, path, seed=3)
    assert export.difference <= 1e-5
    assert [file.name for file in tmp_path.iterdir()] == ["winner.keras"]
    subprocess.run([sys.executable, "-c", USE, path, numbers], check=True, cwd=tmp_path)
    graph = build_graph(load_seed(name))
    model = LanguageModel(SCALE, measure(graph, SCALE), seed=3)
    expected = np.asarray(model(np.arange(4 * 8).reshape(4, 8) % 32))
    np.testing.assert_allclose(np.load(numbers), expected, atol=1e-5)


def test_random_programs_become_equal_stock_models(tmp_path: Path) -> None:
    """Saved, loaded again and compared, in this process to be quick."""
    import keras

    from primeval.evaluators.model import LanguageModel
    from primeval.evaluators.stock import stock_model

    scale = Scale(1, 32, 8, (500, 60_000))
    compared = 0
    for number in range(60):
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
    assert compared >= 20


def test_shorter_texts_fit_unless_the_length_is_fixed(tmp_path: Path) -> None:
    import keras

    from primeval.evaluators.export import export_program

    for name, fixed in (("transformer", False), ("primer_evolved", True)):
        export = export_program(seed_text(name), SCALE, tmp_path / "model.keras")
        model = keras.models.load_model(export.path)
        assert export.fixed_length == fixed
        assert model.input_shape == (None, 8 if fixed else None)
        if not fixed:
            assert model(np.zeros((1, 3), "int32")).shape == (1, 3, 32)


def test_what_cannot_be_verified_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from primeval.evaluators import export

    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(export.ExportError, match="differs"):
        export.export_program(seed_text("transformer"), SCALE, tmp_path / "winner.keras")
    assert not list(tmp_path.iterdir())


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    from primeval.evaluators import export
    from primeval.evaluators.model import LanguageModel, save_weights

    graph = build_graph(load_seed("mdha"))
    model = LanguageModel(SCALE, measure(graph, SCALE))
    model.build((1, 8))
    save_weights(model, tmp_path / "weights.npz")
    text = format_program(load_seed("transformer"))
    with pytest.raises(export.ExportError, match="another program"):
        export.export_program(text, SCALE, tmp_path / "w.keras", tmp_path / "weights.npz")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["primer_ez", "there.keras"], "--force"),
        (["primer_ez", "model.h5"], "ends in .keras"),
        (["primer_ez", "nowhere/model.keras"], "no folder"),
        (["primer_easy", "model.keras"], "Did you mean primer_ez"),
        (["evolved_transformer", "model.keras", "--config", "narrow.yaml"], "no unit gives"),
    ],
)
def test_mistakes_are_told_and_write_nothing(
    arguments: list[str],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from primeval.scripts.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.keras").write_text("mine")
    (tmp_path / "narrow.yaml").write_text("model: {parameters: [60_000, 60_010]}")
    before = sorted(tmp_path.iterdir())
    assert main(["export", *arguments]) == 2
    assert problem in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.keras").read_text() == "mine"
