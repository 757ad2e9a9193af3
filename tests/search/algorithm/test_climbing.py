"""Searches on a ladder keep their promises in any order of outcomes, also after a restart."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from helpers.toys import outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import SMALL

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph, build_graph
from primeval.dna.parsing import parse
from primeval.evaluators.outcome import Outcome, Status
from primeval.primitives.widths import Rejection
from primeval.search.algorithm.evolution import Search, StuckError
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.rung import Rung
from primeval.search.config.settings import SearchSettings

SEEDS = [parse(SMALL), parse(SMALL.replace("d = MAX c const0", "d = TANH c"))]
SETTINGS = SearchSettings(population_size=6, tournament_size=3)
ONE = (Rung(),)
TWO = (Rung(), Rung(promote=0.3, replicates=2))
THREE = (*TWO, Rung(promote=0.5))
LOST = Outcome(Status.LOST, message="the worker ended")
Script = Callable[[Individual], Outcome]


def climb(search: Search, count: int, script: Script) -> list[Individual]:
    """Ask and tell in turns; returns what was asked for."""
    asked = []
    for _ in range(count):
        asked.append(search.ask())
        search.tell(asked[-1].id, script(asked[-1]))
    return asked


def noisy(seed: int = 0, failing: float = 0.0) -> Script:
    rng = random.Random(seed)

    def script(individual: Individual) -> Outcome:
        return outcome(None if rng.random() < failing else rng.gauss(3 - individual.rung, 0.1))

    return script


def test_promotions_are_programs_of_the_search_and_no_members_of_its_own() -> None:
    search = Search(SETTINGS, SEEDS[:1], rungs=THREE)
    asked = climb(search, 80, noisy())
    trials = [one for one in asked if one.of is not None]
    assert {one.rung for one in trials} == {2, 3}
    for one in trials:
        assert one.fingerprint == asked[one.of or 0].fingerprint
        assert one.seed not in {other.seed for other in asked if other is not one}
    assert not {member.individual.id for member in search.population} & {t.id for t in trials}


def test_a_program_that_fails_higher_up_is_never_a_parent_again() -> None:
    search = Search(SETTINGS, SEEDS[:1], rungs=TWO)
    failed: set[int] = set()

    def script(individual: Individual) -> Outcome:
        if individual.rung == 2 and individual.of:
            failed.add(individual.of)
            return outcome(None)
        assert individual.parent not in failed
        return outcome(2.0 - individual.id / 1000)

    climb(search, 60, script)
    assert len(failed) > 5
    assert search.best is not None
    assert search.best[1].id not in failed


def test_the_best_is_the_one_that_proved_most_with_its_loss_there() -> None:
    search = Search(SETTINGS, SEEDS[:1], rungs=TWO)
    tried: dict[int, float] = {}

    def script(individual: Individual) -> Outcome:
        if individual.of:  # the better below, the worse above; but better than the seed
            loss = tried[individual.of] = 1.5 + individual.of / 10_000
            return outcome(loss)
        return outcome(2.0 if individual.rung == 2 else 3.0 - individual.id / 1000)

    climb(search, 60, script)
    assert search.best is not None
    assert search.best[1].id == min(tried, key=lambda one: tried[one])
    assert search.best[0] == -min(tried.values())


def test_what_was_promoted_may_climb_on_after_it_left_the_population() -> None:
    search = Search(SETTINGS, SEEDS[:1], rungs=(Rung(), Rung(promote=0.2), Rung(promote=0.1)))
    living: dict[int, set[int]] = {}

    def script(individual: Individual) -> Outcome:
        living[individual.id] = {member.individual.id for member in search.population}
        return outcome(1.0 if individual.rung == 2 and individual.of == 5 else 2.0)

    asked = climb(search, 120, script)
    (first, *_) = (one for one in asked if one.rung == 3 and one.of)
    assert first.of is not None
    assert first.of not in living[first.id]


def test_a_program_that_does_not_fit_higher_up_is_left_below() -> None:
    def cost(graph: Graph) -> Cost:
        if len(graph.nodes) > 6:
            raise Rejection("too large")
        return Cost(graph, 1, 4, 100, 1)  # type: ignore[arg-type]

    search = Search(SETTINGS, SEEDS[:1], rungs=(Rung(), Rung(promote=0.5, cost=cost)))
    asked = climb(search, 60, noisy())
    nodes = [(one.rung, len(build_graph(one.program()).nodes)) for one in asked]
    assert max(count for rung, count in nodes if rung == 1) > 6
    assert max(count for rung, count in nodes if rung == 2) <= 6
    assert sum(rung == 2 for rung, _ in nodes) > 5
    again = Search(SETTINGS, SEEDS[:1], rungs=(Rung(), Rung(promote=0.5, cost=cost)))
    script = noisy()
    for one in asked:
        again.restore(one)
        again.tell(one.id, script(one))
    assert again.digest == search.digest
    assert again.ask() == search.ask()


def test_a_rung_that_is_added_starts_with_the_seed_and_the_living() -> None:
    search = Search(SETTINGS, SEEDS[:1], rungs=ONE)
    before = climb(search, 20, noisy())
    best = search.best
    search.change(SETTINGS, TWO)
    assert search.best == best, "nothing is known of the new rung yet"
    asked = climb(search, 12, noisy())
    trials = [(one.of, one.rung) for one in asked if one.of is not None]
    assert trials[0] == (0, 2)
    assert any(one for one, _ in trials if one and one < len(before)), "the living climb"


# Possible events: ask, tell a loss to the i-th in flight, lose it, die and be replayed, or be
# given another rung.
LOSSES = st.floats(1, 9)
EVENTS = st.lists(
    st.one_of(
        st.just("ask"),
        st.just("ask"),
        st.tuples(
            st.integers(0, 9),
            st.one_of(LOSSES, LOSSES, st.sampled_from([math.nan, None, "lost"])),
        ),
        st.just("resume"),
        st.just("climb"),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=30, deadline=None)
@given(events=EVENTS, seeds=st.integers(1, 2), rungs=st.sampled_from([ONE, TWO, THREE]))
def test_a_search_that_is_restored_goes_on_as_it_would_have(
    events: list[object], seeds: int, rungs: tuple[Rung, ...]
) -> None:
    search = Search(SETTINGS, SEEDS[:seeds], rungs=rungs)
    journal: list[tuple[str, object]] = []
    for event in events:
        if event == "ask":
            try:
                journal.append(("asked", search.ask()))
            except StuckError:
                assert not len(search.population)
        elif event == "climb":
            search.change(SETTINGS, THREE)
            journal.append(("changed", THREE))
        elif event == "resume":
            derived, restored = (
                replayed(Search(SETTINGS, SEEDS[:seeds], rungs=rungs), journal, derive)
                for derive in (True, False)
            )
            assert derived.digest == restored.digest == search.digest
            assert derived.best == restored.best == search.best
            search = restored
        elif search.in_flight:
            at, loss = event  # type: ignore[misc]
            number = list(search.in_flight)[at % len(search.in_flight)]
            result = LOST if loss == "lost" else outcome(loss)
            search.tell(number, result)
            journal.append(("told", (number, result)))


def replayed(search: Search, journal: Sequence[tuple[str, object]], derive: bool) -> Search:
    """A search to which all of this happened; what it asked for is derived or restored."""
    for what, value in journal:
        if what == "told":
            search.tell(*value)  # type: ignore[misc]
        elif what == "changed":
            search.change(SETTINGS, value)  # type: ignore[arg-type]
        elif derive:
            assert search.ask() == value
        else:
            search.restore(value)  # type: ignore[arg-type]
    return search
