"""Driving a search: the algorithm, the evaluator and the store joined.

    while budget remains:
        keep the workers busy: ask an individual, append it, submit it
        for each that is probed: submit it again, to be trained, unless it is known
        for each that is finished: append its outcome, tell the algorithm

An individual is in the store before anything is paid for it, and an outcome before it has
consequences. So a run that dies loses what was in flight and nothing else: the same individuals
are submitted again when the run resumes.
"""

from __future__ import annotations

import logging
import math
import time

from primeval.dna.mutate import ExhaustedError
from primeval.evaluators.evaluator import TICK, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.evolution import Search, StuckError
from primeval.search.algorithm.population import Individual
from primeval.search.drive.in_flight import InFlight
from primeval.search.drive.injections import Injections
from primeval.search.drive.interrupts import Interrupts
from primeval.search.drive.progress import Progress
from primeval.search.drive.stops import Stop, used_up
from primeval.search.run.folder import Run
from primeval.search.run.kept_weights import KeptWeights

log = logging.getLogger(__name__)


def drive(
    run: Run, search: Search, evaluator: Evaluator, progress: Progress | None = None
) -> Stop:
    """Drive a search until its budget is used up or a signal stops it.

    Individuals that `search` has in flight (after a replay) are submitted first. The evaluator
    is closed at the end. Raises StoreError if the store can no longer be written.
    """
    progress = progress or Progress()
    with Interrupts() as interrupts:
        driver = _Driver(run, search, evaluator, progress, interrupts)
        try:
            stop = driver.run()
            stop.record(run.store, search, driver.elapsed())
        finally:
            evaluator.close()
    progress.end(stop, driver.elapsed())
    return stop


class _Driver:
    """Drives one search, from its first individual of this session to its stop."""

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
        self.in_flight = InFlight(search, evaluator, self.weights, self.may_begin)
        self.injections = Injections(run)
        self.failures: list[Outcome] = []  # since the last success
        self.dead_end: Stop | None = None
        self.give_up_at: float | None = None  # monotonic clock; None before a signal comes
        self._began = time.monotonic() - self.store.elapsed()
        progress.begin(run, search, self.elapsed())

    def elapsed(self) -> float:
        """Seconds of running, earlier sessions included."""
        return time.monotonic() - self._began

    def run(self) -> Stop:
        while (stop := self.stop()) is None:
            individual = None if self.in_flight.full else self.next_individual()
            if individual is None:
                self.take(self.finished())
                self.progress.tick(self.elapsed())
                continue
            self.in_flight.submit(individual)
            self.progress.asked(individual)
            if self.evaluator.prompt:  # take what is finished before asking for more
                self.take(self.evaluator.wait(0.0))
        return stop

    def take(self, finished: list[tuple[int, Outcome]]) -> None:
        """Take in what has come; probed candidates first, as their workers are idle."""
        for number, outcome in sorted(finished, key=lambda one: one[1].status != Status.PROBED):
            probed = outcome.status is Status.PROBED
            final = self.in_flight.decide(number, outcome) if probed else outcome
            if final is not None:
                self.tell(number, final)

    def next_individual(self) -> Individual | None:
        """The next to submit; None if there is none before another outcome comes."""
        if self.interrupts.requested or self.in_flight.must_wait():
            return None
        if self.in_flight.waiting:
            return self.in_flight.waiting.popleft()
        if self.dead_end or self.search.asked >= self.config.budget.max_candidates:
            return None
        if injected := self.injections.take(self.search, self.elapsed()):
            return injected
        try:
            individual = self.search.ask()
        except StuckError as error:
            if not self.in_flight:
                self.dead_end = Stop("stuck", f"{error} {self._last_failure()}")
            return None
        except ExhaustedError as error:
            self.dead_end = Stop("exhausted", str(error))
            return None
        self.store.append_individual(individual, self.elapsed())
        return individual

    def finished(self) -> list[tuple[int, Outcome]]:
        if not self.in_flight:
            return []
        if self.evaluator.prompt or self.config.workers.grace:  # it need not be cut short
            return self.evaluator.wait(TICK)
        return self.interrupts.finished(self.evaluator)

    def may_begin(self) -> bool:
        """Whether a probe or a training may begin.

        After a signal none may, except in a grace period: then candidates that are probed
        already are trained.
        """
        return not self.interrupts.requested or self.config.workers.grace > 0

    def given_up(self) -> bool:
        """Whether a signal came, and the candidates in flight have had time to finish."""
        if not self.interrupts.requested:
            return False
        if self.give_up_at is None:
            self.give_up_at = time.monotonic() + self.config.workers.grace
        return not self.in_flight or time.monotonic() >= self.give_up_at

    def tell(self, number: int, outcome: Outcome) -> None:
        individual, outcome = self.in_flight.land(number, outcome)
        self.store.append_outcome(number, outcome, self.elapsed())
        self.search.tell(number, outcome)
        self.weights.tell(individual, outcome)
        if math.isfinite(outcome.fitness):
            self.failures.clear()
        elif outcome.status is not Status.KNOWN:
            self.failures.append(outcome)
            log.warning("%d %s: %s", number, outcome.status.value, outcome.message)
        self.progress.told(individual, outcome, self.elapsed())

    def stop(self) -> Stop | None:
        """The reason to stop now; None to continue."""
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
        if self.dead_end and not self.in_flight:
            return self.dead_end
        return None

    def _last_failure(self) -> str:
        if not self.failures:
            return ""
        last = self.failures[-1]
        return f"The last one ({last.status.value}): {last.message or 'no message'}"
