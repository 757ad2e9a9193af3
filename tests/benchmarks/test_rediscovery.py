"""Evolution finds planted answers, and finds them sooner than search without selection."""

from __future__ import annotations

import itertools
import random

import pytest
from ideas import convolved_projections, ideas_in, squared_rectifiers
from planted import PROBLEMS, small, transformer
from ranks import p_fewer
from rediscovery import contest, figures, table

from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program

SEARCHES = 24


def test_evolution_finds_what_is_planted_and_the_random_arm_mostly_does_not() -> None:
    """At equal budgets, p < 0.01; `benchmarks/rediscovery.py` runs a thousand searches."""
    found = contest("small", SEARCHES, arms=("evolution", "random"), first_seed=1000)
    arms = figures(found, small().candidates)
    assert arms["evolution"]["p_against_random"] < 0.01
    assert arms["evolution"]["solved"] > SEARCHES / 3
    assert "| evolution | " in "\n".join(table(arms, small().candidates))


def test_hill_climbing_is_reported_too() -> None:
    found = contest("small", 4, first_seed=7)
    assert list(found) == ["evolution", "random", "hill_climbing"]
    assert found == contest("small", 4, first_seed=7, processes=2), "also in other processes"


@pytest.mark.parametrize(
    ("seed", "squared", "convolved"),
    [
        ("transformer", 0, 0),
        ("squared_relu", 1, 0),
        ("mdha", 0, 3),
        ("primer_ez", 1, 3),
        ("primer", 1, 2),  # its query is computed from the key
        ("transformer_pp", 0, 0),
    ],
)
def test_the_papers_ideas_are_recognised(seed: str, squared: int, convolved: int) -> None:
    graph = build_graph(load_seed(seed))
    assert squared_rectifiers(graph) == squared
    assert convolved_projections(graph) == convolved
    assert len(ideas_in(graph)) == (squared > 0) + (convolved > 0)


@pytest.mark.parametrize(
    "way", ["SQUARE c", "MULTIPLY c c", "MULTIPLY a c", "MULTIPLY c a"], ids=str
)
def test_a_squared_rectifier_is_one_however_it_is_written(way: str) -> None:
    lines = format_program(load_seed("transformer")).split("\n")
    at = next(n for n, line in enumerate(lines) if line.strip().startswith("c = MAX"))
    text = "\n".join([*lines[: at + 1], f"  d = {way}", *lines[at + 1 :]])
    assert squared_rectifiers(build_graph(parse(text))) == 1
    other = text.replace(f"d = {way}", "d = TANH c")
    assert squared_rectifiers(build_graph(parse(other))) == 0


def test_the_seeds_have_not_solved_what_is_planted_and_the_answers_have() -> None:
    for problem in (make() for make in PROBLEMS.values()):
        graph = build_graph(problem.seed)
        assert not problem.solved(graph)
        assert problem.loss(graph) == pytest.approx(1.0)
    answer, problem = build_graph(load_seed("primer_ez")), transformer()
    assert problem.solved(answer)
    assert problem.loss(answer) < 0.91
    assert not problem.solved(build_graph(load_seed("squared_relu")))


def exact_p(arm: list[float], other: list[float]) -> float:
    """The share of all ways to deal the values to two arms that rank this arm as low."""

    def u(one: list[float], two: list[float]) -> float:
        return sum((a > b) + (a == b) / 2 for a in one for b in two)

    pooled, seen, count = arm + other, u(arm, other), 0
    ways = list(itertools.combinations(range(len(pooled)), len(arm)))
    for chosen in ways:
        rest = [pooled[at] for at in range(len(pooled)) if at not in chosen]
        count += u([pooled[at] for at in chosen], rest) <= seen
    return count / len(ways)


def test_the_rank_test_is_near_the_exact_permutation_test() -> None:
    rng = random.Random(0)
    for _ in range(12):
        arm, other = ([float(rng.choice((1, 2, 3, 4, 9, 9))) for _ in "1234567"] for _ in "12")
        given: list[list[int | None]] = [
            [None if one == 9 else int(one) for one in values] for values in (arm, other)
        ]
        assert p_fewer(*given) == pytest.approx(exact_p(arm, other), abs=0.06)


def test_arms_that_are_alike_or_say_nothing_prove_nothing() -> None:
    assert p_fewer([None] * 50, [None] * 50) == 0.5
    assert p_fewer([3, None] * 50, [3, None] * 50) == pytest.approx(0.5, abs=0.01)
    assert p_fewer([None] * 9, [5] * 9) > 0.999
    assert p_fewer([5] * 9, [None] * 9) < 0.001
