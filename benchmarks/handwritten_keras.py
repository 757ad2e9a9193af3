"""The seed's Transformer as one would write it in Keras, trained by `fit`.

`training.py` compares the decoded program with it. It has the same widths and parameters, one
product for the projections of query, key and value, and is compiled by XLA as a whole.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

HEADS, FEED_FORWARD = 8, 4  # as in the seed, dna/seeds/transformer.dna


class CausalSelfAttention(layers.Layer):
    """Maps (batch, position, channel) to the same shape; reads no later position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads_shape = (3, HEADS, width // HEADS)
        self.project = layers.Dense(3 * width, use_bias=False)
        self.merge = layers.Dense(width, use_bias=False)

    def call(self, x):
        _, length, width = x.shape
        heads = ops.reshape(self.project(x), (-1, length, *self.heads_shape))
        query, key, value = ops.unstack(heads, 3, axis=2)
        mixed = ops.dot_product_attention(query, key, value, is_causal=True)
        return self.merge(ops.reshape(mixed, (-1, length, width)))


class Block(layers.Layer):
    """A pre-norm decoder block: (batch, position, channel) to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.attention = CausalSelfAttention(width)
        self.feed_forward_norm = layers.LayerNormalization(epsilon=1e-6)
        self.widen = layers.Dense(FEED_FORWARD * width, activation="relu")
        self.narrow = layers.Dense(width)

    def call(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.narrow(self.widen(self.feed_forward_norm(x)))


class Transformer(keras.Model):
    """Maps tokens (batch, position) to logits (batch, position, vocabulary), output tied."""

    def __init__(self, blocks: int, width: int, vocabulary: int, length: int) -> None:
        super().__init__()
        self.tokens = layers.Embedding(vocabulary, width)
        self.positions = layers.Embedding(length, width)
        self.blocks = [Block(width) for _ in range(blocks)]
        self.norm = layers.LayerNormalization(epsilon=1e-6)

    def call(self, tokens):
        x = self.tokens(tokens) + self.positions(ops.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return ops.matmul(self.norm(x), ops.transpose(self.tokens.embeddings))


def train(model: Transformer, windows: np.ndarray, batch: int, callback) -> None:
    """Train on windows (windows, length + 1), over and over, until the callback stops it.

    Tried in turn with this at 64 x 2, and no faster: 16 steps per execution, `fit` on arrays,
    and separate projections of query, key and value. `MultiHeadAttention`, and attention
    written with matmul and softmax, are a quarter slower.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    data = tf.data.Dataset.from_tensor_slices((windows[:, :-1], windows[:, 1:]))
    data = data.batch(batch, drop_remainder=True).repeat()
    model.fit(data, steps_per_epoch=1_000_000, verbose=0, callbacks=[callback])
