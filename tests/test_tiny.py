"""A tour of primeval in under a second, without TensorFlow: run this one first."""

from __future__ import annotations

import random

import pytest
from helpers.toys import outcome

from primeval.dna.check import ProgramError
from primeval.dna.cost import Scale, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.mutate import mutate
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.dna.writing.diff import diff
from primeval.evaluators.toy import toy_loss
from primeval.search.algorithm.evolution import Search
from primeval.search.config.settings import SearchSettings

TRANSFORMER = load_seed("transformer")
SQUARED_RELU = format_program(TRANSFORMER).replace(
    "  c = MAX a const0\n", "  c = MAX a const0\n  d = SQUARE c\n"
)


def test_a_program_is_text_and_the_text_is_the_program() -> None:
    assert parse(format_program(TRANSFORMER)) == TRANSFORMER


def test_a_program_that_breaks_a_rule_is_refused_with_its_line() -> None:
    with pytest.raises(ProgramError, match="line 4"):
        parse("width 4\n\nS0 main(a, b):\n  c = ADD a z\n")


def test_the_papers_main_finding_is_one_line() -> None:
    lines = diff(TRANSFORMER, parse(SQUARED_RELU))
    assert [line.text.strip() for line in lines if line.sign == "+"] == ["d = SQUARE c"]


def test_programs_that_mean_the_same_have_one_fingerprint() -> None:
    swapped = format_program(TRANSFORMER).replace("c = ADD a b", "c = ADD b a")
    assert parse(swapped) != TRANSFORMER
    assert build_graph(parse(swapped)).fingerprint == build_graph(TRANSFORMER).fingerprint


def test_the_papers_window_gives_the_papers_transformer() -> None:
    window = (32_000_000, 38_000_000)
    cost = measure(build_graph(TRANSFORMER), Scale(6, 32_768, 64, window))
    assert (cost.unit, cost.width) == (128, 512)


def test_a_mutation_gives_another_program() -> None:
    child = mutate(TRANSFORMER, random.Random(0))
    assert child.graph.fingerprint != build_graph(TRANSFORMER).fingerprint


def test_a_search_asks_and_is_told() -> None:
    search = Search(SearchSettings(population_size=6, tournament_size=3), [TRANSFORMER])
    for _ in range(12):
        individual = search.ask()
        search.tell(individual.id, outcome(toy_loss(individual.text)))
    assert search.best is not None
    assert search.best[0] >= -toy_loss(format_program(TRANSFORMER))
