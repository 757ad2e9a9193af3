"""An export that is impossible or cannot be verified is reported and leaves no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.small_exports import export, save_trained

from primeval.dna.cost import Scale
from primeval.dna.library import load_seed, seed_text
from primeval.dna.printing import format_program
from primeval.dna.writing.keras_module import format_source

pytestmark = pytest.mark.tf


# What cannot be verified


def spoiled_model(scale: Scale, trained: Any) -> Any:
    from primeval.evaluators.export.stock_model import stock_model

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
    from primeval.evaluators.export import export as module

    monkeypatch.setattr(module, part, spoiled)
    with pytest.raises(module.ExportError, match=reason):
        export(seed_text("transformer"), tmp_path / "w.keras", source=tmp_path / "w.py")
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_are_not_verified(tmp_path: Path) -> None:
    from primeval.evaluators.export.export import ExportError

    text = "S0 main(a, b):\n c = DIFFERENCE a a\n d = LOG c\n e = ADD a d\n"
    with pytest.raises(ExportError, match="not finite"):
        export(text, tmp_path / "w.keras")
    assert not list(tmp_path.iterdir())


def waves(frequency: int) -> str:
    """A program that magnifies the rounding of a matrix product, as `frequency` says."""
    lines = "c = CONV_1X1 a dim0\n d = C_MUL c const0\n e = SIN d\n f = ADD a e\n"
    return f"constants {frequency}\ndims 4\nS0 main(a, b):\n {lines}"


@pytest.fixture
def rounded_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports weights that differ in the last place, as some machines round exactly alike."""
    from primeval.evaluators.export import export as module

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
    from primeval.evaluators.export.export import ExportError

    with pytest.raises(ExportError, match="as it magnifies rounding"):
        export(waves(100_000), tmp_path / "w.keras")
    assert not list(tmp_path.iterdir())


def test_a_target_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    from primeval.evaluators.export.export import ExportError

    (tmp_path / "folder.py").mkdir()
    with pytest.raises(ExportError, match="could not be written"):
        export(seed_text("mdha"), tmp_path / "w.keras", source=tmp_path / "folder.py")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.py"]


@pytest.mark.parametrize("size", [0, 100, -100])
def test_weights_that_are_cut_off_are_refused(tmp_path: Path, size: int) -> None:
    from primeval.evaluators.export.export import ExportError

    whole = tmp_path / "whole.npz"
    save_trained(whole, "mdha")
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[:size])
    with pytest.raises(ExportError, match=r"cut\.npz cannot be read as weights"):
        export(seed_text("mdha"), tmp_path / "w.keras", weights=cut)
    assert not (tmp_path / "w.keras").exists()


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    from primeval.evaluators.export.export import ExportError

    save_trained(tmp_path / "weights.npz", "mdha")
    text = format_program(load_seed("transformer"))
    with pytest.raises(ExportError, match="another program"):
        export(text, tmp_path / "w.keras", weights=tmp_path / "weights.npz")
