"""Known programs are not trained again: before training, in flight, and after a resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import (
    PowerCutError,
    Scripted,
    begin,
    by_length,
    dying,
    history,
    outcome,
    toy_script,
)

from primeval.dna.graph import build_graph
from primeval.dna.library import seed_text
from primeval.dna.parsing import parse
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import RunConfig
from primeval.search.drive.in_flight import InFlight
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay, verify
from primeval.search.run.folder import Run, open_run, reopen_run
from primeval.search.run.kept_weights import KeptWeights
from primeval.search.views.ranking import ranking
from primeval.search.views.savings import savings

Make = Callable[..., RunConfig]


def trained(evaluator: Scripted) -> list[int]:
    return [candidate.id for candidate in evaluator.submitted if not candidate.probe]


def driven(
    config: RunConfig, capacity: int = 1, seed: int = 0, digests: Any = by_length
) -> tuple[Run, Scripted]:
    run, search = begin(config)
    evaluator = Scripted(toy_script(config), capacity, seed, digests)
    drive(run, search, evaluator)
    return run, evaluator


@pytest.mark.parametrize("capacity", [1, 8])
def test_no_two_of_one_digest_are_trained(toy_config: Make, capacity: int) -> None:
    run, evaluator = driven(toy_config(), capacity)
    digests = [by_length(one) for one in evaluator.submitted if not one.probe]
    assert len(digests) == len(set(digests))
    outcomes = dict(run.store.outcomes())
    known = {at: one for at, one in outcomes.items() if one.status is Status.KNOWN}
    assert known
    assert sorted([*trained(evaluator), *known]) == list(range(30))
    for one in known.values():
        assert one.same_as is not None
        assert outcomes[one.same_as].digest == one.digest
        assert outcomes[one.same_as].status is not Status.KNOWN


def test_every_candidate_is_probed_before_it_is_trained(toy_config: Make) -> None:
    _, evaluator = driven(toy_config(), capacity=3)
    probed: set[int] = set()
    for candidate in evaluator.submitted:
        assert candidate.probe or candidate.id in probed
        probed.add(candidate.id)
    assert probed == set(range(30))


def test_a_candidate_in_flight_counts_as_known(toy_config: Make) -> None:
    """There are four workers, and all candidates are probed before the first outcome."""
    config = toy_config("budget.max_candidates=4")
    run, search = begin(config)

    class Late(Scripted):
        def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
            self._flying.sort(key=lambda candidate: not candidate.probe)
            candidate = self._flying.pop(0)
            if candidate.probe:
                return [(candidate.id, Outcome(Status.PROBED, digest="ab" * 16))]
            return [(candidate.id, outcome(2.0))]

    evaluator = Late(lambda candidate: outcome(2.0), 4, digests=by_length)
    drive(run, search, evaluator)
    assert trained(evaluator) == [0]
    assert [one.same_as for _, one in run.store.outcomes()] == [0, 0, 0, None]


def test_seeds_are_trained_whatever_they_compute(toy_config: Make) -> None:
    _, evaluator = driven(toy_config(), capacity=4, digests=lambda candidate: "cd" * 16)
    assert trained(evaluator) == [0]


def test_without_a_digest_every_candidate_is_trained(toy_config: Make) -> None:
    run, evaluator = driven(toy_config(), digests=lambda candidate: None)
    assert len(trained(evaluator)) == 30
    assert "known" not in run.store.statuses()


def test_what_a_run_knew_it_knows_after_a_resume(toy_config: Make) -> None:
    config = toy_config()
    run, search = begin(config)
    first = dying(config, after=8, capacity=3)
    first._digests, first.probes = by_length, True
    with pytest.raises(PowerCutError):
        drive(run, search, first)
    run.close()
    run = reopen_run(config.run_dir)
    told = {number for number, _ in run.store.outcomes()}
    second = Scripted(toy_script(config), 3, digests=by_length)
    drive(run, replay(run), second)
    before = {by_length(one) for one in first.submitted if not one.probe and one.id in told}
    after = [by_length(one) for one in second.submitted if not one.probe]
    assert before.isdisjoint(after)
    assert len(after) == len(set(after))
    assert verify(run) == 30


@pytest.mark.parametrize("seed", range(3))
def test_workers_in_random_order_replay_exactly(toy_config: Make, seed: int) -> None:
    run, _ = driven(toy_config("search.reevaluations=1"), capacity=8, seed=seed)
    assert run.store.statuses()["known"] > 0
    assert verify(run) == 30


def test_one_worker_gives_the_same_run_twice(toy_config: Make) -> None:
    runs = [driven(toy_config(run_dir=folder))[0] for folder in ("one", "two")]
    assert history(runs[0]) == history(runs[1])


def test_the_known_have_no_fitness_no_children_no_rank_and_are_no_failures(
    toy_config: Make,
) -> None:
    run, _ = driven(toy_config("failure.max_consecutive=1"))
    known = {at for at, one in run.store.outcomes() if one.status is Status.KNOWN}
    individuals = list(run.store.individuals())
    assert len(individuals) == 30
    assert known.isdisjoint(one.parent for one in individuals)
    assert known.isdisjoint(one.id for one in ranking(run).rows)
    assert len(ranking(run).rows) == 30 - len(known)
    assert known.isdisjoint(one.individual.id for one in replay(run).population)


def test_a_program_whose_worker_was_lost_is_not_known(toy_config: Make) -> None:
    config = toy_config("failure.max_consecutive=100")
    script = toy_script(config)

    def unlucky(candidate: Candidate) -> Outcome:
        return Outcome(Status.LOST) if 0 < candidate.id < 12 else script(candidate)

    run, search = begin(config)
    evaluator = Scripted(unlucky, digests=by_length)
    drive(run, search, evaluator)
    lost = {one.same_as for _, one in run.store.outcomes()} & set(range(1, 12))
    assert lost == set()
    assert verify(run) == 30


@pytest.mark.parametrize("injected", [False, True])
def test_a_known_child_is_trained_if_its_program_was_injected_meanwhile(
    toy_config: Make, injected: bool
) -> None:
    run, search = begin(toy_config())
    digest = "ab" * 16
    search.tell(search.ask().id, replace(outcome(2.0), digest=digest))
    child = search.ask()
    evaluator = Scripted(lambda _: outcome(3.0), 2, digests=by_length)
    weights = KeptWeights(run.folder, 0, run.store)
    in_flight = InFlight(search, evaluator, weights, lambda: True)
    in_flight.submit(child)
    if injected:
        search.inject(child.program())
    known = in_flight.decide(child.id, Outcome(Status.PROBED, digest=digest))
    assert (known is None) == injected
    assert [one.purpose for one in evaluator.submitted] == ["probe", *["train"] * injected]


def test_what_was_saved_is_what_the_originals_took(toy_config: Make) -> None:
    config = toy_config()
    run, search = begin(config)
    script = toy_script(config)

    def timed(candidate: Candidate) -> Outcome:
        result = script(candidate)
        result.seconds.update(train=10.0 + candidate.id, compile=1.0)
        return result

    def slow(candidate: Candidate) -> str:
        return by_length(candidate)

    drive(run, search, Scripted(timed, digests=slow))
    saved = savings(run)
    outcomes = dict(run.store.outcomes())
    originals = [one.same_as for one in outcomes.values() if one.status is Status.KNOWN]
    assert saved.probe.evaluations == len(originals)
    assert saved.probe.seconds == sum(11.0 + (at or 0) for at in originals)
    drawn = sum(one.attempts.get("known", 0) for one in run.store.individuals())
    paid = [one for one in outcomes.values() if one.status is not Status.KNOWN]
    mean = sum(sum(one.seconds.values()) for one in paid) / len(paid)
    assert saved.graph.evaluations == drawn
    assert saved.graph.seconds == pytest.approx(drawn * mean)


@pytest.mark.tf
def test_a_real_worker_does_not_train_what_is_written_differently(tmp_path: Path) -> None:
    from helpers.training import task

    from primeval.evaluators.workers.local import LocalEvaluator
    from primeval.search.config.config import parse_config

    config = parse_config(
        "{search: {population_size: 4, tournament_size: 2}, budget: {max_candidates: 3},"
        " candidate: {budget: {steps: 4}, replicates: 1},"
        " model: {layers: 1, length: 16, width: 16}, workers: {evaluator: local}}",
        [f"run_dir={tmp_path / 'run'}"],
    )
    run, search = begin(config)
    relu = "  c = MAX a const0\n"
    texts = [seed_text("transformer").replace(relu, f"{relu}  d = {line}\n") for line in LINES]
    seed = search.ask()
    run.store.append_individual(seed, 0.0)
    for number, text in enumerate(texts, start=1):
        child = written(number, text)
        search.restore(child)
        run.store.append_individual(child, 0.0)
    drive(run, search, LocalEvaluator(task("steps", 4)))
    outcomes = dict(run.store.outcomes())
    assert [outcomes[at].status.value for at in range(3)] == ["completed", "completed", "known"]
    assert outcomes[2].same_as == 1
    assert outcomes[1].seconds["probe"] > 0.0
    assert open_run(run.folder).store.ranked() in ([0, 1], [1, 0])


LINES = ("SQUARE c", "MULTIPLY c c")


def written(number: int, text: str) -> Individual:
    """An individual with the fields that a mutation would give it."""
    program = parse(text)
    fingerprint = build_graph(program).fingerprint
    return Individual.made_of(
        program, id=number, parent=0, edit=None, fingerprint=fingerprint, seed=number
    )
