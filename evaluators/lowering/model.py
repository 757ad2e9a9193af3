"""The language model around a block: embeddings, stacked blocks, final norm, output.

Token and position embeddings (both learned), blocks that share a program but not weights, a
layer norm, and logits by the transposed embedding unless the settings untie them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from primeval.dna.cost import Cost, Scale
from primeval.evaluators.lowering.block import GraphBlock
from primeval.evaluators.whole_files import replacing
from primeval.primitives.kernels import PLAIN, Forms

Tensor = Any
# The standard deviation of new embeddings, times the square root of the width. At 512 channels
# it is 0.02, as in GPT-2. It is more at small widths, where 0.02 wastes the first hundreds of
# steps (LOG.md, 2026-11-23).
EMBEDDING_DEVIATION = 0.5
LONGEST_WAVE = 10_000  # positions; as in Vaswani et al. (2017) and in T2T, the paper's code


class Waves(keras.initializers.Initializer):
    """Sines and cosines of the position, with the mean square of a new token embedding.

    CHOICE: positions begin as T2T's signal of positions, at the scale of the tokens, and are
    learned from there. The paper says only that there are positional embeddings. From random
    vectors it takes attention most of a short training to find its neighbours, so programs
    without attention look better than they are (LOG.md, 2026-11-27).
    """

    def __call__(self, shape: tuple[int, int], dtype: str | None = None) -> Tensor:
        """The embeddings of the positions: (length, width)."""
        length, width = shape
        waves = width // 2
        rates = LONGEST_WAVE ** -(np.arange(waves) / max(1, waves - 1))
        angles = np.arange(length)[:, None] * rates
        table = np.zeros((length, width))  # an odd width has a column of zeros
        table[:, :waves], table[:, waves : 2 * waves] = np.sin(angles), np.cos(angles)
        deviation = EMBEDDING_DEVIATION / width**0.5
        return ops.convert_to_tensor(table * (2**0.5 * deviation), dtype)


class LanguageModel(keras.Model):
    """Tokens (batch, position) to logits (batch, position, vocabulary).

    Args:
        scale: The model around the block.
        cost: The program at that scale, as returned by `measure`.
        seed: Seed of its weights.
        forms: Forms of the costly kernels.
        precision: Keras's dtype policy: `float32` or `mixed_bfloat16`.
    """

    def __init__(
        self,
        scale: Scale,
        cost: Cost,
        seed: int = 0,
        forms: Forms = PLAIN,
        precision: str = "float32",
    ) -> None:
        super().__init__(dtype=precision)
        self.scale, self.graph, self.forms = scale, cost.graph, forms
        deviation = EMBEDDING_DEVIATION / cost.width**0.5
        drawn = keras.initializers.RandomNormal(stddev=deviation, seed=seed)
        self.tokens = _embedding("tokens", scale.vocabulary, cost.width, drawn, precision)
        self.positions = _embedding("positions", scale.length, cost.width, Waves(), precision)
        self.blocks = [
            GraphBlock(
                cost.graph,
                cost.unit,
                scale.length,
                (seed << 8) + layer,
                forms,
                name=f"block_{layer}",
                dtype=precision,
            )
            for layer in range(scale.layers)
        ]
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name="final_norm", dtype=precision
        )
        self.output_layer = None
        if not scale.tied:
            self.output_layer = keras.layers.Dense(
                scale.vocabulary, use_bias=False, name="output", dtype=precision
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make all weights, for tokens of this shape (batch, position)."""
        stream = (*input_shape, self.tokens.output_dim)
        for layer in (self.tokens, self.positions):
            layer.build(input_shape)
        for layer in (*self.blocks, self.norm):
            layer.build(stream)
        if self.output_layer is not None:
            self.output_layer.build(stream)
        self.built = True

    def call(self, tokens: Tensor) -> Tensor:
        """Token ids (batch, position) to logits (batch, position, vocabulary)."""
        places = ops.arange(tokens.shape[1])
        x = self.tokens(tokens) + self.positions(places)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if self.output_layer is not None:
            return self.output_layer(x)
        embedding = ops.transpose(self.tokens.embeddings)
        # (batch, position, width) to (batch * position, width), and back
        logits = self.forms.product(ops.reshape(x, (-1, x.shape[-1])), embedding)
        return ops.reshape(logits, (-1, tokens.shape[1], embedding.shape[1]))


def _embedding(
    name: str, count: int, width: int, start: keras.initializers.Initializer, precision: str
) -> keras.layers.Embedding:
    """Ids from 0 to `count` - 1 to vectors: (...) to (..., width)."""
    return keras.layers.Embedding(
        count, width, embeddings_initializer=start, name=name, dtype=precision
    )


class WeightsError(ValueError):
    """A file of weights cannot be read, or does not fit the model."""


def save_weights(model: LanguageModel, path: Path) -> None:
    """Write the weights of a model as a compressed archive, in the order of its variables.

    Raises OSError if the file cannot be written.
    """
    values = [ops.convert_to_numpy(weight) for weight in model.trainable_variables]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, *values)


def load_weights(model: LanguageModel, path: Path) -> None:
    """Read what `save_weights` wrote into a model.

    Raises WeightsError if the file cannot be read, or belongs to another model.
    """
    try:
        with np.load(path) as archive:
            values = [archive[name] for name in archive.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} cannot be read as weights: {error}.") from None
    shapes = [tuple(weight.shape) for weight in model.trainable_variables]
    if [value.shape for value in values] != shapes:
        raise WeightsError(f"{path} holds the weights of another program or scale.")
    for weight, value in zip(model.trainable_variables, values, strict=True):
        weight.assign(value)
