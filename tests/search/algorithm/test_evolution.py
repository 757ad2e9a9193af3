"""The algorithm keeps its promises in any order of asks and tells."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys

import pytest
from helpers.toys import outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from primeval.dna.cost import Cost, Scale, measure
from primeval.dna.graph import Graph, build_graph
from primeval.dna.library import load_seed
from primeval.dna.mutate import MAX_ATTEMPTS
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.toy import toy_loss
from primeval.primitives.widths import Rejection
from primeval.search.algorithm.evolution import Search, StuckError
from primeval.search.algorithm.randomness import random_seed
from primeval.search.algorithm.rung import Rung
from primeval.search.config.settings import SearchSettings

TRANSFORMER = load_seed("transformer")
SQUARED = parse(
    format_program(TRANSFORMER).replace(
        "  c = MAX a const0\n", "  c = MAX a const0\n  d = SQUARE c\n"
    )
)
SMALL = SearchSettings(population_size=6, tournament_size=3)


def run_alone(search: Search, count: int) -> list[str]:
    """The programs of a search that asks and tells in turns, in order."""
    texts = []
    for _ in range(count):
        individual = search.ask()
        texts.append(individual.text)
        search.tell(individual.id, outcome(toy_loss(individual.text)))
    return texts


def test_each_seed_is_evaluated_once_and_fills_its_share_of_the_population() -> None:
    search = Search(SMALL, [TRANSFORMER, SQUARED])
    first, second, third = search.ask(), search.ask(), search.ask()
    assert [first.parent, second.parent] == [None, None]
    assert third.parent in (0, 1)
    assert len(search.population) == 6
    search.tell(first.id, outcome(2.0))
    assert sum(member.fitness == -2.0 for member in search.population) == 3


def test_workers_need_not_wait_for_the_seed() -> None:
    search = Search(SMALL, [TRANSFORMER])
    asked = [search.ask() for _ in range(5)]
    assert [individual.parent for individual in asked] == [None, 0, 0, 0, 0]
    assert len({individual.fingerprint for individual in asked}) == 5


def test_a_failed_seed_is_never_a_parent() -> None:
    search = Search(SMALL, [TRANSFORMER, SQUARED])
    for individual in (search.ask(), search.ask()):
        search.tell(individual.id, outcome(None if individual.id == 0 else 2.0))
    assert {search.ask().parent for _ in range(10)} == {1}


def test_a_search_whose_seeds_fail_says_so() -> None:
    search = Search(SMALL, [TRANSFORMER])
    search.tell(search.ask().id, outcome(None))
    with pytest.raises(StuckError, match="No seed could be evaluated"):
        search.ask()


@pytest.mark.parametrize("loss", [math.nan, math.inf, None])
def test_what_has_no_fitness_is_never_best_and_never_a_member(loss: float | None) -> None:
    search = Search(SMALL, [TRANSFORMER])
    search.tell(search.ask().id, outcome(3.0))
    child = search.ask()
    search.tell(child.id, outcome(loss))
    assert search.best is not None
    assert search.best[1].id == 0
    assert child.id not in {member.individual.id for member in search.population}


def test_a_first_failure_does_not_freeze_the_best() -> None:
    search = Search(SMALL, [TRANSFORMER])
    seed, child = search.ask(), search.ask()
    search.tell(child.id, outcome(math.nan))
    search.tell(seed.id, outcome(5.0))
    assert search.best is not None
    assert search.best[0] == -5.0


def test_programs_that_do_not_fit_are_not_asked_for() -> None:
    seen = []

    def cost(graph: Graph) -> Cost:
        seen.append(graph)
        if len(seen) % 2 == 0:
            raise Rejection("too wide")
        return Cost(graph, 1, 4, 1000 + len(seen), 1)  # type: ignore[arg-type]

    search = Search(SMALL, [TRANSFORMER], rungs=[Rung(cost=cost)])
    asked = [search.ask() for _ in range(6)]
    assert [one.parameters for one in asked] == [1001, 1003, 1005, 1007, 1009, 1011]
    assert all(one.attempts["rejected"] >= 1 for one in asked[2:])


def test_where_a_parent_has_no_new_children_another_one_is_drawn() -> None:
    seed = build_graph(TRANSFORMER).fingerprint

    def cost(graph: Graph) -> Cost:
        ops = {node.op for node in graph.nodes}
        if not {"DCONV_3X1", "SQUARE"} <= ops and graph.fingerprint != seed:
            raise Rejection("less than two mutations from the Transformer")
        return measure(graph, Scale(1, 256, 64, width=64))

    settings = SearchSettings(population_size=8, tournament_size=1)
    search = Search(settings, [TRANSFORMER, load_seed("primer_ez")], rungs=[Rung(cost=cost)])
    for _ in range(2):
        search.tell(search.ask().id, outcome(2.0))
    children = [search.ask() for _ in range(6)]
    assert {child.parent for child in children} == {1}
    thrown_away = [sum(child.attempts.values()) for child in children]
    assert max(thrown_away) >= MAX_ATTEMPTS, "the Transformer was drawn as well"


@pytest.mark.parametrize("algorithm", ["evolution", "random", "hill_climbing"])
def test_the_same_seed_gives_the_same_search(algorithm: str) -> None:
    settings = SearchSettings(algorithm=algorithm, population_size=6, tournament_size=3)
    first, again, other = (
        run_alone(Search(settings, [TRANSFORMER], seed), 20) for seed in (1, 1, 2)
    )
    assert first == again
    assert first[1:] != other[1:]


def test_hill_climbing_always_takes_the_best() -> None:
    settings = SearchSettings(algorithm="hill_climbing", population_size=6, tournament_size=3)
    search = Search(settings, [TRANSFORMER])
    for _ in range(15):
        best = search.best
        individual = search.ask()
        assert individual.parent == (best[1].id if best else individual.parent)
        search.tell(individual.id, outcome(toy_loss(individual.text)))


def test_only_the_listed_mutations_are_drawn() -> None:
    arm = SearchSettings(population_size=6, tournament_size=3, mutations={"insert": 1.0})
    search = Search(arm, [TRANSFORMER])
    kinds = {one.edit.kind for one in (search.ask() for _ in range(12)) if one.edit}
    assert kinds == {"insert"}


def test_weights_of_every_individual_have_their_own_seed() -> None:
    seeds = [random_seed("weights", run, number) for run in range(3) for number in range(500)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)


SCRIPT = """
import json, sys
from primeval.dna.library import load_seed
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.rung import Rung
from primeval.search.config.settings import SearchSettings
search = Search(SearchSettings(), [load_seed("transformer")], seed=5)
asked = [search.ask() for _ in range(12)]
print(json.dumps([hash("a"), [(one.text, one.fingerprint, one.seed) for one in asked]]))
"""


def test_another_process_with_other_string_hashes_asks_for_the_same() -> None:
    def ask(hash_seed: str) -> tuple[int, str]:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", SCRIPT]
        output = subprocess.check_output(command, env=environment, text=True)
        hashed, asked = json.loads(output)
        return hashed, hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    (hash_one, one), (hash_other, other) = ask("1"), ask("2")
    assert hash_one != hash_other
    assert one == other


# Possible events: ask, tell a loss to the i-th in flight, or die and be replayed.
STEPS = st.lists(
    st.one_of(
        st.just("ask"),
        st.tuples(st.integers(0, 9), st.one_of(st.none(), st.floats(1, 9), st.just(math.nan))),
        st.just("resume"),
    ),
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, seeds=st.sampled_from([[TRANSFORMER], [TRANSFORMER, SQUARED]]))
def test_in_any_order_of_asks_tells_and_resumes_the_promises_hold(
    steps: list[object], seeds: list[object]
) -> None:
    search = Search(SMALL, seeds, rungs=[Rung(hurdles=4)])  # type: ignore[arg-type]
    journal: list[tuple[str, object]] = []
    told: dict[int, Outcome] = {}
    for step in steps:
        if step == "ask":
            try:
                journal.append(("asked", search.ask()))
            except StuckError:
                assert not len(search.population)
        elif step == "resume":
            search = replayed(journal, seeds)
        elif search.in_flight:
            at, loss = step  # type: ignore[misc]
            number = list(search.in_flight)[at % len(search.in_flight)]
            told[number] = outcome(loss)
            search.tell(number, told[number])
            journal.append(("told", (number, told[number])))
        check_promises(search, journal, told)


def replayed(journal: list[tuple[str, object]], seeds: list[object]) -> Search:
    """A search replayed to the end of the journal; half of the asks are derived."""
    search = Search(SMALL, seeds, rungs=[Rung(hurdles=4)])  # type: ignore[arg-type]
    for at, (what, value) in enumerate(journal):
        if what == "told":
            search.tell(*value)  # type: ignore[misc]
        elif at % 2:
            search.restore(value)  # type: ignore[arg-type]
        else:
            assert search.ask() == value
    return search


def check_promises(
    search: Search, journal: list[tuple[str, object]], told: dict[int, Outcome]
) -> None:
    asked = [value for what, value in journal if what == "asked"]
    assert [one.id for one in asked] == list(range(search.asked))  # type: ignore[attr-defined]
    for one in asked:
        parent = one.parent  # type: ignore[attr-defined]
        assert parent is None or 0 <= parent < one.id  # type: ignore[attr-defined]
        assert parent not in told or math.isfinite(told[parent].fitness) or not_known(one, told)
    prints = [one.fingerprint for one in asked]  # type: ignore[attr-defined]
    assert len(set(prints)) == len(prints), "nothing known is asked for again"
    assert len(search.population) <= SMALL.population_size
    members = [member.individual.id for member in search.population]
    good = [number for number, result in told.items() if math.isfinite(result.fitness)]
    assert all(number in good for number in members if number not in search.in_flight)
    finished = [-told[number].fitness for number in good]
    assert (search.best is None) == (not finished)
    if search.best is not None:
        assert search.best[0] == -min(finished)


def not_known(one: object, told: dict[int, Outcome]) -> bool:
    """Whether the parent failed only after the child had been asked for."""
    parent = one.parent  # type: ignore[attr-defined]
    return list(told).index(parent) >= one.told  # type: ignore[attr-defined]
