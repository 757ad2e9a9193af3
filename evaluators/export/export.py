"""Export of a program: a `.keras` file of stock Keras parts, and a module of Python source.

Neither needs primeval. Both are written under temporary names. A fresh interpreter that has not
loaded primeval opens them and compares their numbers with those of the evaluator's own layer.
Only then do they get their names: an export that cannot be verified leaves no file.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from primeval.dna.cost import Cost, Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.program import Program
from primeval.dna.writing.keras_module import format_source
from primeval.evaluators.export.stock_model import stock_model
from primeval.evaluators.lowering.model import LanguageModel, WeightsError, load_weights
from primeval.evaluators.whole_files import replacing
from primeval.primitives.errors import WorkError

TOLERANCE = 1e-5
# A program may magnify rounding. Then its numbers may differ by TIMES_ROUNDING times as much as
# they move when its weights change by ROUNDING, relative to their size, but never by more than
# LOOSEST.
ROUNDING, TIMES_ROUNDING, LOOSEST = 2e-7, 4.0, 1e-3
PROBE_BATCH = 2
MODEL, SOURCE, PROBE = "model.keras", "source.py", "probe.npz"


class ExportError(WorkError):
    """The files could not be verified, or not written; no file is left."""


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        cost: The program at the scale.
        difference: Largest difference from the evaluator's numbers, relative to their size.
        trained: Whether the `.keras` file carries trained weights.
    """

    cost: Cost
    difference: float
    trained: bool


def export_program(
    program: Program,
    scale: Scale,
    path: Path | None = None,
    weights: Path | None = None,
    seed: int = 0,
    source: Path | None = None,
    name: str = "program",
) -> Export:
    """Write the program as a Keras model, as Python source, or as both.

    Args:
        program: The program.
        scale: The model around it.
        path, source: Where the `.keras` file and the Python module go; replaced if they exist.
        weights: File of its trained weights (`save_weights`); fresh weights if None.
        seed: Seed of fresh weights.
        name: Where the program comes from; the source says so.

    Raises:
        ExportError: if it cannot be verified or written; then no file is left.
        Rejection: if the program does not fit the scale.
        ProgramError: if a user's primitive has no source.
    """
    cost = measure(build_graph(program), scale)
    model = _model(cost, scale, seed, weights)
    with tempfile.TemporaryDirectory(prefix="primeval-export-") as temporary:
        folder = Path(temporary)
        allowed = _write_probe(folder, model, scale)
        stock_model(scale, model).save(folder / MODEL)
        if source is not None:
            (folder / SOURCE).write_text(format_source(cost, scale, name), encoding="utf-8")
        difference = _verify(folder, allowed)
        _place({folder / MODEL: path, folder / SOURCE: source})
    return Export(cost, difference, weights is not None)


def _model(cost: Cost, scale: Scale, seed: int, weights: Path | None) -> LanguageModel:
    """The evaluator's own model, with its weights. Raises ExportError."""
    model = LanguageModel(scale, cost, seed)
    model.build((1, scale.length))
    if weights is not None:
        try:
            load_weights(model, weights)
        except WeightsError as error:
            raise ExportError(str(error)) from None
    return model


def _write_probe(folder: Path, model: LanguageModel, scale: Scale) -> float:
    """Write tokens (batch, position) and the model's logits (batch, position, vocabulary).

    Returns how far a copy's logits may be from them. Raises ExportError if they are not finite.
    """
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, scale.vocabulary, (PROBE_BATCH, scale.length), dtype=np.int32)

    def logits() -> Any:
        return keras.ops.convert_to_numpy(model(tokens))

    expected = logits()
    if not np.isfinite(expected).all():
        raise ExportError(
            "Its numbers are not finite with these weights, so nothing can be verified. "
            "Export it with other weights."
        )
    np.savez(folder / PROBE, tokens=tokens, expected=expected)
    rounding = _rounding(model, logits, expected)
    return max(TOLERANCE, min(TIMES_ROUNDING * rounding, LOOSEST))


def _rounding(model: LanguageModel, logits: Callable[[], Any], expected: Any) -> float:
    """How far the logits move, relative to their size, if every weight changes by ROUNDING."""
    rng, kept = np.random.default_rng(0), model.get_weights()
    changes = [1 + ROUNDING * rng.choice([-1.0, 1.0], value.shape) for value in kept]
    model.set_weights([np.float32(value * by) for value, by in zip(kept, changes, strict=True)])
    moved = np.abs(logits() - expected).max() / max(1.0, np.abs(expected).max())
    model.set_weights(kept)
    return float(moved) if np.isfinite(moved) else LOOSEST


_CHECK = """
import importlib.util, json, os, sys
import keras, numpy as np

def difference(model):
    got = np.asarray(model.predict(probe["tokens"], verbose=0))
    largest = np.abs(got - probe["expected"]).max() / max(1.0, np.abs(probe["expected"]).max())
    return float(largest) if np.isfinite(largest) else None

probe = np.load("probe.npz")
found = {"model": difference(keras.models.load_model("model.keras"))}
if os.path.exists("source.py"):
    spec = importlib.util.spec_from_file_location("source", "source.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.build_model()
    module.load_weights(model, "model.keras")
    found["source"] = difference(model)
if any(name.split(".")[0] == "primeval" for name in sys.modules):
    raise ImportError("it imports primeval")
print(json.dumps(found))
"""


def _verify(folder: Path, allowed: float) -> float:
    """The largest difference that a fresh interpreter finds. Raises ExportError."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _CHECK],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise ExportError(f"It did not open in a fresh interpreter: {reason[0]}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    for kind, difference in found.items():
        if difference is None:
            raise ExportError(f"The numbers of the exported {kind} are not finite.")
        if difference > allowed:
            why = ", as it magnifies rounding" if allowed > TOLERANCE else ""
            raise ExportError(
                f"The exported {kind} differs from the evaluator's numbers by "
                f"{difference:.2g} (allowed: {allowed:.2g}{why})."
            )
    return float(max(found.values()))


def _place(targets: dict[Path, Path | None]) -> None:
    """Move verified files to where they are wanted, all or none. Raises ExportError."""
    try:
        with contextlib.ExitStack() as stack:
            for verified, target in targets.items():
                if target is None:
                    continue
                if target.is_dir():
                    raise IsADirectoryError(f"{target} is a folder")
                shutil.copyfile(verified, stack.enter_context(replacing(target)))
    except OSError as error:
        raise ExportError(f"The files could not be written: {error}.") from None
