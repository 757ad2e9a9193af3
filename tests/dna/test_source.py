"""Source written by `primeval export --source` runs by itself and reads well."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.places import ROOT
from helpers.sources import EVERY_ROW, mutants, source_of
from helpers.strategies import SEEDS

from primeval.dna.check import ProgramError
from primeval.dna.cost import Scale
from primeval.dna.graph import build_graph
from primeval.dna.parsing import parse
from primeval.dna.writing.keras_layer import assignment
from primeval.dna.writing.keras_module import module_name
from primeval.dna.writing.names import identifier, name_nodes
from primeval.primitives.keras_text import CALLS
from primeval.primitives.language import Language
from primeval.primitives.primitive import Primitive, Vocabulary
from primeval.primitives.vocabulary import ROWS


def ruff(*arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_what_is_written_passes_the_formatter_and_the_linter(tmp_path: Path) -> None:
    graphs = {name: build_graph(program) for name, program in SEEDS.items()}
    graphs |= {f"mutant_{number}": graph for number, graph in mutants(40)}
    graphs["every_row"] = build_graph(parse(EVERY_ROW))
    large = "constants 1e16 -1e-9\nS0 main(a, b):\n c = MAX a const0\n d = C_MUL c const1\n"
    graphs["large"] = build_graph(parse(large))
    for name, graph in graphs.items():
        (tmp_path / f"{name}.py").write_text(source_of(graph, name=name), encoding="utf-8")
    untied = Scale(12, 131_072, 1024, width=1024, tied=False)
    text = source_of(graphs["primer_ez"], untied, "a/very-long name" * 9)
    (tmp_path / "untied.py").write_text(text, encoding="utf-8")
    project = ROOT / "pyproject.toml"
    ruff("check", "--config", project, tmp_path)
    ruff("format", "--check", "--config", project, tmp_path)
    ruff("format", "--check", "--isolated", tmp_path)  # 88 columns


def test_source_imports_keras_and_nothing_else() -> None:
    for _, graph in mutants(20):
        tree = ast.parse(source_of(graph))
        modules = {
            node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert modules == {"keras"}


def test_every_primitive_has_a_form() -> None:
    assert set(CALLS) == {row.name for row in ROWS if row.rule != "convolution"}


def test_source_reads_as_the_program_does() -> None:
    text = source_of(build_graph(SEEDS["primer_ez"]), name="primer_ez")
    assert "class PrimerEzBlock(keras.layers.Layer):" in text
    for line in (
        "# S5 layer_norm > S6 z_score",
        "z_score_d = x - z_score_c",
        "# S1 self_attention > S3 head_projection, 8 branches",
        "head_projection_d = depthwise_conv(head_projection_c, self.head_projection_taps)",
        "relu_c = ops.maximum(feed_forward_d, 0.0)",
        "relu_d = ops.square(relu_c)",
        "residual_c_2 = residual_c + feed_forward_g",
        "feed_forward_kernel: (width, 4 * width)",
        "head_projection_taps_2: (3, 8, 1, width // 8)",
    ):
        assert f"        {line}\n" in text, line
    assert "  # (batch, 8, query, key)\n" in text
    # the docstring contains the program
    assert "    S9 relu(a, b):\n      c = MAX a const0\n" in text


def test_operations_are_as_many_as_the_graph_has() -> None:
    for _, graph in mutants(20, start=500):
        (call,) = (
            node
            for node in ast.walk(ast.parse(source_of(graph)))
            if isinstance(node, ast.FunctionDef)
            and node.name == "call"
            and [argument.arg for argument in node.args.args] == ["self", "x"]
        )
        operations = [node for node in graph.nodes if node.op != "INPUT"]
        assert len(call.body) == len(operations) + 1  # one more line: the return


def test_names_differ_whatever_subprograms_are_called() -> None:
    body = "  c = CONV_1X1 a dim0\n  d = SCALE c\n  e = SCALE d\n"
    calls = "  c = S1 a a\n  d = S2 c c\n  e = S3 d d\n"
    names = ("Layer", "layer", "_3")
    text = "".join(f"S{at} {name}(a, b):\n{body}" for at, name in enumerate(names, 1))
    graph = build_graph(parse(f"width 4\ndims 4\nS0 main(a, b):\n{calls}{text}"))
    names_of = name_nodes(graph)
    assert len(set(names_of.values.values())) == len(graph.nodes)
    assert {"layer_kernel", "layer_kernel_2", "s_3_kernel", "s_3_scale_2"} <= set(
        names_of.weights.values()
    )
    compile(source_of(graph), "source.py", "exec")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("primer_ez", "primer_ez"),
        ("runs/quickstart:17", "quickstart_17"),
        ("/tmp/My block.dna", "my_block"),
        ("3rd.dna", "s_3rd"),
        ("ü", "s_"),
    ],
)
def test_modules_are_named_after_the_program(given: str, name: str) -> None:
    assert module_name(given) == name
    assert identifier(name) == name or name == "s_"


def test_long_statements_get_a_line_for_each_argument() -> None:
    name = "x" * 40
    assert assignment("y", ("ops.add", "a", "b"), "+", "note") == ["y = a + b  # note"]
    assert assignment(name, ("ops.add", name, "b"), "+") == [
        f"{name} = ops.add(",
        f"    {name},",
        "    b,",
        ")",
    ]


# Primitives of users


@pytest.fixture
def softsign() -> Vocabulary:
    """SOFTSIGN, a user's primitive with a kernel that has a name, and SIGNS, one without."""
    language = Language()
    for name, kernel in (("SOFTSIGN", _softsign), ("SIGNS", _Callable())):
        row = Primitive(name, ("input1",), "elementwise", "")
        language = language.with_primitive(row, kernel)
    return language.vocabulary


def _softsign(x: Any) -> Any:
    from keras import ops

    return x / (1 + ops.abs(x))


class _Callable:
    def __call__(self, x: Any) -> Any:
        return x


@pytest.mark.tf
def test_kernels_of_users_are_part_of_the_source(softsign: Vocabulary) -> None:
    program = "width 4\nS0 main(a, b):\n c = SOFTSIGN a\n d = SOFTSIGN c\n"
    text = source_of(build_graph(parse(program, vocabulary=softsign)))
    assert "    return x / (1 + ops.abs(x))\n" in text
    assert "main_d = _softsign(main_c)\n" in text
    names: dict[str, Any] = {"__name__": "source"}
    exec(compile(text, "source.py", "exec"), names)
    assert float(names["_softsign"](3.0)) == pytest.approx(0.75)


def test_a_kernel_without_source_is_refused(softsign: Vocabulary) -> None:
    program = "width 4\nS0 main(a, b):\n c = SIGNS a\n"
    graph = build_graph(parse(program, vocabulary=softsign))
    with pytest.raises(ProgramError, match="SIGNS cannot be written as source"):
        source_of(graph)


def test_a_name_cannot_break_out_of_the_docstring() -> None:
    graph = build_graph(SEEDS["transformer"])
    text = source_of(graph, name='a"""\nimport os\n"""\\')
    assert re.search(r"^import os", text, re.MULTILINE) is None
    ast.parse(text)
