"""Evaluates candidates in Ray workers: who has which, who is free, who was lost.

Workers come when Ray has room for them and may go at any time: `workers.count` is the most.
What a candidate does to its process is the keeper's business (`keeper.py`), and comes back as
an outcome. A worker that is lost itself, with its node or by somebody's hand, is replaced,
and its candidate is asked again; the search does not notice.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import ray

from primeval.evaluators.data.corpus import load_corpus
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.settings import Task
from primeval.evaluators.units import format_duration
from primeval.evaluators.workers.keeper import STARTUP_SECONDS, Report
from primeval.evaluators.workers.ray_cluster import connect, hiring, short

log = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds beyond all limits in which a keeper has to answer
LOOK_SECONDS = 1.0  # how often that is looked at
# CHOICE: a sixteenth more candidates than workers are in flight, so that nobody waits for the
# driver to make a child. Children are that much more out of date: they know one outcome less
# in sixteen of those in flight. Below 16 workers there are none, and it would not matter.
PER_SPARE = 16
REHIRE_SECONDS = 1.0  # between the loss of a worker that never was ready, and the next


@dataclass(eq=False)
class _Job:
    """A candidate, and what happened to it so far."""

    candidate: Candidate
    losses: int = 0
    lost: float = 0.0  # seconds of workers that were lost with it


@dataclass(eq=False)
class _Slot:
    """A worker and what it is doing."""

    actor: Any
    process: int = 0  # that trains; 0 until it can
    job: _Job | None = None
    began: float = 0.0
    calls: list[Any] = field(default_factory=list)  # Ray forgets a call nobody holds


class RayEvaluator(Evaluator):
    """A pool of workers, one candidate each.

    Args:
        task: The settings all candidates share.
        hire: Asks for one more worker: an actor with `prepare` and `evaluate`.
    """

    probes, prompt = True, True

    def __init__(self, task: Task, hire: Callable[[], Any] | None = None) -> None:
        self._task = task
        load_corpus(task.data)  # tokens are made once, before workers ask for them
        self._connection = connect(task.workers)
        self._hire = hire or hiring(task)
        self._slots: set[_Slot] = set()
        self._idle: deque[_Slot] = deque()
        self._jobs: deque[_Job] = deque()  # submitted, and without a worker
        self._flying = 0
        # Ray's threads put what has come in here: a list of calls to wait for would be gone
        # through at every event
        self._arrived: SimpleQueue[tuple[_Slot, Any]] = SimpleQueue()
        self._looked, self._failure = 0.0, ""  # why a worker could not start
        self._vacancies: deque[float] = deque()  # when to ask for the next worker
        self.capacity = 1
        for _ in range(task.workers.count):
            self._start()

    def submit(self, candidate: Candidate) -> None:
        self._flying += 1
        self._jobs.append(_Job(candidate))
        self._dispatch()

    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        end = time.monotonic() + timeout
        finished: list[tuple[int, Outcome]] = []
        while self._flying and not finished:
            left = end - time.monotonic()
            self._fill_vacancies()
            finished = self._arrivals(max(0.0, min(LOOK_SECONDS, left))) + self._silent()
            self._flying -= len(finished)
            if left <= 0:
                break
        return finished

    def warm_up(self) -> None:
        """Wait until every worker is ready. Raises ValueError if one cannot start."""
        while any(not slot.process for slot in self._slots):
            self._arrivals(LOOK_SECONDS)
            if self._failure:
                raise ValueError(f"A worker cannot start: {self._failure}")

    def processes(self) -> list[int]:
        """As in `Evaluator`; on a cluster, waits for the first worker only, and knows none."""
        slots, elsewhere = list(self._slots), self._task.workers.address is not None
        calls = [slot.calls[0] for slot in slots]
        try:
            if elsewhere:
                ray.get(ray.wait(calls, num_returns=1)[0])
                return []
            return [int(process) for process in ray.get(calls)]
        except ray.exceptions.RayError as error:
            raise ValueError(f"A worker cannot start: {_cause(error)}") from error

    def busy_processes(self) -> list[int]:
        """Process ids of the workers that hold a candidate."""
        return [slot.process for slot in self._slots if slot.job is not None]

    def close(self) -> None:
        for slot in self._slots:
            ray.kill(slot.actor)
        self._slots.clear()
        self._idle.clear()
        self._jobs.clear()
        self._vacancies.clear()
        self._flying = 0
        if self._connection is not None:
            self._connection.close()

    def _start(self) -> None:
        slot = _Slot(self._hire())
        self._slots.add(slot)
        self._call(slot, slot.actor.prepare.remote())

    def _count(self) -> None:
        """How many candidates there may be, with these workers."""
        workers = sum(bool(slot.process) for slot in self._slots)
        self.capacity = max(1, workers + workers // PER_SPARE)

    def _fill_vacancies(self) -> None:
        while self._vacancies and self._vacancies[0] <= time.monotonic():
            self._vacancies.popleft()
            self._start()

    def _call(self, slot: _Slot, call: Any) -> None:
        slot.calls = [call]
        call.future().add_done_callback(lambda done: self._arrived.put((slot, done)))

    def _dispatch(self) -> None:
        """Give candidates that wait to workers that do."""
        while self._jobs and self._idle:
            slot, job = self._idle.popleft(), self._jobs.popleft()
            slot.job, slot.began = job, time.monotonic()
            # Not named after the candidate: Ray keeps counts of every name it ever saw
            method = slot.actor.evaluate.options(name=job.candidate.purpose)
            self._call(slot, method.remote(job.candidate))

    def _arrivals(self, timeout: float) -> list[tuple[int, Outcome]]:
        """Take in all that has come; wait for the first so long."""
        finished: list[tuple[int, Outcome]] = []
        try:
            slot, done = self._arrived.get(timeout=timeout)
            while True:
                if slot in self._slots:  # else it was given up
                    finished += self._take(slot, done)
                slot, done = self._arrived.get_nowait()
        except Empty:
            self._dispatch()
            return finished

    def _take(self, slot: _Slot, done: Any) -> list[tuple[int, Outcome]]:
        """Take in that a worker is ready, has an outcome, or is lost."""
        job, error = slot.job, done.exception()
        if error is not None:
            return self._lost(slot, error)
        if job is None:
            slot.process = int(done.result())
            self._count()
            self._idle.append(slot)
            return []
        slot.job = None
        self._idle.append(slot)
        report: Report = done.result()
        slot.process = report.process or slot.process
        if report.replaced:
            log.info("replacing a worker: %s", report.replaced)
        if report.outcome.status is Status.LOST:
            return self._again(job, report.outcome)
        if report.weights is not None and job.candidate.weights is not None:
            _write(Path(job.candidate.weights), report.weights)
        return [(job.candidate.id, _with_losses(report.outcome, job))]

    def _lost(self, slot: _Slot, error: BaseException) -> list[tuple[int, Outcome]]:
        """Replace a worker that is gone, and go on with its candidate."""
        job, was_ready = slot.job, bool(slot.process)
        log.warning("a worker was lost: %s", _cause(error))
        self._give_up(slot)
        if was_ready:
            self._start()
        else:  # whatever is wrong with it may be wrong with the next
            self._failure = _cause(error)
            self._vacancies.append(time.monotonic() + REHIRE_SECONDS)
            if self._jobs and not any(one.process for one in self._slots):
                job = self._jobs.popleft()  # else it would wait for ever
        if job is None:
            return []
        spent = {"lost": time.monotonic() - slot.began} if slot.began else {}
        if isinstance(error, ray.exceptions.OutOfMemoryError):
            outcome = Outcome(Status.OUT_OF_MEMORY, seconds=spent, message=short(error))
            return [(job.candidate.id, _with_losses(outcome, job))]
        return self._again(job, Outcome(Status.LOST, seconds=spent, message=_cause(error)))

    def _again(self, job: _Job, outcome: Outcome) -> list[tuple[int, Outcome]]:
        """Ask a candidate again that was lost with its worker, unless it was too often."""
        if job.losses >= self._task.workers.retries:
            message = f"lost {job.losses + 1} times, the last time: {outcome.message}"
            return [(job.candidate.id, _with_losses(replace(outcome, message=message), job))]
        log.warning("#%d is asked again: %s", job.candidate.id, outcome.message)
        job.losses += 1
        job.lost += sum(outcome.seconds.values())
        self._jobs.appendleft(job)
        return []

    def _silent(self) -> list[tuple[int, Outcome]]:
        """Give up workers whose keepers do not answer: limits are theirs to enforce."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return []
        self._looked, finished = now, []
        limit = self._task.candidate.timeout
        for slot in list(self._slots):
            job = slot.job
            if job is None or now - slot.began <= limit + STARTUP_SECONDS + PATIENCE:
                continue
            allowed = format_duration(limit)
            message = f"not finished within candidate.timeout ({allowed}); no answer since"
            outcome = Outcome(Status.TIMED_OUT, seconds={"lost": now - slot.began})
            finished.append(
                (job.candidate.id, _with_losses(replace(outcome, message=message), job))
            )
            self._give_up(slot)
            self._start()
        return finished

    def _give_up(self, slot: _Slot) -> None:
        self._slots.discard(slot)
        if slot in self._idle:
            self._idle.remove(slot)
        self._count()
        ray.kill(slot.actor)


def _with_losses(outcome: Outcome, job: _Job) -> Outcome:
    """An outcome with the time of the workers that were lost before."""
    if not job.losses:
        return outcome
    lost = outcome.seconds.get("lost", 0.0) + job.lost
    return replace(outcome, seconds={**outcome.seconds, "lost": lost})


def _write(path: Path, weights: bytes) -> None:
    """Weights that came from another machine, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_bytes(weights)
    draft.replace(path)


def _cause(error: BaseException) -> str:
    """What Ray's wrapping of an error is about."""
    return short(getattr(error, "cause", None) or error)
