"""Small models for the tests of exporting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse

SCALE = Scale(2, 32, 8, width=16)
TOKENS = np.arange(4 * 8).reshape(4, 8) % 32


def export(text: str, path: Path | None = None, **settings: Any) -> Any:
    from primeval.evaluators.export.export import export_program

    return export_program(parse(text), SCALE, path, **settings)


def model_of(name: str, scale: Scale = SCALE, seed: int = 0) -> Any:
    from primeval.evaluators.lowering.model import LanguageModel

    return LanguageModel(scale, measure(build_graph(load_seed(name)), scale), seed)


def module_at(path: Path) -> Any:
    from helpers.open_exports import imported  # it imports Keras

    return imported(path)


def save_trained(path: Path, name: str, scale: Scale = SCALE) -> Any:
    """Save weights that no seed gives; returns the model that has them."""
    from primeval.evaluators.lowering.model import save_weights

    model = model_of(name, scale, seed=7)
    model.build((1, scale.length))
    model.set_weights([weight * 1.5 for weight in model.get_weights()])
    save_weights(model, path)
    return model
