"""Code printed by `primeval show --code` runs by itself and computes what is trained."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.sources import EVERY_ROW
from helpers.strategies import SEEDS, meaning, mutated
from helpers.weight_names import weight_names

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.dna.printing import state_name
from primeval.dna.writing.tensorflow_code import format_code
from primeval.primitives.tensorflow_text import TEMPLATES
from primeval.primitives.vocabulary import ROWS
from primeval.primitives.widths import Rejection

LENGTH = 6
SMALL = Scale(1, 16, LENGTH, (1_000, 40_000))


def run_code(graph: Graph, scale: Scale) -> dict[str, Any]:
    """Execute the printed module; returns its names."""
    names: dict[str, Any] = {"__name__": "printed"}
    exec(compile(format_code(graph, scale), "printed.py", "exec"), names)
    return names


def assert_equal_to_the_trained_layer(graph: Graph, scale: Scale, seed: int = 0) -> bool:
    """Returns False where values are not finite, which ends a candidate in training too."""
    import tensorflow as tf

    from primeval.evaluators.lowering.block import GraphBlock

    cost = measure(graph, scale)
    block = GraphBlock(cost.graph, cost.unit, scale.length, seed)
    block.build((2, scale.length, cost.width))
    rng = np.random.default_rng(seed)
    for weight in block.trainable_weights:
        weight.assign(weight.numpy() + rng.normal(0, 0.2, weight.shape))
    x = rng.normal(size=(2, scale.length, cost.width)).astype("float32")
    code = run_code(graph, scale)
    code["block"](x)  # the first call creates the weights
    names = weight_names(cost.graph)
    assert {name.name for name in names} == set(code["WEIGHTS"])
    for name, node, branch in names:
        variable = code["WEIGHTS"][name]
        value = block.weight_of[node].numpy()[branch]
        variable.assign(tf.reshape(value, variable.shape))
    expected, printed = block(x).numpy(), code["block"](x).numpy()
    assert printed.shape == expected.shape
    if not np.isfinite(expected).all():
        assert not np.isfinite(printed).all()
        return False
    size = max(1.0, np.abs(expected).max())
    # a program may magnify rounding: allow what rounding its input changes
    rounding = np.abs(block(x * np.float32(1 + 1e-6)).numpy() - expected).max() / size
    assert np.isfinite(rounding)
    np.testing.assert_allclose(printed / size, expected / size, atol=1e-5 + 4 * rounding)
    return bool(rounding < 1e-4)


def test_every_primitive_has_a_template() -> None:
    assert set(TEMPLATES) >= {row.name for row in ROWS}


@pytest.mark.tf
@pytest.mark.parametrize("name", list(SEEDS))
def test_built_in_programs_are_printed_as_they_are_trained(name: str) -> None:
    assert assert_equal_to_the_trained_layer(build_graph(SEEDS[name]), SMALL)


@pytest.mark.tf
def test_a_program_of_nearly_all_primitives_is_printed_as_it_is_trained() -> None:
    graph = build_graph(parse(EVERY_ROW))
    assert {"RED_MEAN", "CUM_PROD", "CONV_3X1", "MASK"} <= {node.op for node in graph.nodes}
    assert assert_equal_to_the_trained_layer(graph, SMALL)


@pytest.mark.tf
def test_mutants_are_printed_as_they_are_trained() -> None:
    equal = 0
    for number in range(300):
        rng = random.Random(number)
        graph = meaning(mutated(rng, rng.randrange(1, 30)))
        try:
            if graph is not None and len(graph.lines) < 150:
                equal += assert_equal_to_the_trained_layer(graph, SMALL, number)
        except Rejection:
            continue  # no unit fits the scale
        if equal == 30:
            return
    pytest.fail(f"only {equal} programs with a meaning")


@pytest.mark.tf
def test_a_wider_scale_is_printed_as_it_is_trained() -> None:
    wide = Scale(1, 16, LENGTH, width=32, widen=SMALL.widen * 2)
    graph = build_graph(SEEDS["primer_evolved"])
    assert "768, 32" in format_code(graph, wide)  # channels: 48 / 4 * 32 * 2
    assert assert_equal_to_the_trained_layer(graph, wide)


@pytest.mark.tf
def test_printed_code_starts_from_the_trained_layers_constants() -> None:
    from primeval.evaluators.lowering.block import initial_value

    graph = build_graph(SEEDS["mdha"])
    code = run_code(graph, SMALL)
    code["block"](np.zeros((1, LENGTH, measure(graph, SMALL).width), "float32"))
    rng = np.random.default_rng(0)
    compared = set()
    for name, number, _ in weight_names(graph):
        node, variable = graph.nodes[number], code["WEIGHTS"][name]
        assert node.primitive is not None
        if node.op in ("SCALE", "SHIFT", "DCONV_3X1"):
            start = initial_value(node.primitive, tuple(variable.shape), rng)
            np.testing.assert_allclose(variable.numpy(), start)
            compared.add(node.op)
    assert len(compared) == 3


@pytest.mark.tf
def test_printed_code_runs_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "block.py"
    graph = build_graph(SEEDS["primer_ez"])
    path.write_text(format_code(graph, SMALL), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P" if sys.version_info >= (3, 11) else "-E", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    cost = measure(graph, SMALL)
    outer = cost.width * (SMALL.vocabulary + LENGTH + 2)
    assert f"(2, {LENGTH}, {cost.width}) -> (2, {LENGTH}, {cost.width})" in done.stdout
    assert f"{cost.parameters - outer:,} weights" in done.stdout


def test_a_program_reads_as_one_function_per_subprogram() -> None:
    code = format_code(build_graph(SEEDS["transformer"]), Scale(6, 32_768, 64, width=512))
    assert len(re.findall(r"^def s\d+_", code, re.MULTILINE)) == 10
    assert '[s1_self_attention(c, c, f"{at}d{branch}.") for branch in range(8)]' in code
    assert 'c = tf.matmul(a, weight(f"{at}c", 512, 2048))' in code
    assert max(map(len, code.splitlines())) <= 96


def test_dead_lines_are_marked() -> None:
    code = format_code(build_graph(SEEDS["primer_evolved"]), SMALL)
    assert code.count(": dead, nothing depends on it") == 2
    assert "# c = MAX b const0: dead" in code


def test_masks_are_shown_where_they_are_needed_and_explained() -> None:
    lines = "c = T_MAT_MUL a a\n d = RED_MAX c\n e = MAT_MUL c a\n f = MULTIPLY e d\n"
    code = format_code(build_graph(parse(f"width 4\nS0 main(a, b):\n {lines}")), SMALL)
    assert 'tf.reduce_max(fill_future(c, float("-inf")), axis=-1, keepdims=True)' in code
    assert "e = tf.matmul(tf.linalg.band_part(c, -1, 0), a)" in code
    assert code.count("# causal: ") == 2
    softmax = format_code(build_graph(SEEDS["transformer"]), SMALL)
    assert softmax.count("band_part") == 1  # for its MASK; nothing is masked twice


def test_one_subprogram_with_two_meanings_is_two_functions() -> None:
    body = "c = S1 a a\n d = T_MAT_MUL c a\n e = S1 d d\n f = MAT_MUL e a\n"
    text = f"width 4\nS0 main(a, b):\n {body}\nS1 f(a, b):\n c = SCALE a\n"
    code = format_code(build_graph(parse(text)), SMALL)
    assert "def s1_f(" in code
    assert "def s1_f_2(" in code


def test_states_named_like_keywords_are_renamed() -> None:
    lines = "\n".join(f" {state_name(state)} = ABS a" for state in range(2, 52))
    lines += "\n ba = ADD as at"
    code = format_code(build_graph(parse(f"width 4\nS0 main(a, b):\n{lines}\n")), SMALL)
    assert "as_ = tf.abs(a)" in code
    assert "tf.math.add(as_, at_)" in code
    compile(code, "printed.py", "exec")
