"""The Ray workers of a pool: hiring them, giving them work, hearing from them.

A worker comes when Ray has room for it, and may be lost at any time. What becomes of its
candidate is for `ray_pool.py`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import ray

from primeval.evaluators.evaluator import Candidate

REHIRE_SECONDS = 1.0  # before a worker is replaced that was lost before it was ready


@dataclass(eq=False)
class Job:
    """A candidate, and what happened to it so far.

    Attributes:
        losses: How many workers were lost with it.
        lost: Seconds that those workers had spent on it.
    """

    candidate: Candidate
    losses: int = 0
    lost: float = 0.0


@dataclass(eq=False)
class Slot:
    """A worker and what it is doing.

    Attributes:
        actor: Ray's handle of the worker.
        process: Id of its process that trains; 0 until that process is ready.
        job: What it is evaluating; None if it is idle or not ready.
        began: When it got its latest job, by `time.monotonic`; 0 if it never had one.
        call: The call that it is answering, kept because Ray drops a call without references.
    """

    actor: Any
    process: int = 0
    job: Job | None = None
    began: float = 0.0
    call: Any = None


class Crew:
    """Some workers, each in a slot.

    Args:
        hire: Asks Ray for one more worker, an actor with `prepare` and `evaluate`.
        count: How many workers to ask for.

    Attributes:
        slots: The workers that were asked for and are not lost.
        ready: How many of them have a process that can train.
        idle: Those that are ready and have no job, the longest idle first.
    """

    def __init__(self, hire: Callable[[], Any], count: int) -> None:
        self.slots: set[Slot] = set()
        self.ready = 0
        self.idle: deque[Slot] = deque()
        self._hire = hire
        # Ray's threads put finished calls here. Waiting for a list of calls instead would go
        # through the whole list at every event.
        self._finished: SimpleQueue[tuple[Slot, Any]] = SimpleQueue()
        self._vacancies: deque[float] = deque()  # when to ask for the next worker
        for _ in range(count):
            self.add()

    def add(self) -> None:
        """Ask for one more worker."""
        slot = Slot(self._hire())
        self.slots.add(slot)
        self._call(slot, slot.actor.prepare.remote())

    def add_later(self) -> None:
        """Ask for one more worker in a moment, by `fill_vacancies`."""
        self._vacancies.append(time.monotonic() + REHIRE_SECONDS)

    def fill_vacancies(self) -> None:
        """Ask for the workers that are due by now."""
        while self._vacancies and self._vacancies[0] <= time.monotonic():
            self._vacancies.popleft()
            self.add()

    def assign(self, job: Job) -> None:
        """Give a job to the worker that has been idle the longest. There must be one."""
        slot = self.idle.popleft()
        slot.job, slot.began = job, time.monotonic()
        # The call is not named after its candidate: Ray counts every name it ever saw.
        method = slot.actor.evaluate.options(name=job.candidate.purpose)
        self._call(slot, method.remote(job.candidate))

    def _call(self, slot: Slot, call: Any) -> None:
        slot.call = call
        call.future().add_done_callback(lambda done: self._finished.put((slot, done)))

    def finished(self, timeout: float) -> Iterator[tuple[Slot, Any]]:
        """Workers and the futures of their finished calls.

        Args:
            timeout: Seconds to wait for the first one; the others are not waited for.
        """
        try:
            slot, done = self._finished.get(timeout=timeout)
            while True:
                if slot in self.slots:  # otherwise it was dismissed meanwhile
                    yield slot, done
                slot, done = self._finished.get_nowait()
        except Empty:
            return

    def dismiss(self, slot: Slot) -> None:
        """Kill a worker, if it still lives, and forget it."""
        self.slots.remove(slot)
        self.ready -= bool(slot.process)
        if slot in self.idle:
            self.idle.remove(slot)
        ray.kill(slot.actor)

    def close(self) -> None:
        """Kill all workers."""
        for slot in self.slots:
            ray.kill(slot.actor)
        self.slots.clear()
        self.ready = 0
        self.idle.clear()
        self._vacancies.clear()
