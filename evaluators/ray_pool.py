"""Evaluates candidates in Ray worker processes: the only file that imports Ray.

Workers are actors that hold TensorFlow, the tokens and the compiled reference program. A
candidate goes in as text and numbers, an `Outcome` comes back. A worker that dies, hangs or
runs out of memory costs the candidate it held, and is replaced.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no calls home
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as Ray asks, silently

import ray

from primeval.evaluators.data import load_corpus
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.settings import Task

log = logging.getLogger(__name__)

STARTUP_SECONDS = 300.0  # for importing TensorFlow, reading tokens, compiling the reference
OBJECT_STORE_BYTES = 100_000_000  # only texts and numbers travel
POLL_SECONDS = 0.5  # how often time limits are looked at


class _Worker:
    """Lives in a worker process (made a Ray actor below)."""

    def __init__(self, task: Task) -> None:
        from primeval.evaluators.local import limit_threads
        from primeval.evaluators.trial import Workbench

        limit_threads(task.workers.threads)
        self._bench = Workbench(task)

    def prepare(self) -> int:
        """Compile what candidates are measured against; the process's id."""
        if self._bench.task.candidate.budget.unit == "reference_steps":
            self._bench.reference()
        return os.getpid()

    def evaluate(self, candidate: Candidate) -> Outcome:
        return self._bench.evaluate(candidate)


@dataclass
class _Slot:
    """A worker and what it is doing."""

    actor: Any
    ready: Any  # the call of `prepare`
    evaluated: int = 0
    candidate: Candidate | None = None
    deadline: float = 0.0


class RayEvaluator(Evaluator):
    """A pool of worker processes, one candidate each."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.capacity = task.workers.count
        load_corpus(task.data)  # tokens are made once, before workers ask for them
        self._own_cluster = _connect(task)
        self._idle = [self._start() for _ in range(self.capacity)]
        self._busy: dict[Any, _Slot] = {}

    def submit(self, candidate: Candidate) -> None:
        slot = self._idle.pop()
        starting = not ray.wait([slot.ready], timeout=0)[0]
        slot.candidate = candidate
        slot.deadline = time.monotonic() + self._task.candidate.timeout
        slot.deadline += STARTUP_SECONDS if starting else 0.0
        self._busy[slot.actor.evaluate.remote(candidate)] = slot

    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        end = time.monotonic() + timeout
        while self._busy:
            left = max(0.0, min(POLL_SECONDS, end - time.monotonic()))
            ready, _ = ray.wait(list(self._busy), timeout=left)
            finished = [self._collect(call) for call in ready] + self._expired()
            if finished or time.monotonic() >= end:
                return finished
        return []

    def warm_up(self) -> None:
        """Wait until every worker is ready."""
        ray.get([slot.ready for slot in (*self._idle, *self._busy.values())])

    def busy_processes(self) -> list[int]:
        """Process ids of the workers that hold a candidate."""
        return [ray.get(slot.ready) for slot in self._busy.values()]

    def close(self) -> None:
        for slot in (*self._idle, *self._busy.values()):
            ray.kill(slot.actor)
        self._idle, self._busy = [], {}
        if self._own_cluster:
            ray.shutdown()

    def _start(self) -> _Slot:
        actor = _remote_worker(self._task).remote(self._task)
        return _Slot(actor, actor.prepare.remote())

    def _collect(self, call: Any) -> tuple[int, Outcome]:
        """The outcome of a finished call, whatever became of its worker."""
        slot = self._busy.pop(call)
        candidate = _held(slot)
        slot.evaluated += 1
        try:
            outcome = ray.get(call)
        except ray.exceptions.OutOfMemoryError as error:
            outcome = Outcome(Status.OUT_OF_MEMORY, message=_short(error))
            slot.evaluated = self._task.workers.recycle_after
        except ray.exceptions.RayError as error:
            outcome = Outcome(Status.CRASHED, message=_short(error))
            slot.evaluated = self._task.workers.recycle_after
        self._release(slot)
        return candidate.id, outcome

    def _expired(self) -> list[tuple[int, Outcome]]:
        """Kill the workers of candidates that are out of time."""
        now, finished = time.monotonic(), []
        for call, slot in list(self._busy.items()):
            if now > slot.deadline:
                del self._busy[call]
                limit = self._task.candidate.timeout
                message = f"not finished within candidate.timeout ({limit:g} s)"
                finished.append((_held(slot).id, Outcome(Status.TIMED_OUT, message=message)))
                slot.evaluated = self._task.workers.recycle_after
                self._release(slot)
        return finished

    def _release(self, slot: _Slot) -> None:
        """Make the worker idle, or replace it when it is used up."""
        slot.candidate = None
        if slot.evaluated >= self._task.workers.recycle_after:
            log.info("replacing a worker after %d candidates", slot.evaluated)
            ray.kill(slot.actor)
            slot = self._start()
        self._idle.append(slot)


def _connect(task: Task) -> bool:
    """Start Ray on this machine, or join a cluster; whether it is ours to shut down."""
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    address = task.workers.address
    try:
        if address is not None:
            ray.init(address=address, **quiet)
        else:
            ray.init(
                num_cpus=task.workers.count * task.workers.threads,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **quiet,
            )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = "on this machine" if address is None else f"at workers.address {address}"
        raise ValueError(
            f"Ray does not start {where}: {_short(error)} "
            "For a search without Ray: --set workers.evaluator=local."
        ) from error
    return True


def _remote_worker(task: Task) -> Any:
    threads = str(task.workers.threads)
    environment = {
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if task.workers.threads == 1:  # splitting a module is overhead without threads
        flags = os.environ.get("XLA_FLAGS", "")
        environment["XLA_FLAGS"] = f"{flags} --xla_cpu_parallel_codegen_split_count=1".strip()
    return ray.remote(_Worker).options(
        num_cpus=task.workers.threads, max_restarts=0, runtime_env={"env_vars": environment}
    )


def _held(slot: _Slot) -> Candidate:
    if slot.candidate is None:
        raise RuntimeError("a busy worker holds a candidate")
    return slot.candidate


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]
