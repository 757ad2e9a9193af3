"""The meaning of programs: inlining, kinds, widths, the canonical graph and its fingerprint."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import pytest
from helpers.strategies import meaning, programs
from hypothesis import given

from primeval.dna.cost import Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.library import load_seed, seed_text
from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.dna.resolve import resolve
from primeval.dna.writing.listing import resolved_listing
from primeval.primitives.widths import Rejection

PAPER = Scale(6, 32_768, 64, (32_000_000, 38_000_000))


def main(*lines: str, dims: str = "4 8", extra: str = "") -> Graph:
    """The graph of a program whose MAIN has these lines."""
    body = "\n".join(f"  {line}" for line in lines)
    return build_graph(
        parse(f"width 4\nconstants 0 2\ndims {dims}\nS0 main(a, b):\n{body}\n{extra}")
    )


def transformer(old: str, new: str) -> Program:
    text = seed_text("transformer")
    assert old in text
    return parse(text.replace(old, new))


def test_the_seed_resolves_to_the_papers_39_lines() -> None:
    lines = resolve(load_seed("transformer"))
    markers = [line.op for line in lines if "BRANCH" in line.op]
    assert len(lines) == 39
    assert markers == ["BRANCH_8_INPUT_1", "BRANCH_8_INPUT_2", "BRANCH_MERGE"]


def test_the_seed_has_the_papers_widths_and_size() -> None:
    graph = build_graph(load_seed("transformer"))
    cost = measure(graph, PAPER)
    rows = resolved_listing(graph, PAPER)
    dims = [row["dim"] for row in rows if row["op"] == "CONV_1X1"]
    assert (cost.unit, cost.width) == (128, 512)
    assert dims == [64, 64, 64, 512, 2048, 512]
    assert 34_500_000 < cost.parameters < 36_500_000


def test_dead_lines_mean_nothing() -> None:
    assert main("c = ABS a").text == main("c = EXP a", "d = ABS a").text
    # even if the dead line could not be typed
    assert main("c = ABS a").text == main("c = MAT_MUL a a", "d = ABS a").text


def test_equal_lines_are_one_unless_they_own_weights() -> None:
    pure = main("c = ABS a", "d = ABS a", "e = ADD c d")
    owning = main("c = SCALE a", "d = SCALE a", "e = ADD c d")
    assert [node.op for node in pure.nodes] == ["INPUT", "ABS", "ADD"]
    assert [node.op for node in owning.nodes] == ["INPUT", "SCALE", "SCALE", "ADD"]


@pytest.mark.parametrize("op", ["ADD", "MULTIPLY"])
def test_the_order_of_commutative_operands_means_nothing(op: str) -> None:
    one = main("c = ABS a", "d = EXP a", f"e = {op} c d")
    other = main("c = EXP a", "d = ABS a", f"e = {op} c d")
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize("op", ["DIFFERENCE", "DIVIDE"])
def test_the_order_of_other_operands_matters(op: str) -> None:
    one = main("c = ABS a", f"d = {op} a c")
    other = main("c = ABS a", f"d = {op} c a")
    assert one.fingerprint != other.fingerprint


def test_twins_with_weights_are_ordered_by_their_use() -> None:
    one = main("c = SCALE a", "d = SCALE a", "e = EXP c", "f = ADD c d", "g = DIVIDE f e")
    other = main("c = SCALE a", "d = SCALE a", "e = EXP d", "f = ADD d c", "g = DIVIDE f e")
    assert one.fingerprint == other.fingerprint


def test_a_call_means_its_lines() -> None:
    called = main("c = S1 a a", extra="S1 f(a, b):\n  c = ABS a\n  d = SQUARE c\n")
    assert called.fingerprint == main("c = ABS a", "d = SQUARE c").fingerprint


def test_only_read_fields_matter() -> None:
    written = transformer("  c = EXP a", "  c = EXP a ; input2=b const=const1 dim=dim3")
    assert build_graph(written).fingerprint == build_graph(load_seed("transformer")).fingerprint


def test_constants_matter_where_they_are_read() -> None:
    one, other = main("c = MAX a const0"), main("c = MAX a const1")
    assert one.fingerprint != other.fingerprint


def test_fingerprints_are_equal_in_every_process() -> None:
    code = (
        "from primeval.dna.graph import build_graph;"
        "from primeval.dna.library import load_seed;"
        "print(build_graph(load_seed('transformer')).fingerprint)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {build_graph(load_seed("transformer")).fingerprint + "\n"}


@given(programs(), programs())
def test_fingerprints_are_equal_exactly_when_graphs_are(one: Program, other: Program) -> None:
    graphs = [graph for graph in (meaning(one), meaning(other)) if graph is not None]
    for first in graphs:
        for second in graphs:
            same = first.text == second.text
            assert (first.fingerprint == second.fingerprint) == same


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["c = T_MAT_MUL a a"], "scores, not a sequence"),
        (["c = RED_SUM a"], "single channel"),
        (["c = MAT_MUL a a"], "must be scores"),
        (["c = T_MAT_MUL a a", "d = MAT_MUL a c"], "must be scores"),
        (["c = T_MAT_MUL a a", "d = ADD a c"], "ADD of scores"),
        (["c = T_MAT_MUL a a", "d = T_MAT_MUL c a"], "both must be of one kind"),
        (["c = T_MAT_MUL a a branch=2"], "cannot be concatenated"),
        (["c = ABS a branch=2", "d = ADD a c"], "at once"),
        (["c = RED_SUM a", "d = T_MAT_MUL a c", "e = MAT_MUL d a"], "two fixed widths"),
    ],
)
def test_what_has_no_meaning_is_rejected_with_the_reason(lines: list[str], reason: str) -> None:
    with pytest.raises(Rejection, match=reason):
        main(*lines)


def test_a_rejection_names_the_instruction() -> None:
    program = transformer("  g = T_MAT_MUL f d", "  g = MAT_MUL f d")
    with pytest.raises(Rejection, match=r"S1 self_attention, `g = MAT_MUL f d`"):
        build_graph(program)


def test_the_models_width_beats_a_proposal() -> None:
    graph = main("c = CONV_1X1 a dim1", "d = ADD a c")
    assert {str(node.width) for node in graph.nodes} == {"4u"}


def test_two_proposals_that_meet_are_settled_the_same_way_each_time() -> None:
    lines = ["c = CONV_1X1 a dim0", "d = CONV_1X1 a dim1", "e = ADD c d", "f = CONV_1X1 e dim0"]
    widths = {str(main(*lines, dims="2 8").nodes[1].width) for _ in range(3)}
    assert len(widths) == 1
    assert widths < {"2u", "8u"}


def test_branching_divides_what_a_matrix_asks_for() -> None:
    graph = main("c = CONV_1X1 a dim0 branch=2", "d = CONV_1X1 c dim0", dims="48")
    conv, merge = graph.nodes[1], graph.nodes[2]
    assert (str(conv.width), conv.over) == ("24u", (2,))
    assert (merge.op, str(merge.width), merge.over) == ("BRANCH_MERGE", "48u", ())


def test_branches_nest() -> None:
    inner = "S1 f(a, b):\n  c = CONV_1X1 a dim0 branch=4\n"
    graph = main("c = S1 a a branch=2", extra=inner)
    assert [node.over for node in graph.nodes] == [(), (2, 4), (2,), ()]
    assert str(graph.nodes[-1].width) == "4u"


def test_a_branched_reduction_gives_one_channel_a_branch() -> None:
    inner = "S1 f(a, b):\n  c = SCALE a\n  d = RED_SUM c\n"
    graph = main("c = S1 a a branch=8", "d = CONV_1X1 c dim0", extra=inner)
    assert str(graph.nodes[-2].width) == "8"


@pytest.mark.parametrize(
    ("lines", "fixed"),
    [
        (["c = T_MAT_MUL a a", "d = SCALE c", "e = MAT_MUL d a"], True),
        (["c = T_MAT_MUL a a", "d = CONV_3X1 c dim0"], True),
        (["c = T_MAT_MUL a a", "d = EXP c", "e = MAT_MUL d a"], False),
    ],
)
def test_weights_over_positions_fix_the_length(lines: list[str], fixed: bool) -> None:
    assert main(*lines).fixed_length == fixed


def test_the_unit_makes_every_width_whole() -> None:
    graph = build_graph(load_seed("transformer"))
    cost = measure(graph, Scale(2, 256, 64, (100_000, 140_000)))
    assert cost.unit == 16
    assert all(node.scores or node.width.channels(cost.unit) > 0 for node in graph.nodes)


def test_a_window_without_a_unit_is_a_rejection() -> None:
    with pytest.raises(Rejection, match="no unit gives between 120,100 and 120,200"):
        measure(build_graph(load_seed("transformer")), Scale(2, 256, 64, (120_100, 120_200)))


def test_a_width_that_leaves_fractions_is_a_rejection() -> None:
    with pytest.raises(Rejection, match="must be a multiple of 8"):
        measure(build_graph(load_seed("transformer")), Scale(2, 256, 64, width=60))


def test_relative_widths_may_be_fractions() -> None:
    graph = main("c = CONV_1X1 a dim0", "d = CONV_1X1 c dim1", dims="32/3 4")
    assert measure(graph, Scale(1, 256, 8, width=24)).unit == Fraction(6)
