"""A ladder leads a search past an idea that pays off on the first rung only."""

from __future__ import annotations

import pytest
from mirage import (
    FIRST_ONLY,
    LADDER,
    World,
    contest,
    figures,
    has_mirage,
    holds,
    table,
    variants,
)
from planted import SMALL

from primeval.dna.graph import build_graph
from primeval.dna.parsing import parse

SEARCHES = 5
MIRAGE = parse(SMALL.replace("c = CONV_1X1 a", "c = CONV_3X1 a"))
ANSWER = parse(
    SMALL.replace(
        """\
  e = CONV_1X1 d dim0
  f = ADD a e
""",
        """\
  e = SQUARE d
  f = CONV_1X1 e dim0
  g = DCONV_3X1 f
  h = ADD a g
""",
    )
)


def test_a_ladder_ends_at_the_answer_and_the_first_rung_alone_at_the_mirage() -> None:
    """At equal cost; `benchmarks/mirage.py` runs a hundred searches."""
    world = World(budget=1200)
    ended = contest(world, SEARCHES, (LADDER, FIRST_ONLY), first_seed=1000)
    found = figures(ended)
    assert holds(found), found
    assert f"| as it is | {LADDER} | " in "\n".join(table("as it is", found))
    for results in ended.values():
        for one in results:
            costs = (6**at for at in range(len(one.trainings)))
            spent = sum(map(int.__mul__, one.trainings, costs))
            assert world.budget - 6 < spent <= world.budget


@pytest.mark.parametrize("world", variants(World()).values(), ids=variants(World()))
def test_the_mirage_is_best_on_the_first_rung_and_the_answer_on_the_top(world: World) -> None:
    seed, mirage, answer = (build_graph(one) for one in (parse(SMALL), MIRAGE, ANSWER))
    first, top = world.problem(1).loss, world.problem(world.rungs).loss
    assert has_mirage(mirage)
    assert not has_mirage(answer)
    assert first(mirage) < first(answer) < first(seed)
    assert top(answer) < top(seed) < top(mirage)


def test_between_the_first_rung_and_the_top_gains_change_evenly() -> None:
    world = World(rungs=3)
    for program in (MIRAGE, ANSWER):
        first, middle, top = (world.problem(at).loss(build_graph(program)) for at in (1, 2, 3))
        assert middle == pytest.approx((first + top) / 2)
