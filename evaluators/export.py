"""Taking a program away: a `.keras` file of stock Keras parts, verified before it is promised.

The model is saved under a temporary name, opened in a fresh interpreter that has not loaded
primeval, and compared there with the numbers of the evaluator's own layer. Only then does it
get its name. What cannot be verified leaves no file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.text import parse
from primeval.evaluators.model import LanguageModel, WeightsError, load_weights
from primeval.evaluators.stock import stock_model

TOLERANCE = 1e-5
PROBE_BATCH = 2


class ExportError(RuntimeError):
    """The model could not be written, or not verified; nothing was left behind."""


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: The `.keras` file.
        parameters: Trainable numbers.
        difference: Largest difference to the evaluator's numbers, relative to their size.
        fixed_length: Whether the model takes sequences of one length only.
        trained: Whether it carries trained weights.
    """

    path: Path
    parameters: int
    difference: float
    fixed_length: bool
    trained: bool


def export_program(
    text: str, scale: Scale, path: Path, weights: Path | None = None, seed: int = 0
) -> Export:
    """Write the program as a Keras model. Raises ExportError, or Rejection.

    Args:
        text: The program.
        scale: The model around it.
        path: Where to; replaced if it exists.
        weights: Trained weights of it (`save_weights`); fresh ones if None.
        seed: Seed of fresh weights.
    """
    graph = build_graph(parse(text))
    trained = LanguageModel(scale, measure(graph, scale), seed)
    trained.build((1, scale.length))
    if weights is not None:
        try:
            load_weights(trained, weights)
        except WeightsError as error:
            raise ExportError(str(error)) from None
    model = stock_model(scale, trained)
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, scale.vocabulary, (PROBE_BATCH, scale.length), dtype=np.int32)
    expected = keras.ops.convert_to_numpy(trained(tokens))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        draft = Path(folder) / "model.keras"
        model.save(draft)
        np.savez(Path(folder) / "probe.npz", tokens=tokens, expected=expected)
        difference = _verify(Path(folder))
        os.replace(draft, path)
    trained_weights = weights is not None
    return Export(path, model.count_params(), difference, graph.fixed_length, trained_weights)


_CHECK = """
import sys
import keras, numpy as np
probe = np.load("probe.npz")
model = keras.models.load_model("model.keras")
got = np.asarray(model.predict(probe["tokens"], verbose=0))
assert not any(name.split(".")[0] == "primeval" for name in sys.modules)
finite = np.isfinite(probe["expected"])
assert (finite == np.isfinite(got)).all()
scale = max(1.0, float(np.abs(probe["expected"][finite]).max(initial=0.0)))
print(float(np.abs(got - probe["expected"])[finite].max(initial=0.0)) / scale)
"""


def _verify(folder: Path) -> float:
    """The difference that a fresh interpreter finds. Raises ExportError."""
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
        raise ExportError(f"The model did not open in a fresh interpreter: {reason[0]}")
    difference = float(done.stdout.strip().splitlines()[-1])
    if not difference <= TOLERANCE:
        raise ExportError(
            f"The exported model differs from the trained one by {difference:.2g} "
            f"(allowed: {TOLERANCE:g})."
        )
    return difference
