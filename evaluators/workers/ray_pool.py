"""Evaluates candidates in Ray workers: which worker has which, and what a lost worker means.

At most `workers.count` workers are there. What a candidate does to its process is handled by
the keeper (`keeper.py`) and comes back as an outcome. A worker may also be lost itself, if its
node goes or a person kills it. It is then replaced, and its candidate is evaluated again
without the search noticing.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from primeval.evaluators.data.corpus import Corpus
from primeval.evaluators.data.ladder import load_corpora
from primeval.evaluators.errors import described
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.task import Task
from primeval.evaluators.whole_files import replacing
from primeval.evaluators.workers.crew import Crew, Job, Slot
from primeval.evaluators.workers.keeper import STARTUP_SECONDS, Report, overdue
from primeval.evaluators.workers.ray_cluster import connect, hiring

log = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds beyond all limits before a keeper that does not answer is given up
LOOK_SECONDS = 1.0  # between looks for keepers that do not answer
# CHOICE: candidates in flight outnumber workers by a sixteenth, so that no worker waits for the
# driver to make a child. Children are out of date by as much: of sixteen candidates in flight
# they know one outcome less. With fewer than 16 workers there are none; it would not matter.
PER_SPARE = 16

Finished = list[tuple[int, Outcome]]


class RayEvaluator(Evaluator):
    """A pool of workers, one candidate each.

    Args:
        task: The settings that all candidates share.
        corpora: The tokens of each rung, if they are open already. They are needed before
            workers start, so that they are made once.
        hire: Asks for one more worker, an actor with `prepare` and `evaluate`; None for a
            `ray_cluster.Worker`.

    Raises:
        DataError: The tokens of a rung cannot be had, or are too few.
        ValueError: Ray does not start.
    """

    probes, prompt = True, True

    def __init__(
        self,
        task: Task,
        corpora: Sequence[Corpus] = (),
        hire: Callable[[], Any] | None = None,
    ) -> None:
        self._task = task
        corpora = corpora or load_corpora(task)
        self._connection = connect(task.workers)
        self._crew = Crew(hire or hiring(task, corpora), task.workers.count)
        self._jobs: deque[Job] = deque()  # submitted, and not with a worker
        self._flying = 0
        self._looked = 0.0  # when `_unanswered` last looked
        self._failure = ""  # why a worker could not start

    def submit(self, candidate: Candidate) -> None:
        self._flying += 1
        self._jobs.append(Job(candidate))
        self._dispatch()

    def wait(self, timeout: float) -> Finished:
        end = time.monotonic() + timeout
        finished: Finished = []
        while self._flying and not finished:
            left = end - time.monotonic()
            self._crew.fill_vacancies()
            finished = self._arrivals(max(0.0, min(LOOK_SECONDS, left)))
            self._flying -= len(finished)
            if left <= 0:
                break
        return finished

    def processes(self) -> list[int]:
        """As in `Evaluator`. On a cluster it waits for one worker only, and returns no ids.

        Raises ValueError if a worker cannot start.
        """
        elsewhere = self._task.workers.address is not None
        while self._crew.ready < (1 if elsewhere else len(self._crew.slots)):
            self._arrivals(LOOK_SECONDS)
            if self._failure:
                raise ValueError(f"A worker cannot start: {self._failure}")
        return [] if elsewhere else [slot.process for slot in self._crew.slots]

    def close(self) -> None:
        self._crew.close()
        self._jobs.clear()
        self._flying = 0
        self._connection.close()

    def _dispatch(self) -> None:
        """Give waiting candidates to idle workers."""
        while self._jobs and self._crew.idle:
            self._crew.assign(self._jobs.popleft())

    def _arrivals(self, timeout: float) -> Finished:
        """Handle every call that has finished; wait up to `timeout` seconds for the first."""
        finished: Finished = []
        for slot, done in self._crew.finished(timeout):
            finished += self._take(slot, done)
        finished += self._unanswered()
        self._dispatch()
        self.capacity = max(1, self._crew.ready + self._crew.ready // PER_SPARE)
        return finished

    def _take(self, slot: Slot, done: Any) -> Finished:
        """Handle one finished call: a worker is ready, has an outcome, or is lost."""
        job, error = slot.job, done.exception()
        if error is not None:
            return self._lost(slot, error)
        self._crew.idle.append(slot)
        if job is None:
            slot.process = int(done.result())
            self._crew.ready += 1
            return []
        slot.job = None
        report: Report = done.result()
        slot.process = report.process or slot.process
        if report.replaced:
            log.info("replacing a worker: %s", report.replaced)
        if report.outcome.status is Status.LOST:
            return self._again(job, report.outcome)
        if report.weights is not None and job.candidate.weights is not None:
            path = Path(job.candidate.weights)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as draft:
                draft.write_bytes(report.weights)
        return _finish(job, report.outcome)

    def _lost(self, slot: Slot, error: BaseException) -> Finished:
        """Replace a worker that is lost, and evaluate its candidate again."""
        job, was_ready = slot.job, bool(slot.process)
        log.warning("a worker was lost: %s", _cause(error))
        self._crew.dismiss(slot)
        if was_ready:
            self._crew.add()
        else:  # the next one may fail for the same reason
            self._failure = _cause(error)
            self._crew.add_later()
            if self._jobs and not self._crew.ready:
                job = self._jobs.popleft()  # otherwise it would wait for ever
        if job is None:
            return []
        spent = {"lost": time.monotonic() - slot.began} if slot.began else {}
        if isinstance(error, ray.exceptions.OutOfMemoryError):
            message = described(error)
            return _finish(job, Outcome(Status.OUT_OF_MEMORY, seconds=spent, message=message))
        return self._again(job, Outcome(Status.LOST, seconds=spent, message=_cause(error)))

    def _again(self, job: Job, outcome: Outcome) -> Finished:
        """Evaluate a lost candidate again, unless that has been done too often."""
        if job.losses >= self._task.workers.retries:
            message = f"lost {job.losses + 1} times, the last time: {outcome.message}"
            return _finish(job, replace(outcome, message=message))
        log.warning("#%d is evaluated again: %s", job.candidate.id, outcome.message)
        job.losses += 1
        job.lost += sum(outcome.seconds.values())
        self._jobs.appendleft(job)
        return []

    def _unanswered(self) -> Finished:
        """Give up workers whose keepers do not answer; they should have enforced the limits."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return []
        self._looked, finished = now, list[tuple[int, Outcome]]()
        for slot in list(self._crew.slots):
            if slot.job is None:
                continue
            spent, rung = now - slot.began, slot.job.candidate.rung
            limit = self._task.on(rung).candidate.timeout + STARTUP_SECONDS + PATIENCE
            if spent > limit:
                message = f"{overdue(self._task, rung)}; no answer since"
                outcome = Outcome(Status.TIMED_OUT, seconds={"lost": spent}, message=message)
                finished += _finish(slot.job, outcome)
                self._crew.dismiss(slot)
                self._crew.add()
        return finished


def _finish(job: Job, outcome: Outcome) -> Finished:
    """A candidate's id and outcome, with the seconds of the workers lost before."""
    if job.losses:
        lost = outcome.seconds.get("lost", 0.0) + job.lost
        outcome = replace(outcome, seconds={**outcome.seconds, "lost": lost})
    return [(job.candidate.id, outcome)]


def _cause(error: BaseException) -> str:
    """The error that Ray has wrapped, as text."""
    return described(getattr(error, "cause", None) or error)
