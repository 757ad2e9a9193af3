"""A program as a model of stock Keras layers and operations only.

The walk over the canonical graph is the one of training, with a stock layer for each operation
that owns a weight: EinsumDense for matrices and SCALE, DepthwiseConv1D after ZeroPadding1D, an
Embedding with one row for SHIFT. So `keras.models.load_model` opens the model without primeval,
on every backend. Weights come from a trained `LanguageModel`, names from the program
(`dna/writing/names.py`); exported source finds the weights by these names.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from primeval.dna.cost import Scale
from primeval.dna.graph import Graph
from primeval.dna.infer import Node
from primeval.dna.writing.names import name_nodes
from primeval.evaluators.lowering.model import LanguageModel
from primeval.evaluators.lowering.walk import run_graph
from primeval.primitives.kernels import CHANNELS, taps_of, with_branches
from primeval.primitives.rules import LETTERS, Initial, deviation, matrix_equation

Tensor = Any


def stock_model(scale: Scale, trained: LanguageModel) -> keras.Model:
    """A model from token ids (batch, position) to logits (batch, position, vocabulary).

    It works at any length up to the trained one, unless the program is `fixed_length`.
    """
    graph = trained.graph
    length = scale.length if graph.fixed_length else None
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    width = trained.tokens.output_dim
    embedding = layers.Embedding(scale.vocabulary, width, name="token_embedding")
    positions = layers.Embedding(scale.length, width, name="position_embedding")
    rows = _rows(embedding, tokens, scale.vocabulary) if scale.tied else None
    x = embedding(tokens) if rows is None else ops.take(rows, tokens, axis=0)
    x = x + positions(_count(ops.ones_like(tokens[:1, :])))
    copies = [(embedding, trained.tokens), (positions, trained.positions)]
    for number, block in enumerate(trained.blocks):
        x = _block(graph, x, f"block_{number}", block.weight_of, tokens)
    norm = layers.LayerNormalization(epsilon=trained.norm.epsilon, name="final_norm")
    x = norm(x)
    copies.append((norm, trained.norm))
    if rows is not None:
        logits = ops.matmul(x, ops.transpose(rows))
    else:
        output = layers.Dense(scale.vocabulary, use_bias=False, name="output")
        logits = output(x)
        copies.append((output, trained.output_layer))
    for stock, source in copies:
        stock.set_weights(source.get_weights())
    model = keras.Model(tokens, logits, name="primeval")
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)  # otherwise loading gives a warning
    return model


def _one(tokens: Tensor) -> Tensor:
    """From token ids (batch, position), the id 0 as a tensor (1, 1) of the model's graph."""
    return ops.zeros_like(tokens[:1, :1])


def _count(ones: Tensor) -> Tensor:
    """From ones (1, position), the numbers 0, 1, 2, ... of the same shape."""
    return ops.cumsum(ones, axis=1) - 1


def _rows(embedding: layers.Embedding, tokens: Tensor, count: int) -> Tensor:
    """The whole embedding as a tensor (vocabulary, width), for tied input and output.

    So each row of the embedding is read once, and so is each position's. If a row is read
    twice, Adam of TensorFlow's Keras squares the parts of its gradient instead of their sum.
    """
    rows = embedding(_count(ops.repeat(_one(tokens) + 1, count, axis=1)))
    return ops.reshape(rows, (count, embedding.output_dim))


def _block(
    graph: Graph, x: Tensor, prefix: str, weight_of: dict[int, Any], tokens: Tensor
) -> Tensor:
    """One block, with a stock layer for each weight of the graph.

    (batch, position, channel) to the same shape.
    """
    names = name_nodes(graph).weights

    def weigh(number: int, node: Node, operand: Tensor) -> Tensor:
        weight, name = ops.convert_to_numpy(weight_of[number]), f"{prefix}_{names[number]}"
        rule = graph.program.vocabulary[node.op].rule
        if rule == "convolution":
            return _convolution(name, operand, weight)
        if rule == "depthwise":
            return _depthwise(name, operand, weight)
        if node.op == "SCALE":
            return _scale(name, operand, weight)
        return _shift(name, operand, weight, tokens)

    return run_graph(graph, x, weigh)


