"""Exports of named programs and of mutants, with the numbers that they must give."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from helpers.places import HELPERS
from helpers.strategies import SEEDS, meaning, mutated
from primeval.dna.cost import Cost, Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.writing.keras_module import format_source
from primeval.primitives.widths import Rejection

SCALE = Scale(1, 32, 8, (500, 60_000))
NAMED = ("transformer", "primer_ez", "primer_evolved")
BACKENDS = ("tensorflow", "jax", "torch")
TOLERANCE = 1e-5
LARGEST_NODES, LARGEST_WIDTH = 80, 128
OPENER = HELPERS / "open_exports.py"


def named_and_mutants(mutants: int, seed: int = 0) -> Iterator[tuple[str, Cost, Any, Any]]:
    """Yield name, cost, model and expected logits of named programs and of some mutants.

    A mutant is left out if it has no meaning, if no unit fits it, if its numbers are not
    finite, or if it magnifies rounding so much that no two backends agree on its numbers.
    """
    for name in NAMED:
        graph = build_graph(SEEDS[name])
        yield (name, *_modelled(graph, 0))
    made = number = 0
    while made < mutants:
        number += 1
        rng = random.Random(f"{seed}/{number}")
        graph = meaning(mutated(rng, rng.randrange(1, 25)))
        if graph is None or len(graph.nodes) > LARGEST_NODES:
            continue
        try:
            cost, model, expected = _modelled(graph, number)
        except Rejection:
            continue
        if cost.width <= LARGEST_WIDTH and is_steady(model, expected):
            made += 1
            yield f"mutant_{number}", cost, model, expected


def _modelled(graph: Graph, seed: int) -> tuple[Cost, Any, Any]:
    from primeval.evaluators.lowering.model import LanguageModel

    cost = measure(graph, SCALE)
    model = LanguageModel(SCALE, cost, seed)
    return cost, model, np.asarray(model(probe_tokens()))


def probe_tokens() -> Any:
    rng = np.random.default_rng(0)
    return rng.integers(0, SCALE.vocabulary, (2, SCALE.length), dtype=np.int32)


def is_steady(model: Any, expected: Any) -> bool:
    """Whether rounding the weights differently in the last place hardly changes the numbers."""
    if not np.isfinite(expected).all():
        return False
    rng = np.random.default_rng(0)
    kept = model.get_weights()
    rounded = [w * (1 + 2e-7 * rng.choice([-1, 1], w.shape)) for w in kept]
    model.set_weights([w.astype("float32") for w in rounded])
    moved = np.abs(np.asarray(model(probe_tokens())) - expected).max()
    model.set_weights(kept)
    return bool(moved / max(1.0, np.abs(expected).max()) < TOLERANCE / 4)


def write_exports(folder: Path, mutants: int, seed: int = 0) -> list[str]:
    """Write NAME.keras, NAME.py and NAME.npz for each program; returns the names."""
    from primeval.evaluators.export.stock_model import stock_model

    names = []
    for name, cost, model, expected in named_and_mutants(mutants, seed):
        stock_model(SCALE, model).save(folder / f"{name}.keras")
        source = format_source(cost, SCALE, name)
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        said = {"tokens": probe_tokens(), "expected": expected, "losses": two_steps(model)}
        np.savez(folder / f"{name}.npz", **said)
        names.append(name)
    return names


def two_steps(model: Any) -> list[float]:
    """The losses of two steps of Adam on the evaluator's model, which the steps change."""
    import keras
    import tensorflow as tf

    tokens, losses = probe_tokens(), []
    optimizer = keras.optimizers.Adam(1e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = model.trainable_variables
    for _ in range(2):
        with tf.GradientTape() as tape:
            loss = loss_of(np.roll(tokens, -1, 1), model(tokens))
        gradients = tape.gradient(loss, weights)
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], weights)
        losses.append(float(loss))
    return losses


def assert_as_the_evaluator_says(rows: list[dict[str, Any]]) -> None:
    """Check that `open_all` found the evaluator's numbers, and its losses in training."""
    for row in rows:
        assert row["keras"] <= TOLERANCE, row
        assert row["source"] <= TOLERANCE, row
        assert not row["primeval"], row
        np.testing.assert_allclose(row["losses"], row["expected"], rtol=1e-3, err_msg=str(row))


def open_all(
    folder: Path, backend: str, python: str = sys.executable, quick: bool = False
) -> list[dict[str, Any]]:
    """What `open_exports.py` prints about all files, run in one process with that backend."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [python, str(OPENER), str(folder), *(["--quick"] if quick else [])],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
