"""Small trained layers, and the check that they cannot see the future."""

from __future__ import annotations

import numpy as np

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import Graph

LENGTH = 6


SMALL = Scale(1, 16, LENGTH, (1_000, 40_000))


def make_block(graph: Graph, scale: Scale = SMALL, seed: int = 0):  # type: ignore[no-untyped-def]
    """A built block with random values in all its weights, and its width."""
    from primeval.evaluators.lowering.block import GraphBlock

    cost = measure(graph, scale)
    block = GraphBlock(graph, cost.unit, scale.length, seed)
    block.build((2, scale.length, cost.width))
    rng = np.random.default_rng(seed)
    for weight in block.trainable_weights:
        weight.assign(weight.numpy() + rng.normal(0, 0.2, weight.shape))
    return block, cost.width


def changed_after(x: np.ndarray, position: int, rng: np.random.Generator) -> np.ndarray:
    other = x.copy()
    other[:, position:] = rng.normal(0, 3, other[:, position:].shape)
    return other


def assert_causal(block, x: np.ndarray, rng: np.random.Generator) -> bool:  # type: ignore[no-untyped-def]
    """Check that no output depends on a later input; returns False where values are not finite.

    One value that is not finite makes the whole loss so, which ends the candidate. So a program
    cannot gain anything from it.
    """
    changed = [changed_after(x, position, rng) for position in range(1, x.shape[1])]
    outputs = np.asarray(block(np.concatenate([x, *changed])))  # one call, as each call is slow
    assert outputs.shape == (x.shape[1] * len(x), *x.shape[1:])
    before, *after_changes = np.split(outputs, x.shape[1])
    for position, after in enumerate(after_changes, 1):
        if not (np.isfinite(before).all() and np.isfinite(after).all()):
            return False
        size = max(1.0, np.abs(before).max())
        difference = np.abs(before - after)[:, :position].max() / size
        assert difference < 1e-4, f"position {position} is seen earlier"
    return True