def _convolution(name: str, x: Tensor, weight: np.ndarray) -> Tensor:
    """As `kernels.convolution`, with the same shapes."""
    taps, inputs, outputs = weight.shape[-3:]
    leading = weight.shape[:-3]
    equation = matrix_equation(len(x.shape) - 3, len(leading))
    dense = layers.EinsumDense(
        equation,
        output_shape=(*leading, x.shape[-2], outputs),
        kernel_initializer=keras.initializers.RandomNormal(stddev=deviation(taps * inputs)),
        name=name,
    )
    y = dense(taps_of(x, taps))
    # (*branches, taps, in, out) to (*branches, taps * in, out)
    dense.set_weights([weight.reshape((*leading, taps * inputs, outputs))])
    return y


def _depthwise(name: str, x: Tensor, weight: np.ndarray) -> Tensor:
    """As `kernels.depthwise`, with the same shapes.

    Branches become channels, as the stock layer has no branch axes.
    """
    leading, (taps, channels) = weight.shape[:-2], weight.shape[-2:]
    copies = int(np.prod(leading))
    for missing in range(len(leading) - (len(x.shape) - 3)):
        x = ops.repeat(ops.expand_dims(x, -3), leading[missing], axis=-3)
    # (batch, *branches, t, c) to copies of (batch, t, c) to (batch, t, copies * c)
    parts = _flat_branches(x, len(leading))
    stacked = parts[0] if copies == 1 else ops.concatenate(parts, axis=CHANNELS)
    conv = layers.DepthwiseConv1D(taps, use_bias=False, name=name)
    y = conv(layers.ZeroPadding1D((taps - 1, 0), name=f"{name}_causal")(stacked))
    # Keras counts taps from the past, this project from the present:
    # (*branches, taps, c) to (copies, taps reversed, c) to (taps reversed, copies * c, 1)
    kernel = np.flip(weight.reshape((copies, taps, channels)), axis=1)
    conv.set_weights([kernel.transpose(1, 0, 2).reshape(taps, copies * channels, 1)])
    # (batch, t, copies * c) to copies of (batch, t, c) to (batch, *branches, t, c)
    parts = ops.split(y, copies, axis=CHANNELS) if copies > 1 else [y]
    return _nested(list(parts), leading)


def _flat_branches(x: Tensor, depth: int) -> list[Tensor]:
    """(batch, *branches, t, c) as a list of (batch, t, c), outermost branch first."""
    if depth == 0:
        return [x]
    parts = ops.unstack(x, x.shape[1], axis=1)
    return [flat for part in parts for flat in _flat_branches(part, depth - 1)]


def _nested(parts: list[Tensor], leading: tuple[int, ...]) -> Tensor:
    """The inverse of `_flat_branches`: a list of (batch, t, c) to (batch, *branches, t, c)."""
    for count in reversed(leading):
        parts = [
            ops.stack(parts[start : start + count], axis=1)
            for start in range(0, len(parts), count)
        ]
    return parts[0]


def _scale(name: str, x: Tensor, weight: np.ndarray) -> Tensor:
    """As `kernels.scale`, with the same shapes."""
    branches, seen = LETTERS[: weight.ndim - 1], LETTERS[: len(x.shape) - 3]
    shape = (*weight.shape[:-1], x.shape[-2], weight.shape[-1])
    equation = f"b{seen}tc,{branches}c->b{branches}tc"
    scale = layers.EinsumDense(
        equation, output_shape=shape, kernel_initializer=Initial.ONES.value, name=name
    )
    y = scale(x)
    scale.set_weights([weight])
    return y


def _shift(name: str, x: Tensor, weight: np.ndarray, tokens: Tensor) -> Tensor:
    """As the kernel of SHIFT, with the same shapes."""
    start = Initial.ZEROS.value
    vector = layers.Embedding(1, weight.size, embeddings_initializer=start, name=name)
    value = vector(_one(tokens))
    vector.set_weights([weight.reshape(1, -1)])
    # (1, 1, branches * channel) to (1, *branches, 1, channel)
    shape = (1, *weight.shape[:-1], 1, weight.shape[-1])
    return with_branches(x, weight.ndim - 1) + ops.reshape(value, shape)
