"""Exported models: stock Keras, equal numbers, trainable, nothing left behind on failure."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import exports
import numpy as np
import pytest
from strategies import meaning, mutated
from toys import begin, primeval

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed, seed_text
from primeval.dna.source_module import format_source
from primeval.dna.text import format_program
from primeval.evaluators import make_evaluator
from primeval.primitives.widths import Rejection
from primeval.search.loop import drive
from primeval.search.runs import Run
from primeval.search.settings import RunConfig
from primeval.search.weights import weights_file

pytestmark = pytest.mark.tf

SCALE = Scale(2, 32, 8, width=16)
TOKENS = np.arange(4 * 8).reshape(4, 8) % 32


def export(text: str, path: Path | None = None, **settings: Any) -> Any:
    from primeval.evaluators.export import export_program

    return export_program(text, SCALE, path, **settings)


def model_of(name: str, scale: Scale = SCALE, seed: int = 0) -> Any:
    from primeval.evaluators.model import LanguageModel

    return LanguageModel(scale, measure(build_graph(load_seed(name)), scale), seed)


def module_at(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Equal numbers, everywhere


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of three named programs and two mutants; benchmarks/backends.py has fifty."""
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
    """Saved, loaded again and compared, in this process to be quick."""
    import keras

    from primeval.evaluators.model import LanguageModel
    from primeval.evaluators.stock import stock_model

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
    from primeval.evaluators.stock import stock_model

    trained = model_of(name)
    trained.build((1, 8))
    model = stock_model(SCALE, trained)
    assert model.input_shape == (None, length)
    if length is None:
        np.testing.assert_allclose(model(TOKENS[:, :3]), model(TOKENS)[:, :3], atol=1e-5)


# Source


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and its source: pair.keras, pair.py."""
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
    from primeval.evaluators.export import export_program

    untied = Scale(1, 32, 8, width=16, tied=False)
    done = export_program(
        seed_text("mdha"), untied, tmp_path / "m.keras", source=tmp_path / "m.py"
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
    from primeval.evaluators.stock import stock_model

    cost = measure(build_graph(load_seed("mdha")), SCALE)
    source = tmp_path / "mine.py"
    source.write_text(format_source(cost, SCALE, "mdha"), encoding="utf-8")
    module, foreign = module_at(source), tmp_path / "foreign.keras"
    other = model_of("transformer")
    other.build((1, 8))
    stock_model(SCALE, other).save(foreign)
    with pytest.raises(ValueError, match=r"of another program or size: .* weights, not "):
        module.load_weights(module.build_model(), foreign)


# What cannot be verified


def spoiled_model(scale: Scale, trained: Any) -> Any:
    from primeval.evaluators.stock import stock_model

    model = stock_model(scale, trained)
    weight = model.get_layer("block_1_feed_forward_kernel").weights[0]
    weight.assign(weight.numpy() * 1.01)
    return model


@pytest.mark.parametrize(
    ("part", "spoiled", "reason"),
    [
        ("stock_model", spoiled_model, "The exported model differs"),
        (
            "format_source",
            lambda *args: format_source(*args).replace(" * 0.125", " * 0.127"),
            "The exported source differs",
        ),
        (
            "format_source",
            lambda *args: format_source(*args) + "import primeval.dna.cost\n",
            "it imports primeval",
        ),
    ],
)
def test_what_cannot_be_verified_leaves_no_file(
    part: str, spoiled: Any, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from primeval.evaluators import export as module

    monkeypatch.setattr(module, part, spoiled)
    with pytest.raises(module.ExportError, match=reason):
        export(seed_text("transformer"), tmp_path / "w.keras", source=tmp_path / "w.py")
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_are_not_verified(tmp_path: Path) -> None:
    from primeval.evaluators.export import ExportError

    text = "S0 main(a, b):\n c = DIFFERENCE a a\n d = LOG c\n e = ADD a d\n"
    with pytest.raises(ExportError, match="not finite"):
        export(text, tmp_path / "w.keras")
    assert not list(tmp_path.iterdir())


def waves(frequency: int) -> str:
    """A program that magnifies the rounding of a matrix product."""
    lines = "c = CONV_1X1 a dim0\n d = C_MUL c const0\n e = SIN d\n f = ADD a e\n"
    return f"constants {frequency}\ndims 4\nS0 main(a, b):\n {lines}"


@pytest.fixture
def rounded_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exported weights that differ in the last place: some machines round all alike."""
    from primeval.evaluators import export as module

    def rounded(scale: Scale, trained: Any) -> Any:
        model, rng = stock_model(scale, trained), np.random.default_rng(1)
        for weight in model.trainable_weights:
            value = weight.numpy()
            weight.assign(value * (1 + module.ROUNDING * rng.choice([-1, 1], value.shape)))
        return model

    stock_model = module.stock_model
    monkeypatch.setattr(module, "stock_model", rounded)


