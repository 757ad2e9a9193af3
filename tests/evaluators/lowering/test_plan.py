"""Rewriting a graph before it is computed: which operations are skipped and which are kept."""

from __future__ import annotations

from helpers.strategies import SEEDS

from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.evaluators.lowering.plan import literal, plan, projections

SEED = build_graph(SEEDS["transformer"])


def ops_of(graph: Graph) -> list[str]:
    return [step.node.op for step in plan(graph)]


def changed(old: str, new: str, name: str = "transformer") -> Graph:
    from primeval.dna.library import seed_text

    text = seed_text(name)
    assert old in text
    return build_graph(parse(text.replace(old, new)))


def test_a_softmax_masks_before_its_exponential_and_divides_after_the_product() -> None:
    steps = {step.node.op: step for step in plan(SEED) if step.node.op in ("EXP", "MASK")}
    assert steps["EXP"].fills == (float("-inf"),)
    assert steps["MASK"].same
    (product,) = (step for step in plan(SEED) if step.node.op == "MAT_MUL")
    assert [SEED.nodes[number].op for number in product.late] == ["DIVIDE"]
    assert product.fills == (None, None)
    literally = [step.node.op for step in literal(SEED)]
    assert literally.count("DIVIDE") == ops_of(SEED).count("DIVIDE") + 1


def test_a_division_that_is_read_twice_does_not_wait() -> None:
    graph = changed(
        "  i = MAT_MUL h e\n", "  i = ADD h h\n  j = MULTIPLY i h\n  k = MAT_MUL j e\n"
    )
    (product,) = (step for step in plan(graph) if step.node.op == "MAT_MUL")
    assert product.late == ()


def test_scores_divided_by_scores_do_not_wait() -> None:
    graph = changed("  f = DIVIDE d e\n", "  f = DIVIDE d c\n")
    (product,) = (step for step in plan(graph) if step.node.op == "MAT_MUL")
    assert product.late == ()
    assert product.fills[0] == 0.0  # 0 / x need not be zero, as x may be zero


def test_scores_without_an_exponential_are_masked_where_they_are_summed() -> None:
    graph = changed("  c = EXP a\n", "  c = SQUARE a\n")
    (mask,) = (step for step in plan(graph) if step.node.op == "MASK")
    assert not mask.same


def groups(graph: Graph) -> set[tuple[tuple[str, ...], ...]]:
    return {
        tuple(tuple(graph.nodes[at].op for at in pair if at is not None) for pair in group)
        for group in projections(graph).values()
    }


def test_projections_of_one_input_are_one_product() -> None:
    assert groups(SEED) == {(("CONV_1X1",),) * 3, (("CONV_1X1",),)}


def test_depthwise_convolutions_follow_in_the_same_product() -> None:
    graph = build_graph(SEEDS["primer_ez"])
    assert groups(graph) == {(("CONV_1X1", "DCONV_3X1"),) * 3, (("CONV_1X1",),)}


def test_a_projection_that_others_read_too_keeps_its_value() -> None:
    graph = changed(
        "  d = DCONV_3X1 c\n", "  d = DCONV_3X1 c\n  e = ADD c d\n", name="primer_ez"
    )
    assert groups(graph) == {(("CONV_1X1",),) * 3, (("CONV_1X1",),)}
