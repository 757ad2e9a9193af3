"""Exported source computes what is trained, at every width."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from helpers.sources import EVERY_ROW, LENGTH, SMALL, mutants, source_of
from helpers.strategies import SEEDS

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.dna.writing.names import name_nodes

pytestmark = pytest.mark.tf


def layer_of(text: str) -> Any:
    """Execute a module of source; returns its layer class."""
    names: dict[str, Any] = {"__name__": "source"}
    exec(compile(text, "source.py", "exec"), names)
    (layer,) = (value for name, value in names.items() if name.endswith("Block"))
    return layer


def assert_equal_to_the_trained_layer(
    graph: Graph, scale: Scale, seed: int = 0, text: str | None = None
) -> bool:
    """Returns False where values are not finite, which ends a candidate in training too."""
    from primeval.evaluators.lowering.block import GraphBlock

    cost, text = measure(graph, scale), text or source_of(graph, scale)
    graph, shape = cost.graph, (2, scale.length, cost.width)
    block = GraphBlock(graph, cost.unit, scale.length, seed)
    block.build(shape)
    rng = np.random.default_rng(seed)
    for weight in block.trainable_weights:
        weight.assign(weight.numpy() + rng.normal(0, 0.2, weight.shape))
    written = layer_of(text)()
    written.build(shape)
    for number, name in name_nodes(graph).weights.items():
        value, weight = block.weight_of[number].numpy(), getattr(written, name)
        # the kernel of the source is (taps, ...), with the present tap last
        if graph.nodes[number].op.startswith("DCONV"):
            value = np.flip(np.moveaxis(value, -2, 0), 0)
        weight.assign(value.reshape(weight.shape))
    assert len(written.weights) == len(block.weight_of)
    x = rng.normal(size=shape).astype("float32")
    expected, got = block(x).numpy(), written(x).numpy()
    if not np.isfinite(expected).all():
        assert not np.isfinite(got).all()
        return False
    size = max(1.0, np.abs(expected).max())
    # a program may magnify rounding: allow what rounding its input changes
    rounded = x * (1 + 2e-7 * rng.choice([-1, 1], x.shape)).astype("float32")
    rounding = np.abs(block(rounded).numpy() - expected).max() / size
    if not rounding < 1e-4:
        return False
    np.testing.assert_allclose(got / size, expected / size, atol=1e-5 + 4 * rounding)
    return True


@pytest.mark.parametrize("name", list(SEEDS))
def test_built_in_programs_are_written_as_they_are_trained(name: str) -> None:
    assert assert_equal_to_the_trained_layer(build_graph(SEEDS[name]), SMALL)


def test_a_program_of_nearly_all_primitives_is_written_as_it_is_trained() -> None:
    assert assert_equal_to_the_trained_layer(build_graph(parse(EVERY_ROW)), SMALL)


def test_mutants_are_written_as_they_are_trained() -> None:
    equal = [
        assert_equal_to_the_trained_layer(graph, SMALL, number) for number, graph in mutants(40)
    ]
    assert sum(equal) >= 20, equal


@pytest.mark.parametrize("name", ["primer_evolved", "transformer_pp"])
def test_one_layer_serves_every_width(name: str) -> None:
    """Source that is written at one scale is right at another."""
    graph = build_graph(SEEDS[name])
    text = source_of(graph, Scale(1, 16, LENGTH, width=128))
    for width in (16, 64):
        scale = Scale(1, 16, LENGTH, width=width)
        assert assert_equal_to_the_trained_layer(graph, scale, text=text)


def test_a_wider_scale_is_written_as_it_is_trained() -> None:
    wide = Scale(1, 16, LENGTH, width=32, widen=Fraction(2))
    graph = build_graph(SEEDS["primer_ez"])
    assert "feed_forward_kernel: (width, 8 * width)" in source_of(graph, wide)
    assert assert_equal_to_the_trained_layer(graph, wide)


def test_weights_start_as_they_do_in_training() -> None:
    from primeval.evaluators.lowering.block import initial_value

    graph = build_graph(SEEDS["mdha"])
    scale = Scale(1, 16, LENGTH, width=128)
    cost = measure(graph, scale)
    layer = layer_of(source_of(graph, scale))()
    layer.build((2, LENGTH, cost.width))
    rng = np.random.default_rng(0)
    for number, name in name_nodes(graph).weights.items():
        got, node = getattr(layer, name).numpy(), graph.nodes[number]
        assert node.primitive is not None
        if node.op == "CONV_1X1":
            assert got.std() == pytest.approx(got.shape[-2] ** -0.5, rel=0.05)
            assert abs(got.mean()) < 0.01
            continue
        if node.op == "DCONV_3X1":  # the present tap is last
            start = initial_value(node.primitive, (3, 1), rng)[::-1].reshape(3, 1, 1, 1)
        else:
            start = initial_value(node.primitive, (1,), rng)
        np.testing.assert_allclose(got, np.broadcast_to(start, got.shape))


def test_what_does_not_fit_is_reported() -> None:
    layer = layer_of(source_of(build_graph(SEEDS["primer_evolved"])))
    with pytest.raises(ValueError, match=r"a multiple of 8\. Received: 20"):
        layer().build((None, LENGTH, 20))
    with pytest.raises(ValueError, match="give the length"):
        layer().build((None, None, 16))


def test_source_works_in_half_precision() -> None:
    graph = build_graph(SEEDS["primer_ez"])
    layer = layer_of(source_of(graph))
    x = np.random.default_rng(0).normal(size=(2, LENGTH, 32)).astype("float32")
    for policy in ("mixed_bfloat16", "mixed_float16"):
        half = layer(dtype=policy)
        whole = layer()
        y = half(x)
        whole.build(x.shape)
        whole.set_weights(half.get_weights())
        assert str(y.dtype) == f"<dtype: '{policy[6:]}'>"
        np.testing.assert_allclose(np.float32(y), np.float32(whole(x)), atol=0.1)