@pytest.mark.usefixtures("rounded_otherwise")
def test_a_program_that_magnifies_rounding_may_differ_by_as_much(tmp_path: Path) -> None:
    assert 1e-5 < export(waves(100), tmp_path / "w.keras").difference < 1e-3


@pytest.mark.usefixtures("rounded_otherwise")
def test_a_program_of_which_no_digit_is_certain_is_not_verified(tmp_path: Path) -> None:
    from primeval.evaluators.export import ExportError

    with pytest.raises(ExportError, match="as it magnifies rounding"):
        export(waves(100_000), tmp_path / "w.keras")
    assert not list(tmp_path.iterdir())


def test_a_target_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    from primeval.evaluators.export import ExportError

    (tmp_path / "folder.py").mkdir()
    with pytest.raises(ExportError, match="could not be written"):
        export(seed_text("mdha"), tmp_path / "w.keras", source=tmp_path / "folder.py")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.py"]


# Trained weights


def save_trained(path: Path, name: str, scale: Scale = SCALE) -> Any:
    """Weights that no seed gives; returns the model that has them."""
    from primeval.evaluators.model import save_weights

    model = model_of(name, scale, seed=7)
    model.build((1, scale.length))
    model.set_weights([weight * 1.5 for weight in model.get_weights()])
    save_weights(model, path)
    return model


@pytest.mark.parametrize("size", [0, 100, -100])
def test_weights_that_are_cut_off_are_refused(tmp_path: Path, size: int) -> None:
    from primeval.evaluators.export import ExportError

    whole = tmp_path / "whole.npz"
    save_trained(whole, "mdha")
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[:size])
    with pytest.raises(ExportError, match=r"cut\.npz cannot be read as weights"):
        export(seed_text("mdha"), tmp_path / "w.keras", weights=cut)
    assert not (tmp_path / "w.keras").exists()


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    from primeval.evaluators.export import ExportError

    save_trained(tmp_path / "weights.npz", "mdha")
    text = format_program(load_seed("transformer"))
    with pytest.raises(ExportError, match="another program"):
        export(text, tmp_path / "w.keras", weights=tmp_path / "weights.npz")


@pytest.fixture
def run(toy_config: Callable[..., RunConfig]) -> Run:
    """A toy run of the Transformer that has kept the weights of individual 0."""
    sizes = ("model.parameters=null", "model.width=16", "model.length=8", "model.layers=1")
    run, search = begin(toy_config("budget.max_candidates=3", *sizes))
    drive(run, search, make_evaluator(run.config.task(run.reference)))
    run.close()
    save_trained(weights_file(run.folder, 0), "transformer", run.config.scale)
    return run


def command(*arguments: object) -> int:
    from primeval.scripts.cli import main

    return main(["export", *map(str, arguments)])


