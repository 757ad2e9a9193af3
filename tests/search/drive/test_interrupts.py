"""At the first Ctrl-C, candidates in flight are given up, or get the time set for them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from helpers.toys import begin, outcome

from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import verify

Make = Callable[..., RunConfig]


class Slow(Evaluator):
    """Takes some time for each candidate, and is interrupted once it has the fourth."""

    capacity = 3

    def __init__(self, seconds: float, interrupts: int = 1) -> None:
        self._seconds, self._interrupts = seconds, interrupts
        self.flying: dict[int, float] = {}

    def submit(self, candidate: Candidate) -> None:
        self.flying[candidate.id] = time.monotonic() + self._seconds
        if candidate.id == 3:
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        time.sleep(min(timeout, 0.02))
        now = time.monotonic()
        done = [number for number, end in self.flying.items() if now > end]
        for number in done:
            del self.flying[number]
        return [(number, outcome(2.0 + number)) for number in done]

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _alarm_is_ctrl_c() -> None:
    signal.signal(signal.SIGALRM, lambda number, frame: os.kill(os.getpid(), signal.SIGINT))


def test_without_grace_those_in_flight_are_given_up(toy_config: Make) -> None:
    run, search = begin(toy_config("workers.evaluator=toy"))
    began = time.monotonic()
    assert drive(run, search, Slow(0.4)).reason == "interrupted"
    assert time.monotonic() - began < 2
    assert run.store.asked() - run.store.told() >= 2
    verify(run)
    run.close()


def test_with_grace_they_finish_and_no_other_is_asked(toy_config: Make) -> None:
    run, search = begin(toy_config("workers.grace=30s"))
    stop = drive(run, search, Slow(0.4))
    assert stop.reason == "interrupted"
    assert run.store.asked() == run.store.told() >= 4
    run.close()


def test_grace_has_an_end(toy_config: Make) -> None:
    run, search = begin(toy_config("workers.grace=1s"))
    evaluator, began = Slow(0.4), time.monotonic()
    evaluator.submit = _endless(evaluator)  # type: ignore[method-assign]
    assert drive(run, search, evaluator).reason == "interrupted"
    assert 1 < time.monotonic() - began < 6
    assert run.store.asked() > run.store.told()
    run.close()


def _endless(evaluator: Slow) -> Callable[[Candidate], None]:
    submit = type(evaluator).submit

    def endless(candidate: Candidate) -> None:
        submit(evaluator, candidate)
        if candidate.id >= 2:
            evaluator.flying[candidate.id] = float("inf")

    return endless
