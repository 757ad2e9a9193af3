"""Makes programs into Keras layers, with inputs and masks for them."""

from __future__ import annotations

from typing import Any

import numpy as np

LENGTH, WIDTH = 8, 32


def numbers(seed: int = 0, length: int = LENGTH, width: int = WIDTH) -> Any:
    return np.random.default_rng(seed).normal(size=(2, length, width)).astype("float32")


def mask_of(padded: list[int]) -> Any:
    mask = np.ones((2, LENGTH), bool)
    mask[:, padded] = False
    return mask


def block_of(program: Any, **settings: Any) -> Any:
    from primeval.evaluators import ProgramBlock

    return ProgramBlock(program, seed=1, **settings)
