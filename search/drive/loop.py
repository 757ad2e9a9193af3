"""Driving a search: the algorithm, the evaluator and the store joined.

    while budget remains:
        keep the workers busy: ask an individual, append it, submit it
        for each that is probed: submit it again, to be trained, unless it is known
        for each that is finished: append its outcome, tell the algorithm

What is asked for is in the store before it is paid for, and an outcome is in the store before
it has consequences. So a run that dies loses what was in flight, and nothing else: the same
individuals are submitted again when it goes on.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

from primeval.dna.mutate import ExhaustedError
from primeval.evaluators.evaluator import TICK, Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.units import format_duration
from primeval.search.algorithm.evolution import Search, StuckError
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import SearchBudget
from primeval.search.drive.injections import Injections
from primeval.search.drive.interrupts import Interrupts
from primeval.search.drive.known import Known
from primeval.search.run.folder import Run
from primeval.search.run.kept_weights import KeptWeights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stop:
    """Why a search stopped.

    Attributes:
        reason: candidates, time, compute, target, interrupted, failures, stuck or exhausted.
        message: The same for people.
    """

    reason: str
    message: str

    @property
    def failed(self) -> bool:
        """Whether something is wrong, rather than done."""
        return self.reason in ("failures", "stuck", "exhausted")


class Progress(Protocol):
    """Somebody who watches. Called by the loop, which does not care what they do."""

    def begin(self, run: Run, search: Search, elapsed: float) -> None:
        """The search is about to go on."""

    def asked(self, individual: Individual) -> None:
        """An individual was submitted."""

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        """An individual was evaluated."""

    def tick(self, elapsed: float) -> None:
        """Time has passed."""

    def end(self, stop: Stop, elapsed: float) -> None:
        """The search has stopped."""


class Silent:
    """Watches and says nothing."""

    def begin(self, run: Run, search: Search, elapsed: float) -> None: ...

    def asked(self, individual: Individual) -> None: ...

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None: ...

    def tick(self, elapsed: float) -> None: ...

    def end(self, stop: Stop, elapsed: float) -> None: ...


def used_up(budget: SearchBudget, search: Search, elapsed: float) -> Stop | None:
    """The reason to stop that lies in the budget, if there is one."""
    told, target = search.told, budget.target_loss
    if target is not None and search.best is not None and -search.best[0] <= target:
        fitness, best = search.best
        return Stop("target", f"#{best.id} reached the target: loss {-fitness:.4f}.")
    if told >= budget.max_candidates:
        return Stop("candidates", f"All {told:,} candidates are evaluated.")
    if budget.max_time is not None and elapsed >= budget.max_time:
        return Stop("time", f"The time ({format_duration(budget.max_time)}) is up.")
    if budget.max_compute is not None and search.spent >= budget.max_compute:
        limit = format_duration(budget.max_compute)
        return Stop("compute", f"The compute ({limit} of workers' time) is used up.")
    return None


def drive(
    run: Run, search: Search, evaluator: Evaluator, progress: Progress | None = None
) -> Stop:
    """Drive a search until its budget is used up or somebody stops it.

    Individuals that `search` has in flight (after a replay) are submitted first. The evaluator
    is closed at the end. Raises StoreError if the store can no longer be written.
    """
    with Interrupts() as interrupts:
        driver = _Driver(run, search, evaluator, progress or Silent(), interrupts)
        try:
            stop = driver.run()
            digest = search.population.digest  # `replay` must arrive at it
            data = {**vars(stop), "population": digest}
            run.store.append_event("stopped", data, driver.elapsed())
        finally:
            evaluator.close()
    driver.progress.end(stop, driver.elapsed())
    return stop


class _Driver:
    """The state of one drive: what waits, what flies, when it began."""

    def __init__(
        self,
        run: Run,
        search: Search,
        evaluator: Evaluator,
        progress: Progress,
        interrupts: Interrupts,
    ) -> None:
        self.store, self.config, self.search = run.store, run.config, search
        self.evaluator, self.progress, self.interrupts = evaluator, progress, interrupts
        self.weights = KeptWeights(run.folder, run.config.keep_weights, run.store)
        self.known, self.injections = Known(run.store), Injections(run)
        self.waiting = deque(search.in_flight.values())  # asked before, never answered
        self.flying: dict[int, Individual] = {}
        self.unprobed: set[int] = set()  # seeds in flight
        self.failures: list[Outcome] = []  # since the last success
        self.dead_end: Stop | None = None
        self.give_up_at: float | None = None  # of the clock, once somebody asked to stop
        self._began = time.monotonic() - self.store.elapsed()
        progress.begin(run, search, self.elapsed())

    def elapsed(self) -> float:
        """Seconds of running, earlier sessions included."""
        return time.monotonic() - self._began

    def run(self) -> Stop:
        while (stop := self.stop()) is None:
            room = len(self.flying) < self.evaluator.capacity
            individual = self.next_individual() if room else None
            if individual is None:
                self.take(self.finished())
                self.progress.tick(self.elapsed())
                continue
            self.submit(individual)
            if self.evaluator.prompt:  # who is done need not wait for more to be asked
                self.take(self.evaluator.wait(0.0))
        return stop

    def take(self, finished: list[tuple[int, Outcome]]) -> None:
        """Take in what has come; those who were probed first, as their workers wait."""
        for number, outcome in finished:
            if outcome.status is Status.PROBED:
                self.decide(number, outcome)
        for number, outcome in finished:
            if outcome.status is not Status.PROBED:
                self.tell(number, outcome)

    def next_individual(self) -> Individual | None:
        """One to submit; None if there is none until another outcome is known."""
        if self.interrupts.requested:
            return None
        number = self.waiting[0].id if self.waiting else self.search.asked
        if self.unprobed and number >= self.search.seed_count:
            return None  # it may be the same as a seed, which is trained in any case
        if self.waiting:
            return self.waiting.popleft()
        if self.dead_end or self.search.asked >= self.config.budget.max_candidates:
            return None
        if injected := self.injections.take(self.search, self.elapsed()):
            return injected
        try:
            individual = self.search.ask()
        except StuckError as error:
            if not self.flying:
                self.dead_end = Stop("stuck", f"{error} {self._last_failure()}")
            return None
        except ExhaustedError as error:
            self.dead_end = Stop("exhausted", str(error))
            return None
        self.store.append_individual(individual, self.elapsed())
        return individual

    def submit(self, individual: Individual) -> None:
        self.flying[individual.id] = individual
        repeated = self.search.repeats.original(individual.id) != individual.id
        probe = self.evaluator.probes and not repeated
        if probe and individual.id < self.search.seed_count:
            self.unprobed.add(individual.id)
        self.send(individual, probe)
        self.progress.asked(individual)

    def send(self, individual: Individual, probe: bool) -> None:
        candidate = Candidate(
            individual.id,
            individual.text,
            individual.seed,
            individual.thresholds,
            self.weights.path(individual.id),
            probe=probe,
        )
        if self.interrupts.requested and not self.config.workers.grace:
            self.flying.pop(individual.id)  # nothing is begun any more
        else:  # who was probed is in flight, and may finish
            self.evaluator.submit(candidate)

    def finished(self) -> list[tuple[int, Outcome]]:
        if not self.flying:
            return []
        if self.evaluator.prompt or self.config.workers.grace:  # nothing has to be cut short
            return self.evaluator.wait(TICK)
        return self.interrupts.patiently(lambda: self.evaluator.wait(TICK), [])

    def given_up(self) -> bool:
        """Whether somebody asked to stop, and those in flight have had time to finish."""
        if not self.interrupts.requested:
            return False
        if self.give_up_at is None:
            self.give_up_at = time.monotonic() + self.config.workers.grace
        return not self.flying or time.monotonic() >= self.give_up_at

    def decide(self, number: int, probed: Outcome) -> None:
        """An individual was probed: train it, unless it is known.

        CHOICE: seeds and injected programs are trained whatever they compute: everything is
        held against the first seed, and somebody asked for the others.
        """
        individual = self.flying[number]
        self.unprobed.discard(number)
        if individual.parent is None:
            self.known.note(number, probed)
        elif (outcome := self.known.recognise(number, probed)) is not None:
            self.tell(number, outcome)
            return
        self.send(individual, probe=False)

    def tell(self, number: int, outcome: Outcome) -> None:
        individual, outcome = self.flying.pop(number), self.known.land(number, outcome)
        self.unprobed.discard(number)
        original = self.search.repeats.original(number)
        if original != number and outcome.same_as is None:
            outcome = replace(outcome, same_as=original)
        self.store.append_outcome(number, outcome, self.elapsed())
        self.search.tell(number, outcome)
        self.weights.tell(number, outcome)
        if math.isfinite(outcome.fitness):
            self.failures.clear()
        elif outcome.status is not Status.KNOWN:
            self.failures.append(outcome)
            log.warning("%d %s: %s", number, outcome.status.value, outcome.message)
        self.progress.told(individual, outcome, self.elapsed())

    def stop(self) -> Stop | None:
        """Whether to stop, and why."""
        failed = len(self.failures)
        if self.given_up():
            return Stop("interrupted", "Stopped as asked.")
        if stop := used_up(self.config.budget, self.search, self.elapsed()):
            return stop
        if failed >= self.config.failure.max_consecutive:
            return Stop(
                "failures",
                f"The last {failed} candidates failed, so something else is wrong. "
                f"{self._last_failure()}",
            )
        if self.dead_end and not self.flying:
            return self.dead_end
        return None

    def _last_failure(self) -> str:
        if not self.failures:
            return ""
        last = self.failures[-1]
        return f"The last one ({last.status.value}): {last.message or 'no message'}"
