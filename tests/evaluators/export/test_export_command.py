"""`primeval export`: trained weights, other sizes, and messages about mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.small_exports import TOKENS, save_trained
from helpers.toys import begin, primeval

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.evaluators.workers.factory import make_evaluator
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.run.folder import Run
from primeval.search.run.kept_weights import weights_file

pytestmark = pytest.mark.tf


@pytest.fixture
def run(toy_config: Callable[..., RunConfig]) -> Run:
    """A toy run of the Transformer in which individual 0 has trained weights."""
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


def test_weights_that_were_not_kept_are_reported(
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

    from primeval.scripts.commands.export import _resized
    from primeval.search.config.config import load_config
    from primeval.search.run.programs import find_program

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
        (["primer_easy", "model.keras"], "Did you mean 'primer_ez"),
        (["there.keras", "model.keras"], "no program is read back from it"),
        (["there.py", "model.keras"], "there.py, line 1"),
        (["foreign:3", "model.keras"], "foreign/run.sqlite cannot be read as a run store"),
        (["primer_ez", "model.keras", "--weights", "trained"], "only an individual of a run"),
        (["primer_ez", "model.keras", "--width", "20"], "a multiple of 8"),
        (["evolved_transformer", "model.keras", "--config", "narrow.yaml"], "no unit gives"),
    ],
)
def test_mistakes_are_reported_and_write_nothing(
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
    assert "a whole number, 1 or more. Received: '0'." in capsys.readouterr().err


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
