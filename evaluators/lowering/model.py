"""The language model around a block: embeddings, stacked blocks, final norm, output.

Token and learned position embeddings, blocks that share a program but not weights, a layer
norm, and logits by the transposed embedding unless the settings untie them.
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
# Of the embeddings, times the width's square root: 0.02 at 512 channels, as in GPT-2, and more
# at small widths, where 0.02 costs the first hundreds of steps (LOG.md, 2026-11-23).
EMBEDDING_DEVIATION = 0.5


class LanguageModel(keras.Model):
    """Tokens (batch, position) to logits (batch, position, vocabulary).

    Args:
        scale: The model around the block.
        cost: The program at that scale, as `measure` gives it.
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
        embed = keras.initializers.RandomNormal(stddev=deviation, seed=seed)
        self.tokens = keras.layers.Embedding(
            scale.vocabulary,
            cost.width,
            embeddings_initializer=embed,
            name="tokens",
            dtype=precision,
        )
        place = keras.initializers.RandomNormal(stddev=deviation, seed=seed + 1)
        self.positions = keras.layers.Embedding(
            scale.length,
            cost.width,
            embeddings_initializer=place,
            name="positions",
            dtype=precision,
        )
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
        stream = (*input_shape, self.tokens.output_dim)
        for layer in (self.tokens, self.positions):
            layer.build(input_shape)
        for layer in (*self.blocks, self.norm):
            layer.build(stream)
        if self.output_layer is not None:
            self.output_layer.build(stream)
        self.built = True

    def call(self, tokens: Tensor) -> Tensor:
        places = ops.arange(tokens.shape[1])
        x = self.tokens(tokens) + self.positions(places)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if self.output_layer is not None:
            return self.output_layer(x)
        embedding = ops.transpose(self.tokens.embeddings)
        logits = self.forms.product(ops.reshape(x, (-1, x.shape[-1])), embedding)
        return ops.reshape(logits, (-1, tokens.shape[1], embedding.shape[1]))


class WeightsError(ValueError):
    """A file of weights that does not fit the model."""


def save_weights(model: LanguageModel, path: Path) -> None:
    """Weights of a model in the order of its variables, as a compressed archive."""
    values = [ops.convert_to_numpy(weight) for weight in model.trainable_variables]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, *values)


def load_weights(model: LanguageModel, path: Path) -> None:
    """Read what `save_weights` wrote. Raises WeightsError if it is of another model."""
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
