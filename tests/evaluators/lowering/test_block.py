"""The trained layer: shapes, counts, causality, and equality with blocks written by hand."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from helpers.blocks import LENGTH, SMALL, assert_causal, make_block
from helpers.strategies import SEEDS, meaning, mutated

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.primitives.widths import Rejection

pytestmark = pytest.mark.tf


@pytest.mark.parametrize("name", list(SEEDS))
def test_built_in_programs_are_causal_and_keep_the_shape(name: str) -> None:
    rng = np.random.default_rng(0)
    block, width = make_block(build_graph(SEEDS[name]))
    assert assert_causal(block, rng.normal(size=(2, LENGTH, width)).astype("float32"), rng)


def test_a_layer_that_sees_the_future_would_be_noticed() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, LENGTH, 4)).astype("float32")
    assert assert_causal(lambda values: np.cumsum(values, 1), x, rng)
    with pytest.raises(AssertionError, match="position 5 is seen earlier"):
        assert_causal(lambda v: np.concatenate([v[:, :-2], v[:, -1:], v[:, -1:]], 1), x, rng)


def test_random_programs_are_causal_and_cost_what_was_counted() -> None:
    outcomes: Counter[str] = Counter()
    for number in range(150):
        rng = random.Random(number)
        program = mutated(rng, rng.randrange(1, 30))
        graph = meaning(program)
        try:
            if graph is None:
                raise Rejection("the language says no")
            block, width = make_block(graph, seed=number)
        except Rejection:
            outcomes["rejected"] += 1
            continue
        counted = measure(graph, SMALL).parameters
        outer = width * (SMALL.vocabulary + LENGTH + 2)
        assert sum(np.prod(w.shape) for w in block.trainable_weights) + outer == counted
        draw = np.random.default_rng(number)
        x = draw.normal(size=(2, LENGTH, width)).astype("float32")
        outcomes["fine" if assert_causal(block, x, draw) else "not finite"] += 1
    assert outcomes["fine"] > 50, outcomes


def _layer_norm(x, scale, shift):  # type: ignore[no-untyped-def]
    import tensorflow as tf

    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), -1, keepdims=True)
    return (x - mean) / tf.sqrt(variance) * scale + shift


def _attention(x, query, key, value, out, conv=None):  # type: ignore[no-untyped-def]
    """Causal attention with 8 heads; `conv` holds depthwise taps for the projections."""
    import tensorflow as tf

    def project(weight, taps):  # type: ignore[no-untyped-def]
        y = tf.einsum("btc,ncd->bntd", x, weight[:, 0])
        if taps is None:
            return y
        padded = tf.pad(y, [[0, 0], [0, 0], [2, 0], [0, 0]])
        length = x.shape[1]
        return sum(
            padded[:, :, 2 - tap : 2 - tap + length] * taps[:, tap][:, None] for tap in range(3)
        )

    q, k, v = (
        project(weight, None if conv is None else conv[place])
        for place, weight in enumerate((query, key, value))
    )
    scores = tf.einsum("bntd,bnsd->bnts", 0.125 * q, k)
    length = x.shape[1]
    visible = tf.range(length)[:, None] >= tf.range(length)[None]
    weights = tf.nn.softmax(tf.where(visible, scores, -1e30))
    heads = tf.einsum("bnts,bnsd->btnd", weights, v)
    return tf.reshape(heads, (x.shape[0], length, -1)) @ out[0]


def _by_hand(x, w, squared=False, conv=False):  # type: ignore[no-untyped-def]
    """The pre-norm block as usually written, with weights in canonical order."""
    import tensorflow as tf

    w = list(w)
    y = _layer_norm(x, w.pop(0), w.pop(0))
    query = w.pop(0)
    taps = [w.pop(0)] if conv else []
    key = w.pop(0)
    taps += [w.pop(0)] if conv else []
    value = w.pop(0)
    taps += [w.pop(0)] if conv else []
    x = x + _attention(y, query, key, value, w.pop(0), taps if conv else None)
    y = _layer_norm(x, w.pop(0), w.pop(0))
    hidden = tf.nn.relu(y @ w.pop(0)[0] + w.pop(0))
    hidden = tf.square(hidden) if squared else hidden
    return x + hidden @ w.pop(0)[0] + w.pop(0)


def _plus_plus_by_hand(x, w):  # type: ignore[no-untyped-def]
    import tensorflow as tf

    def rms_norm(y, scale):  # type: ignore[no-untyped-def]
        return y / tf.sqrt(tf.reduce_mean(tf.square(y), -1, keepdims=True)) * scale

    w = list(w)
    x = x + _attention(rms_norm(x, w[0]), *w[1:5])
    y = rms_norm(x, w[5])
    gate, other = y @ w[6][0], y @ w[7][0]
    return x + (tf.nn.silu(gate) * other) @ w[8][0]


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("transformer", _by_hand),
        ("primer_ez", lambda x, w: _by_hand(x, w, squared=True, conv=True)),
        ("transformer_pp", _plus_plus_by_hand),
    ],
)
def test_blocks_equal_those_written_by_hand(name: str, by_hand) -> None:  # type: ignore[no-untyped-def]
    import tensorflow as tf

    graph = build_graph(load_seed(name))
    block, width = make_block(graph, Scale(1, 16, 12, width=32))
    weights = [tf.convert_to_tensor(weight) for weight in block.trainable_weights]
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 12, width)).astype("float32"))
    order = list(range(len(weights)))
    if name == "transformer_pp":  # fingerprints decide the order of gate and value
        gate = next(n.inputs[0] for n in graph.nodes if n.op == "SIGMOID")
        owners = list(block.weight_of)
        first = owners.index(gate)
        order[6], order[7] = (6, 7) if first == 6 else (7, 6)

    def run(function):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            y = function()
            loss = tf.reduce_sum(tf.sin(y))
        return [y, *tape.gradient(loss, [x, *weights])]

    def layer():  # type: ignore[no-untyped-def]
        return block.stateless_call(weights, [], x)[0]

    for ours, theirs in zip(
        run(layer), run(lambda: by_hand(x, [weights[at] for at in order])), strict=True
    ):
        size = max(1.0, float(tf.reduce_max(tf.abs(theirs))))
        np.testing.assert_allclose(ours / size, theirs / size, atol=1e-5)


def test_scores_are_reduced_over_the_visible_keys_only() -> None:
    from primeval.dna.parsing import parse

    lines = "c = T_MAT_MUL a a\n d = RED_MEAN c\n e = MULTIPLY a d\n"
    graph = build_graph(parse(f"width 4\nS0 main(a, b):\n {lines}"))
    block, width = make_block(graph)
    x = np.random.default_rng(0).normal(size=(1, LENGTH, width)).astype("float32")
    scores = x[0] @ x[0].T
    expected = [x[0, t] * scores[t, : t + 1].mean() for t in range(LENGTH)]
    np.testing.assert_allclose(np.asarray(block(x))[0], expected, rtol=1e-4, atol=1e-5)
