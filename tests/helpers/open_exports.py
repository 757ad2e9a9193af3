"""Opens exported files without primeval, and prints one line of JSON for each.

    KERAS_BACKEND=jax python open_exports.py FOLDER [--quick]

Next to NAME.keras and NAME.py lies NAME.npz with `tokens`, the `expected` logits and the
`losses` of two steps of training. The line gives the largest differences from these logits,
relative to their size, and the losses of two steps of `fit`. With --quick on TensorFlow, XLA
compiles the training of the first file only.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np


def main(folder: Path, quick: bool) -> None:
    quick = quick and keras.backend.backend() == "tensorflow"
    for number, probe_file in enumerate(sorted(folder.glob("*.npz"))):
        start = time.perf_counter()
        said = {"name": probe_file.stem, **opened(probe_file, compiled=not (quick and number))}
        said["seconds"] = round(time.perf_counter() - start, 2)
        print(json.dumps(said), flush=True)
        keras.backend.clear_session()


def opened(probe_file: Path, compiled: bool) -> dict[str, Any]:
    probe = np.load(probe_file)
    path = probe_file.with_suffix(".keras")
    model = keras.models.load_model(path)
    if not compiled:
        model.jit_compile = False
    said = {
        "backend": keras.backend.backend(),
        "keras": difference(model, probe),
        "losses": two_steps(model, probe["tokens"]),
        "expected": probe["losses"].tolist(),
    }
    if probe_file.with_suffix(".py").exists():
        module = imported(probe_file.with_suffix(".py"))
        written = module.build_model()
        module.load_weights(written, path)
        said["source"] = difference(written, probe)
    said["primeval"] = any(name.split(".")[0] == "primeval" for name in sys.modules)
    return said


def difference(model: Any, probe: Any) -> float:
    got = np.asarray(model.predict(probe["tokens"], verbose=0))
    expected = probe["expected"]
    assert got.shape == expected.shape, (got.shape, expected.shape)
    return float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max()))


def two_steps(model: Any, tokens: Any) -> list[float]:
    """The losses of two steps, each on the whole batch."""
    history = model.fit(
        tokens, np.roll(tokens, -1, 1), batch_size=len(tokens), epochs=2, verbose=0
    )
    return [float(loss) for loss in history.history["loss"]]


def imported(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--quick" in sys.argv[2:])
