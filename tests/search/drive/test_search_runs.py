"""Whole runs through the loop: their stores keep every promise, and they can be repeated."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter
from pathlib import Path

import pytest
from helpers.plain_model import FAILURES, SIZES, Model
from helpers.toys import TOY, PowerCutError, Scripted, history, primeval, toy_script
from hypothesis import given, settings
from hypothesis import strategies as st

from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.algorithm.evolution import Search
from primeval.search.config.config import parse_config
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay
from primeval.search.drive.starting import make_search
from primeval.search.run.folder import Run, create_run, open_run, reopen_run


def careless(seed: int, deaths: float) -> Scripted:
    """Up to eight workers that finish in any order, with any outcome, and may end the run."""
    rng = random.Random(seed)

    def script(candidate: Candidate) -> Outcome:
        if rng.random() < deaths:
            raise PowerCutError
        marks = rng.randrange(6)
        curve = tuple(Point(n + 1, rng.choice([rng.random(), math.nan])) for n in range(marks))
        if rng.random() < 0.3:
            return Outcome(rng.choice(FAILURES), curve=curve, message="as drawn")
        loss = rng.choice([rng.random(), rng.random(), rng.random(), math.nan])
        return Outcome(Status.COMPLETED, loss=loss, curve=curve)

    return Scripted(script, capacity=rng.randint(1, 8), seed=seed)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.sampled_from(SIZES))
def test_runs_of_careless_workers_that_die_keep_every_promise(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    sets = [f"run_dir={folder}", f"seed={seed}", f"search.population_size={size}"]
    config = parse_config(TOY, [*sets, "failure.max_consecutive=100"])
    run = create_run(config, {"transformer": load_seed("transformer")})
    search, trained = (
        make_search(config, list(run.store.seeds.values()), run.language),
        Counter[int](),
    )
    for session in itertools.count():
        evaluator = careless(seed + session, deaths=0.05 if session < 5 else 0.0)
        known = {number for number, _ in run.store.outcomes()}
        try:
            stop = drive(run, search, evaluator)
        except PowerCutError:
            stop = None
        submitted = [candidate.id for candidate in evaluator.submitted]
        assert len(set(submitted)) == len(submitted), "no candidate is trained twice at once"
        assert known.isdisjoint(submitted), "no candidate is trained whose outcome is known"
        trained.update(submitted)
        run.close()
        if stop is not None:
            break
        run = reopen_run(folder)
        search = replay(run)
    assert stop.reason in ("candidates", "stuck")
    check_journal(open_run(folder))
    again = replay(open_run(folder), derive=search.asked)
    assert again.population.digest == search.population.digest


def check_journal(run: Run) -> None:
    """Read a run's store from the start and check what a search promises."""
    individuals, told = history(run)
    fingerprints = [one.fingerprint for one in individuals]
    assert len(set(fingerprints)) == len(fingerprints), "no program twice"
    model, results = Model(run.config.search.population_size, len(run.store.seeds)), iter(told)
    for number, individual in enumerate(individuals):
        while len(model.told_) < individual.told:
            model.told(*next(results))
        assert individual.id == number
        if number >= model.seeds:
            assert individual.parent in [one for one, _ in model.members], "parents are alive"
        model.asked(individual)
    for number, outcome in results:
        model.told(number, outcome)
    ranked = run.store.ranked()
    finite = [number for number in ranked if model.fitness(number) is not None]
    assert ranked[: len(finite)] == finite, "failures come last"
    assert set(ranked) == set(model.told_)


def finished(folder: Path, evaluator: Scripted, *sets: str) -> tuple[Run, Search]:
    config = parse_config(TOY, [f"run_dir={folder}", *sets])
    run = create_run(config, {"transformer": load_seed("transformer")})
    search = make_search(config, list(run.store.seeds.values()), run.language)
    drive(run, search, evaluator)
    return run, search


def test_one_worker_gives_the_same_population_hash_twice(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        script = toy_script(parse_config(TOY))
        _, search = finished(tmp_path / name, Scripted(script))
        digests.append(search.population.digest)
    assert digests[0] == digests[1]
    _, other = finished(tmp_path / "other", Scripted(script), "seed=1")
    assert other.population.digest != digests[0]


@pytest.mark.parametrize("order", range(3))
def test_eight_workers_in_random_order_replay_from_the_journal(
    tmp_path: Path, order: int
) -> None:
    script = toy_script(parse_config(TOY))
    run, search = finished(tmp_path / "run", Scripted(script, capacity=8, seed=order))
    told = [number for number, _ in run.store.outcomes()]
    assert told != sorted(told), "they did not finish in order"
    run.close()
    again = replay(open_run(run.folder), derive=search.asked)
    assert again.population.digest == search.population.digest
    assert (again.asked, again.told, again.best) == (search.asked, search.told, search.best)
    assert f"\n{search.population.digest}\n" in primeval("replay", run.folder).stdout


def test_the_command_gives_the_same_population_hash_twice(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        assert primeval("search", "toy", "--run-dir", tmp_path / name).returncode == 0
        found.append(json.loads(primeval("replay", tmp_path / name, "--json").stdout))
    assert found[0] == found[1]
    assert (found[0]["individuals"], found[0]["population_size"]) == (150, 20)
