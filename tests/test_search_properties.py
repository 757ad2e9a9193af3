"""Generated runs of the real engine, with its real store: whatever happens, in whatever order.

A machine asks, tells, dies and resumes as Hypothesis likes, and keeps a plain model of what
must be true beside it. A second test drives whole runs through the loop, and holds what their
stores say against the same rules.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from toys import TOY, Scripted, history, primeval, toy_script

from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.text import parse
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.config import parse_config
from primeval.search.evolution import Search, StuckError
from primeval.search.injections import Injections, inject
from primeval.search.loop import drive
from primeval.search.population import Individual
from primeval.search.ranking import ranking
from primeval.search.replay import replay, verify
from primeval.search.runs import Run, create_run, make_search, open_run, reopen_run
from primeval.search.store import StoreError

LOSSES = st.one_of(st.floats(0, 9), st.sampled_from([math.nan, math.inf, -math.inf]))
FAILURES = (
    *(Status.DIVERGED, Status.REJECTED, Status.TIMED_OUT),
    *(Status.OUT_OF_MEMORY, Status.CRASHED),
)
SIZES = (3, 6, 9)


@st.composite
def successes(draw: st.DrawFn) -> Outcome:
    marks = draw(st.integers(1, 5))
    curve = tuple(Point(step + 1, draw(st.floats(0, 9))) for step in range(marks))
    status = Status.COMPLETED if marks == 5 else Status.STOPPED
    hurdle = None if marks == 5 else marks - 1
    return Outcome(status, loss=curve[-1].loss, curve=curve, hurdle=hurdle, steps=marks)


@st.composite
def failures(draw: st.DrawFn) -> Outcome:
    """Also what a broken evaluator might say: success, and no loss."""
    curve = tuple(Point(1, loss) for loss in draw(st.lists(LOSSES, max_size=5)))
    loss = draw(st.sampled_from([None, math.nan, math.inf, -math.inf]))
    status = draw(st.sampled_from((Status.COMPLETED, Status.STOPPED, *FAILURES)))
    return Outcome(status, loss=loss, curve=curve, message="as drawn")


OUTCOMES = st.one_of(successes(), successes(), failures())
TELLS = st.lists(st.tuples(st.integers(0, 99), OUTCOMES), min_size=1, max_size=6)


class Model:
    """What must be true of a population, in the plainest way: a list, oldest first."""

    def __init__(self, size: int, seeds: int) -> None:
        self.size, self.seeds = size, seeds
        self.members: list[tuple[int, float | None]] = []
        self.told_: list[int] = []
        self.losses: dict[int, tuple[float, int]] = {}  # a program's, summed, and their number
        self.first: dict[str, int] = {}  # who had a graph first
        self.same: dict[int, int] = {}  # individuals that are programs known before
        self.repeats = Counter[int]()  # re-evaluations of each program

    def program(self, number: int) -> int:
        """Who was this program first."""
        return self.program(self.same[number]) if number in self.same else number

    def fitness(self, number: int) -> float | None:
        """Of its program: the mean over evaluations."""
        total, count = self.losses.get(self.program(number), (0.0, 0))
        return -total / count if count else None

    def asked(self, individual: Individual) -> None:
        number = individual.id
        first = self.first.setdefault(individual.fingerprint, number)
        if first != number:
            self.same[number] = first
            self.repeats[self.program(number)] += 1
        if number < self.seeds:  # copies of the seeds fill it, as evenly as possible
            share = self.size // self.seeds + (number < self.size % self.seeds)
            self._enter(*[(number, None)] * share)

    def told(self, number: int, outcome: Outcome) -> None:
        self.told_.append(number)
        if outcome.status is Status.KNOWN:
            assert outcome.same_as is not None
            self.same[number] = outcome.same_as
            return
        good = outcome.loss is not None and math.isfinite(outcome.loss)
        if good:
            total, count = self.losses.get(self.program(number), (0.0, 0))
            self.losses[self.program(number)] = (total + outcome.loss, count + 1)  # type: ignore[operator]
        if number < self.seeds:  # if it failed, its copies go
            self.members = [one for one in self.members if one[0] != number or good]
        elif good:
            self._enter((number, None))
        if good:
            program, mean = self.program(number), self.fitness(number)
            self.members = [
                (one, mean if self.program(one) == program else fitness)
                for one, fitness in self.members
            ]

    def resize(self, size: int) -> None:
        self.size = size
        self._enter()

    def _enter(self, *members: tuple[int, float | None]) -> None:
        self.members = [*self.members, *members][-self.size :]  # the oldest die


class Engine(RuleBasedStateMachine):
    """A run that anything may happen to."""

    @initialize(
        seeds=st.integers(1, 3),
        size=st.sampled_from(SIZES),
        seed=st.integers(0, 99),
        repeats=st.integers(0, 2),
    )
    def begin(self, seeds: int, size: int, seed: int, repeats: int) -> None:
        names = ("transformer", "squared_relu", "transformer_pp")[:seeds]
        self.folder = Path(tempfile.mkdtemp(prefix="primeval-"))
        sets = [
            f"run_dir={self.folder / 'run'}",
            f"seed={seed}",
            f"search.population_size={size}",
            f"search.reevaluations={repeats}",
            f"search.seeds=[{', '.join(names)}]",
        ]
        config = parse_config(TOY, sets)
        self.run_ = create_run(config, {name: load_seed(name) for name in names})
        self.search = make_search(config, list(self.run_.store.seeds.values()))
        self.model = Model(size, seeds)
        self.asked: list[Individual] = []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.run_.close()
            assert verify(open_run(self.run_.folder)) == len(self.asked)
            shutil.rmtree(self.folder)

    # -- what may happen ------------------------------------------------------------------

    @rule(count=st.integers(1, 6))
    def ask(self, count: int) -> None:
        for _ in range(count):
            try:
                individual = self.search.ask()
            except StuckError:
                assert not self.model.members
                return
            self.run_.store.append_individual(individual, 1.0)
            self.enter(individual)

    @rule(tells=TELLS)
    def tell(self, tells: list[tuple[int, Outcome]]) -> None:
        for which, outcome in tells:
            if self.search.in_flight:
                self.give(which, outcome)
                self.search.tell(self.model.told_[-1], outcome)

    @rule(which=st.integers(0, 99), same=st.integers(0, 99))
    def tell_that_it_is_known(self, which: int, same: int) -> None:
        """A probe found that a child computes what somebody else does."""
        flying = [
            one.id
            for one in self.search.in_flight.values()
            if one.parent is not None and one.id not in self.model.same
        ]
        if not flying:
            return
        number = flying[which % len(flying)]
        others = [one.id for one in self.asked if self.model.program(one.id) != number]
        same_as = others[same % len(others)]
        outcome = Outcome(Status.KNOWN, digest="ab" * 16, same_as=same_as)
        self.run_.store.append_outcome(number, outcome, 2.0)
        self.search.tell(number, outcome)
        self.model.told(number, outcome)

    @rule(which=st.integers(0, 99), outcome=OUTCOMES)
    def tell_again(self, which: int, outcome: Outcome) -> None:
        """An outcome that comes twice is refused, and has no effect."""
        if self.model.told_:
            number = self.model.told_[which % len(self.model.told_)]
            with pytest.raises(StoreError):
                self.run_.store.append_outcome(number, outcome, 3.0)
            with pytest.raises(KeyError):
                self.search.tell(number, outcome)

    @rule(name=st.sampled_from(["primer_ez", "transformer", "mdha"]))
    def inject(self, name: str) -> None:
        """Somebody gives a program to the run, known or not."""
        if self.search.asked >= self.search.seed_count:
            inject(self.run_, {name: load_seed(name)})
            individual = Injections(self.run_).take(self.search, 1.5)
            assert individual is not None
            assert individual.parent is None
            self.asked.append(individual)
            self.model.asked(individual)

    @rule(
        size=st.sampled_from((None, *SIZES)),
        repeats=st.sampled_from((None, None, 0, 1, 2)),
        derive=st.integers(0, 30),
    )
    def resume(self, size: int | None, repeats: int | None, derive: int) -> None:
        changes = {"population_size": size, "reevaluations": repeats}
        sets = [f"search.{key}={value}" for key, value in changes.items() if value is not None]
        self.reopen(sets, derive)

    @rule()
    def die_while_asking(self) -> None:
        """Who was not appended was never asked for, and comes again."""
        with contextlib.suppress(StuckError):
            lost = self.search.ask()
            self.reopen()
            self.ask(1)
            assert self.asked[-1] == lost

    @precondition(lambda self: self.search.in_flight)
    @rule(which=st.integers(0, 99), outcome=OUTCOMES)
    def die_while_telling(self, which: int, outcome: Outcome) -> None:
        """What was appended counts, though nobody saw its consequences."""
        self.give(which, outcome)
        self.reopen()

    @rule()
    def read(self) -> None:
        """Readers need not wait: they see the ranking, failures last."""
        reader = open_run(self.run_.folder)
        numbers = [row["id"] for row in ranking(reader)]
        reader.close()
        fitness = [self.model.fitness(number) for number in numbers]
        finite = sorted((one for one in fitness if one is not None), reverse=True)
        assert fitness == [*finite, *[None] * (len(fitness) - len(finite))]

    def give(self, which: int, outcome: Outcome) -> None:
        """Somebody in flight gets an outcome, as far as the store and the model go."""
        flying = list(self.search.in_flight)
        number = flying[which % len(flying)]
        if number in self.model.same:
            outcome = replace(outcome, same_as=self.model.program(number))
        self.run_.store.append_outcome(number, outcome, 2.0)
        self.model.told(number, outcome)

    def reopen(self, sets: list[str] | None = None, derive: int | None = None) -> None:
        self.run_.close()
        self.run_ = reopen_run(self.run_.folder, sets or [])
        self.search = replay(self.run_, len(self.asked) if derive is None else derive)
        self.model.resize(self.run_.config.search.population_size)

    def enter(self, individual: Individual) -> None:
        """Who is asked for comes next, from somebody alive, and is no program known."""
        assert individual.id == len(self.asked)
        assert individual.told == len(self.model.told_)
        assert individual.fingerprint == build_graph(parse(individual.text)).fingerprint
        is_seed = individual.id < self.model.seeds
        if (first := self.model.first.get(individual.fingerprint)) is not None:
            self.check_repeat(individual, self.model.program(first))
        elif not is_seed:
            assert individual.parent in [number for number, _ in self.model.members]
        self.asked.append(individual)
        self.model.asked(individual)
        assert is_seed <= (individual.parent is None) == (individual.edit is None)

    def check_repeat(self, individual: Individual, program: int) -> None:
        """Nothing known is trained again, but for as many re-evaluations as are wanted."""
        assert self.model.repeats[program] < self.run_.config.search.reevaluations
        assert self.model.fitness(program) is not None
        assert individual.seed not in {one.seed for one in self.asked}

    # -- what is always true --------------------------------------------------------------

    @invariant()
    def the_oldest_die_and_nobody_else(self) -> None:
        members = [(one.individual.id, one.fitness) for one in self.search.population]
        assert members == self.model.members
        assert len(members) <= self.run_.config.search.population_size

    @invariant()
    def the_best_is_finite_finished_and_the_best(self) -> None:
        best = self.search.best
        assert (best is None) == (not self.model.losses)
        if best is None:
            return
        assert math.isfinite(best[0])
        assert best[1].id in self.model.told_
        assert best[0] == self.model.fitness(best[1].id)
        assert all(fitness is None or fitness <= best[0] for _, fitness in self.model.members)
        if all(count == 1 for _, count in self.model.losses.values()):
            assert best[0] == -min(loss for loss, _ in self.model.losses.values())

    @invariant()
    def the_store_says_what_happened(self) -> None:
        store = self.run_.store
        assert list(store.individuals()) == self.asked
        assert [number for number, _ in store.outcomes()] == self.model.told_
        assert store.asked() == self.search.asked == len(self.asked)
        assert store.told() == self.search.told == len(self.model.told_)
        flying = {one.id for one in self.asked} - set(self.model.told_)
        assert set(self.search.in_flight) == flying


Engine.TestCase.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
TestEngine = Engine.TestCase


# -- whole runs, through the loop ---------------------------------------------------------


class PowerCutError(Exception):
    """Ends a drive in the midst of it."""


def careless(seed: int, deaths: float) -> Scripted:
    """Up to eight workers that finish in any order and anyhow, and may take all with them."""
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
    search, trained = make_search(config, list(run.store.seeds.values())), Counter[int]()
    for session in itertools.count():
        evaluator = careless(seed + session, deaths=0.05 if session < 5 else 0.0)
        known = {number for number, _ in run.store.outcomes()}
        try:
            stop = drive(run, search, evaluator)
        except PowerCutError:
            stop = None
        submitted = [candidate.id for candidate in evaluator.submitted]
        assert len(set(submitted)) == len(submitted), "nobody is trained twice at once"
        assert known.isdisjoint(submitted), "nobody is trained whose outcome is known"
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
    """Read a run's store from the start, and hold it to what a search promises."""
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


# -- repeatable ---------------------------------------------------------------------------


def finished(folder: Path, evaluator: Scripted, *sets: str) -> tuple[Run, Search]:
    config = parse_config(TOY, [f"run_dir={folder}", *sets])
    run = create_run(config, {"transformer": load_seed("transformer")})
    search = make_search(config, list(run.store.seeds.values()))
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
