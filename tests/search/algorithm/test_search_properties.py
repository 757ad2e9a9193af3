"""Generated runs of the real engine and its real store: promises hold whatever happens.

Hypothesis lets a run ask, tell, die and resume in any order. A plain model beside it
(`plain_model.py`) keeps what must be true.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.plain_model import FAILURES, SIZES, Model
from helpers.toys import TOY
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.search.algorithm.evolution import StuckError
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import parse_config
from primeval.search.drive.injections import Injections, inject
from primeval.search.drive.replay import replay, verify
from primeval.search.drive.starting import make_search
from primeval.search.errors import StoreError
from primeval.search.run.folder import create_run, open_run, reopen_run
from primeval.search.views.ranking import ranking

LOSSES = st.one_of(st.floats(0, 9), st.sampled_from([math.nan, math.inf, -math.inf]))


@st.composite
def successes(draw: st.DrawFn) -> Outcome:
    marks = draw(st.integers(1, 5))
    curve = tuple(Point(step + 1, draw(st.floats(0, 9))) for step in range(marks))
    status = Status.COMPLETED if marks == 5 else Status.STOPPED
    hurdle = None if marks == 5 else marks - 1
    return Outcome(status, loss=curve[-1].loss, curve=curve, hurdle=hurdle, steps=marks)


@st.composite
def failures(draw: st.DrawFn) -> Outcome:
    """Failures, including some that only a broken evaluator gives: success without a loss."""
    curve = tuple(Point(1, loss) for loss in draw(st.lists(LOSSES, max_size=5)))
    loss = draw(st.sampled_from([None, math.nan, math.inf, -math.inf]))
    status = draw(st.sampled_from((Status.COMPLETED, Status.STOPPED, *FAILURES)))
    return Outcome(status, loss=loss, curve=curve, message="as drawn")


OUTCOMES = st.one_of(successes(), successes(), failures())
TELLS = st.lists(st.tuples(st.integers(0, 99), OUTCOMES), min_size=1, max_size=6)


class Engine(RuleBasedStateMachine):
    """A run to which anything may happen."""

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
        self.search = make_search(
            config, list(self.run_.store.seeds.values()), self.run_.language
        )
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
        """A probe found that a child computes the same as another individual."""
        flying = [
            one.id
            for one in self.search.in_flight.values()
            if one.parent is not None
            and one.id not in self.model.same
            and one.id not in self.model.same.values()  # then the driver trains it
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
        """An outcome that comes twice is refused and changes nothing."""
        if self.model.told_:
            number = self.model.told_[which % len(self.model.told_)]
            with pytest.raises(StoreError):
                self.run_.store.append_outcome(number, outcome, 3.0)
            with pytest.raises(KeyError):
                self.search.tell(number, outcome)

    @rule(name=st.sampled_from(["primer_ez", "transformer", "mdha"]))
    def inject(self, name: str) -> None:
        """A user gives a program to the run; it may be known already."""
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
        """An individual that was not recorded was never asked for, and comes again."""
        with contextlib.suppress(StuckError):
            lost = self.search.ask()
            self.reopen()
            self.ask(1)
            assert self.asked[-1] == lost

    @precondition(lambda self: self.search.in_flight)
    @rule(which=st.integers(0, 99), outcome=OUTCOMES)
    def die_while_telling(self, which: int, outcome: Outcome) -> None:
        """An outcome that was recorded counts, even if the search died before it was told."""
        self.give(which, outcome)
        self.reopen()

    @rule()
    def read(self) -> None:
        """Readers need not wait for the search; the ranking puts failures last."""
        reader = open_run(self.run_.folder)
        numbers = [row.id for row in ranking(reader).rows]
        reader.close()
        fitness = [self.model.fitness(number) for number in numbers]
        finite = sorted((one for one in fitness if one is not None), reverse=True)
        assert fitness == [*finite, *[None] * (len(fitness) - len(finite))]

    def give(self, which: int, outcome: Outcome) -> None:
        """Record an outcome of an individual in flight, in the store and in the model."""
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
        """The next individual has a living parent and is no known program."""
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
        """A known program is trained again only as often as the setting allows."""
        assert self.model.repeats[program] < self.run_.config.search.reevaluations
        assert self.model.fitness(program) is not None
        assert individual.seed not in {one.seed for one in self.asked}

    # -- what is always true --------------------------------------------------------------

    @invariant()
    def only_the_oldest_die(self) -> None:
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


Engine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestEngine = Engine.TestCase
