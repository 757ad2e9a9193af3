"""The six mutations: which limits they keep, which programs they reach, what they report."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from helpers.strategies import programs
from hypothesis import given
from hypothesis import strategies as st

from primeval.dna.check import ProgramError, check
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed, seed_text
from primeval.dna.mutate import ExhaustedError, mutate
from primeval.dna.mutations import MUTATIONS, Choices
from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.dna.writing.diff import diff
from primeval.primitives.widths import Rejection

TRANSFORMER = load_seed("transformer")
FINGERPRINT = build_graph(TRANSFORMER).fingerprint


def with_lines(old: str, new: str) -> str:
    """The fingerprint of the seed with part of its text replaced."""
    text = seed_text("transformer")
    assert text.count(old) == 1
    return build_graph(parse(text.replace(old, new))).fingerprint


@pytest.mark.parametrize("kind", list(MUTATIONS))
@given(program=programs(), seed=st.integers(0, 2**32))
def test_every_mutation_keeps_the_program_legal(kind: str, program: Program, seed: int) -> None:
    mutated = MUTATIONS[kind](program, Choices(random.Random(seed)))
    if mutated is not None:
        try:
            check(mutated.program)
        except ProgramError as error:  # calls may nest too deep; `mutate` draws again
            assert "inlined" in str(error) or "Nested branching" in str(error)  # noqa: PT017
        assert mutated.edit.kind == kind
        assert mutated.edit.summary


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  c = MAX a const0\n", "  c = MAX a const0\n  d = SQUARE c\n"),
        ("  c = CONV_1X1 a dim0\n", "  c = CONV_1X1 a dim0\n  d = DCONV_3X1 c\n"),
    ],
    ids=["squared_relu", "mdha"],
)
def test_the_papers_findings_are_one_insertion_from_the_seed(old: str, new: str) -> None:
    wanted = with_lines(old, new)
    rng = random.Random(0)
    for _ in range(200_000):
        mutated = MUTATIONS["insert"](TRANSFORMER, Choices(rng))
        assert mutated is not None
        # only these two can give the graph; building every graph would take minutes
        if not mutated.edit.summary.endswith(("SQUARE c", "DCONV_3X1 c")):
            continue
        try:
            if build_graph(mutated.program).fingerprint == wanted:
                added = [
                    line for line in diff(TRANSFORMER, mutated.program) if line.sign == "+"
                ]
                assert len(added) == 1
                return
        except Rejection:
            continue
    pytest.fail("200,000 insertions did not find it")


def test_kinds_are_equally_likely_among_children() -> None:
    kinds = Counter(
        mutate(TRANSFORMER, random.Random(n), parent_fingerprint=FINGERPRINT).edit.kind
        for n in range(600)
    )
    assert set(kinds) == set(MUTATIONS)
    assert min(kinds.values()) > 60  # 100 expected; 60 is more than 4 standard deviations below


def test_a_child_means_something_new() -> None:
    known = {FINGERPRINT}
    for number in range(50):
        child = mutate(TRANSFORMER, random.Random(number), known=known.__contains__)
        assert child.graph.fingerprint not in known
        known.add(child.graph.fingerprint)


def test_the_same_generator_gives_the_same_child() -> None:
    one, other = (mutate(TRANSFORMER, random.Random("7/3")) for _ in range(2))
    assert (one.program, one.edit) == (other.program, other.edit)


def test_weights_choose_the_mutations() -> None:
    for number in range(20):
        child = mutate(TRANSFORMER, random.Random(number), weights={"bank": 1.0})
        assert child.edit.kind == "bank"


def test_a_space_without_children_is_reported() -> None:
    def refuse(graph: object) -> None:
        raise Rejection("never")

    with pytest.raises(ExhaustedError, match="No new child"):
        mutate(TRANSFORMER, random.Random(0), weights={"bank": 1.0}, viable=refuse)


def test_deletion_hands_on_what_was_read() -> None:
    """A line that read the deleted state reads an input of the deleted line instead."""
    wanted = with_lines(
        "  f = C_MUL c const1\n  g = T_MAT_MUL f d\n  h = S4 g g\n  i = MAT_MUL h e\n",
        "  f = T_MAT_MUL c d\n  g = S4 f f\n  h = MAT_MUL g e\n",
    )
    found = (
        MUTATIONS["delete"](TRANSFORMER, Choices(random.Random(seed))) for seed in range(500)
    )
    assert any(
        mutated is not None and _fingerprint(mutated.program) == wanted for mutated in found
    )


def test_swapping_exchanges_places_in_the_graph() -> None:
    """S2 and S5 change places in MAIN, as they did in Primer (paper, section 3)."""
    wanted = with_lines("  g = S5 f f\n  h = S2 g g\n", "  g = S2 f f\n  h = S5 g g\n")
    found = (
        MUTATIONS["swap"](TRANSFORMER, Choices(random.Random(seed))) for seed in range(2000)
    )
    assert any(
        mutated is not None and _fingerprint(mutated.program) == wanted for mutated in found
    )


def _fingerprint(program: Program) -> str | None:
    try:
        return build_graph(program).fingerprint
    except Rejection:
        return None
