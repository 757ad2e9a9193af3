"""Re-evaluations: a known program that is proposed again is trained again and averaged."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Iterator

import psutil
import pytest
from helpers.toys import Scripted, begin, by_length, outcome, toy_script

from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.known import Known
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import parse_config
from primeval.search.config.settings import RunConfig, SearchSettings
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay, verify
from primeval.search.errors import ConfigError
from primeval.search.run.folder import Run, reopen_run
from primeval.search.views.ledger import ledger
from primeval.search.views.ranking import ranking

Make = Callable[..., RunConfig]
TRANSFORMER = load_seed("transformer")


def noisy(config: RunConfig) -> Callable[[Candidate], Outcome]:
    """The toy evaluator, with a loss that also depends on the seed of the weights."""
    script = toy_script(config)

    def evaluate(candidate: Candidate) -> Outcome:
        result = script(candidate)
        noise = candidate.seed % 1000 / 10_000
        return outcome((result.loss or 0.0) + noise, len(result.curve), result.status)

    return evaluate


@pytest.fixture(params=[1, 3])
def run(request: pytest.FixtureRequest, toy_config: Make) -> Iterator[Run]:
    """Sixty individuals of a search that soon meets known digests, with one worker or three."""
    config = toy_config("search.reevaluations=2", "budget.max_candidates=60")
    made, search = begin(config)
    drive(made, search, Scripted(noisy(config), request.param, digests=by_length))
    yield made
    made.close()


def families(run: Run) -> dict[int, list[int]]:
    """The evaluations of each program that was evaluated more than once."""
    found: dict[int, list[int]] = {}
    for number, one in run.store.outcomes():
        if one.same_as is not None and one.status is not Status.KNOWN:
            found.setdefault(one.same_as, [one.same_as]).append(number)
    return found


def test_a_known_program_is_evaluated_again_up_to_the_limit(run: Run) -> None:
    assert families(run)
    assert all(2 <= len(family) <= 3 for family in families(run).values())
    assert max(len(family) for family in families(run).values()) == 3


def test_each_time_with_other_weights_and_as_far_as_the_first_time(run: Run) -> None:
    outcomes = dict(run.store.outcomes())
    individuals = {one.id: one for one in run.store.individuals()}
    for original, *repeats in families(run).values():
        assert len({individuals[at].seed for at in (original, *repeats)}) == 1 + len(repeats)
        assert {len(outcomes[at].curve) for at in repeats} <= {len(outcomes[original].curve)}
        for at in repeats:
            given = individuals[at].thresholds
            assert set(given) <= {None, 0.0}
            hurdle = outcomes[original].hurdle
            assert (given.index(0.0) if given else None) == hurdle


def test_fitness_is_the_mean_in_the_population_and_in_the_ranking(run: Run) -> None:
    outcomes = dict(run.store.outcomes())
    rows = {row.id: row for row in ranking(run).rows}
    search = replay(run)
    members = {one.individual.id: one.fitness for one in search.population}
    seen = 0
    for original, family in families(run).items():
        mean = statistics.fmean(outcomes[at].fitness for at in family)
        assert rows[original].fitness == pytest.approx(mean)
        assert rows[original].evaluations == len(family)
        for at in family:
            if at in members:
                assert members[at] == pytest.approx(mean)
                seen += 1
        assert set(family[1:]).isdisjoint(rows)
    assert seen
    losses = [row.loss for row in rows.values() if row.loss is not None]
    assert losses == sorted(losses)


def test_the_run_replays_and_resumes(run: Run) -> None:
    assert verify(run) == 60
    run.close()
    again = reopen_run(run.folder, ["budget.max_candidates=80", "search.reevaluations=5"])
    drive(again, replay(again), Scripted(noisy(again.config), 3, digests=by_length))
    assert verify(again) == 80
    assert max(len(family) for family in families(again).values()) > 3
    again.close()


def test_re_evaluations_are_accounted_for(run: Run) -> None:
    rows = ledger(run).mutations
    repeats = sum(len(family) - 1 for family in families(run).values())
    known = run.store.statuses()["known"]
    assert sum(row.repeats for row in rows) == repeats
    assert sum(row.duplicates for row in rows) == known
    assert sum(row.new for row in rows) == 60 - repeats - known


def test_a_best_that_was_lucky_is_the_best_no_longer() -> None:
    search = Search(SearchSettings(population_size=6, tournament_size=3), [TRANSFORMER])
    seed, lucky, steady = (search.ask() for _ in range(3))
    for one, loss in ((seed, 2.5), (lucky, 1.0), (steady, 1.5)):
        search.tell(one.id, outcome(loss))
    again = search.inject(lucky.program())
    search.tell(again.id, outcome(4.0))
    assert search.best is not None
    assert (search.best[1].id, search.best[0]) == (steady.id, -1.5)
    fitness = {one.individual.id: one.fitness for one in search.population}
    assert (fitness[lucky.id], fitness[again.id]) == (-2.5, -2.5)


def test_an_original_told_after_its_repeat_changes_the_fitness_of_both() -> None:
    search = Search(SearchSettings(population_size=6, tournament_size=3), [TRANSFORMER])
    seed, again = search.ask(), search.inject(TRANSFORMER)
    search.tell(again.id, outcome(4.0))
    search.tell(seed.id, outcome(2.0))
    assert {one.fitness for one in search.population} == {-3.0}
    assert search.best is not None
    assert search.best[0] == -3.0


def test_a_repeat_told_before_the_seed_gives_the_copies_its_fitness() -> None:
    search = Search(SearchSettings(population_size=3, tournament_size=3), [TRANSFORMER])
    _, again = search.ask(), search.inject(TRANSFORMER)
    search.tell(again.id, outcome(4.0))
    assert {one.fitness for one in search.population} == {-4.0}


def test_a_program_whose_first_evaluation_failed_is_ranked_by_the_others(
    toy_config: Make,
) -> None:
    run, search = begin(toy_config("budget.max_candidates=3"))
    first = search.ask()
    again = [search.inject(first.program()) for _ in range(2)]
    losses = (None, 3.0, 2.0)
    for one in (first, *again):
        run.store.append_individual(one, 0.0)
    for count, (one, loss) in enumerate(zip((first, *again), losses, strict=True)):
        told = dataclasses.replace(outcome(loss), same_as=None if one is first else first.id)
        run.store.append_outcome(one.id, told, 0.0)
        (row,) = ranking(run).rows
        assert row.loss == (None, 3.0, 2.5)[count]


def test_a_failure_does_not_count_in_the_mean() -> None:
    known, individuals = Known(), [one_graph(number) for number in range(3)]
    for one in individuals:
        known.enter(one)
    first, second, third = individuals
    assert known.tell(first, outcome(2.0)) == -2.0
    assert known.tell(second, outcome(None)) is None
    assert known.tell(third, outcome(4.0)) == -3.0


def test_what_never_had_a_fitness_is_not_evaluated_again() -> None:
    known = Known(limit=9)
    known.enter(one_graph(0))
    assert not known.may_repeat(0)
    known.tell(one_graph(0), outcome(math.nan))
    assert not known.may_repeat(0)


def test_a_graph_whose_worker_was_lost_is_new_again() -> None:
    known, (first, second) = Known(), map(one_graph, range(2))
    known.enter(first)
    known.enter(second)
    known.tell(second, Outcome(Status.LOST))  # it was not the first with this graph
    assert known.first(first.fingerprint) == 0
    known.tell(first, Outcome(Status.LOST))
    assert known.first(first.fingerprint) is None


def test_what_computes_the_same_is_found_by_its_digest() -> None:
    known, digests = Known(), ["ab" * 16, "cd" * 16, "ab" * 16, "ef" * 16]
    for number, digest in enumerate(digests[:3]):
        one = dataclasses.replace(one_graph(number), fingerprint=f"{number:064x}")
        known.enter(one)
        known.tell(one, dataclasses.replace(outcome(2.0), digest=digest))
    assert [known.same_digest(one) for one in digests] == [0, 1, 0, None]
    known.launch(7, digests[3])
    assert known.same_digest(digests[3]) == 7


def test_memory_does_not_grow_with_the_individuals() -> None:
    known = Known()
    for number in range(200_000):
        known.remember(f"{number:032x}", number)
        if number == 50_000:
            before = psutil.Process().memory_info().rss
    assert known.first(f"{7:032x}") == 7
    assert psutil.Process().memory_info().rss - before < 4_000_000  # a dict would need 35 MB


def test_without_the_setting_nothing_is_evaluated_again(toy_config: Make) -> None:
    config = toy_config("budget.max_candidates=60")
    made, search = begin(config)
    drive(made, search, Scripted(noisy(config), digests=by_length))
    assert families(made) == {}
    individuals: list[Individual] = list(made.store.individuals())
    assert len({one.fingerprint for one in individuals}) == 60


def one_graph(number: int) -> Individual:
    return Individual(number, parent=None, edit=None, text="", fingerprint="ab" * 32, seed=0)


@pytest.mark.parametrize("number", ["-1", "two", "1.5"])
def test_the_setting_is_a_whole_number(number: str) -> None:
    with pytest.raises(ConfigError, match=r"search\.reevaluations"):
        parse_config(f"search: {{reevaluations: {number}}}")