def test_trained_weights_of_a_run_are_exported(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    path, source = tmp_path / "winner.keras", tmp_path / "winner.py"
    files = (path, "--source", source)
    assert command(f"{run.folder}:0", *files, "--weights", "trained") == 0
    said = capsys.readouterr().out
    assert "weights: trained in the run\n" in said
    assert "sequence length up to 8\n" in said
    expected = save_trained(tmp_path / "again.npz", "transformer", run.config.scale)(TOKENS)
    np.testing.assert_allclose(keras.models.load_model(path)(TOKENS), expected, atol=1e-4)
    assert "class Run0Block(" in source.read_text(encoding="utf-8")


def test_weights_that_were_not_kept_are_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "winner.keras"
    assert command(f"{run.folder}:1", path, "--weights", "trained") == 2
    said = capsys.readouterr().err
    assert "no trained weights" in said
    assert "(kept: 0)" in said
    assert "primeval confirm" in said
    assert not path.exists()


def test_another_size_has_fresh_weights_by_the_same_unit_rule(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    path, deep = tmp_path / "wide.keras", tmp_path / "deep.keras"
    sizes = ("--layers", 3, "--width", 32, "--vocab", 50, "--length", 20)
    assert command(f"{run.folder}:0", *sizes, path) == 0
    said = capsys.readouterr().out
    assert "fresh (trained ones do not fit another size (--layers, --width" in said
    assert "3 layers of width 32, 50 tokens, sequence length up to 20" in said
    model = keras.models.load_model(path)
    assert model.output_shape == (None, None, 50)
    graph = build_graph(load_seed("transformer"))
    assert model.count_params() == measure(graph, Scale(3, 50, 20, width=32)).parameters
    assert command(f"{run.folder}:0", deep, "--layers", 3, "--weights", "trained") == 2
    assert "do not fit another size (--layers)" in capsys.readouterr().err


def test_more_layers_leave_the_width_as_it_was_searched() -> None:
    from argparse import Namespace

    from primeval.scripts.export_command import _resized
    from primeval.search.config import load_config
    from primeval.search.reference import find_program

    config, found = load_config("quickstart"), find_program("primer_ez")
    asked = Namespace(layers=4, width=None, vocab=None, length=None)
    searched = measure(build_graph(found.program), config.scale)
    scale = _resized(found, config, asked)
    assert (scale.layers, scale.width, scale.window) == (4, searched.width, None)
    asked.layers = None
    assert _resized(found, config, asked) == config.scale


# The command


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["primer_ez", "there.keras"], "--force"),
        (["primer_ez", "new.keras", "--source", "there.py"], "there.py exists"),
        (["primer_ez", "model.h5"], "ends in .keras"),
        (["primer_ez", "model.keras", "--source", "model.txt"], "ends in .py"),
        (["primer_ez", "model.py", "--source", "other.py"], "Two files of source"),
        (["primer_ez", "nowhere/model.keras"], "no folder"),
        (["primer_easy", "model.keras"], "Did you mean primer_ez"),
        (["there.keras", "model.keras"], "no program is read back from it"),
        (["there.py", "model.keras"], "there.py, line 1"),
        (["foreign:3", "model.keras"], "foreign/run.sqlite cannot be read as a run store"),
        (["primer_ez", "model.keras", "--weights", "trained"], "only an individual of a run"),
        (["primer_ez", "model.keras", "--width", "20"], "a multiple of 8"),
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
    for name in ("there.keras", "there.py"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "run.sqlite").write_text("no store")
    (tmp_path / "narrow.yaml").write_text("model: {parameters: [60_000, 60_010]}")
    before = sorted(tmp_path.iterdir())
    assert main(["export", *arguments]) == 2
    assert problem in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.keras").read_text() == "mine"


def test_sizes_are_whole_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    from primeval.scripts.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(["export", "primer_ez", "model.keras", "--layers", "0"])
    assert stopped.value.code == 2
    assert "a whole number from 1 on, not '0'" in capsys.readouterr().err


PRIMITIVE = """
from primeval.primitives.user import Primitive, register


def halve(x):
    from keras import ops

    return ops.multiply(x, 0.5)


register(Primitive("HALVE", ("input1",), "elementwise", "x / 2"), kernel=halve)
"""


def test_programs_of_users_primitives_come_with_a_config(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PRIMITIVE, encoding="utf-8")
    settings = "language: {modules: [mine.py]}\nmodel: {width: 16, length: 8, layers: 1}\n"
    (tmp_path / "mine.yaml").write_text(settings, encoding="utf-8")
    program = "S0 main(a, b):\n  c = HALVE a\n  d = CONV_3X1 c dim0\n"
    (tmp_path / "mine.dna").write_text(f"dims 4\n{program}", encoding="utf-8")
    given = ("mine.dna", "--config", "mine.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "primeval.scripts.cli", "export", *given, "m.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "main_c = halve(x)\n" in (tmp_path / "m.py").read_text(encoding="utf-8")
    shown = primeval("show", *given, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
