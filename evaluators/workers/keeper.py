"""Keeps one process that trains: limits it, finds out how it ends, starts the next one.

The keeper loads no TensorFlow and runs no part of a candidate, so it outlives all of them. It
can report what became of each: out of time, out of memory, ended by a signal, or lost through
no fault of its own. Inside a Ray actor it is `ray_cluster.Worker`; nothing here imports Ray.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from pathlib import Path

from primeval.evaluators.errors import MESSAGE_LENGTH
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.task import Task
from primeval.evaluators.units import format_duration, rough_bytes
from primeval.evaluators.workers.memory import held_memory, kernel_kills, total_memory
from primeval.primitives.errors import WorkError

STARTUP_SECONDS = 300.0  # to import TensorFlow, read the tokens, compile the reference
LOOK_SECONDS = 0.1  # between looks at time and memory
SHARE = 0.9  # of the machine's memory, for all workers together
TAIL = 16_000  # bytes kept of what a process prints
FATAL = "Fatal Python error"  # written by faulthandler; libraries write before it
# Signals that come from outside the process, from a person or from the machine's software.
# SIGKILL also comes from a kernel that is out of memory; the kernel counts those.
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class WorkerError(WorkError):
    """A process that trains cannot start; the message says why."""


class _Process:
    """A running process that trains (`process.py`), and the last of what it printed."""

    def __init__(self, task: Task) -> None:
        self.pipe, theirs = Pipe()
        command = [sys.executable, "-m", "primeval.evaluators.workers.process"]
        with theirs:
            self._popen = subprocess.Popen(
                [*command, str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.id, self.said = self._popen.pid, b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.began, self.ready = time.monotonic(), False
        self.evaluated, self.held_at_first = 0, 0
        # Rungs whose workbench the process may have: it is there to stay, so its memory does
        # not count as growth.
        self.rungs = {1}
        self.kills_before = kernel_kills()
        self.pipe.send(task)

    def _read(self) -> None:
        """Read everything that it prints, since a full pipe would stop it."""
        if self._popen.stdout is not None:
            while more := os.read(self._popen.stdout.fileno(), TAIL):
                self.said = (self.said + more)[-TAIL:]

    def await_ready(self) -> None:
        """Wait until it can train. Raises WorkerError if it ends or takes too long."""
        if self.ready:
            return
        left = max(0.0, self.began + STARTUP_SECONDS - time.monotonic())
        try:
            if not self.pipe.poll(left):
                raise WorkerError(f"it was not ready after {STARTUP_SECONDS:g} s.")
            self.pipe.recv()
        except (EOFError, OSError):
            raise WorkerError(f"{_how(self.wait())} {self.tail()}".strip()) from None
        self.ready, self.held_at_first = True, self.held()

    def held(self) -> int:
        """Bytes of memory that it holds now; 0 if it has ended."""
        return held_memory([self.id])

    def wait(self) -> int:
        """Its exit status; minus the signal if a signal ended it. Ends it after 10 s."""
        try:
            status = self._popen.wait(10)
        except subprocess.TimeoutExpired:  # it has closed its end of the pipe but still runs
            self._popen.kill()
            status = self._popen.wait()
        self._reader.join(1.0)
        return status

    def tail(self) -> str:
        """The last of what it printed; if it was aborted, the reason and where it was."""
        said = self.said.decode("utf-8", "replace").strip()
        before, fatal, where = said.rpartition(FATAL)
        if not fatal:
            return said[-MESSAGE_LENGTH:]
        why = "\n".join(before.strip().splitlines()[-3:])  # for example TensorFlow's reason
        where, _, _ = where.partition("\n\nExtension modules")
        return f"{why}\n{fatal}{where}".strip()[:MESSAGE_LENGTH]

    def kill(self) -> None:
        """End the process at once."""
        self._popen.kill()
        self._popen.wait()
        self.pipe.close()


@dataclass(frozen=True)
class Report:
    """What a keeper returns for a candidate.

    Attributes:
        outcome: The candidate's outcome.
        held: Bytes that the process held at the end of the evaluation.
        weights: The file of trained weights, if the driver is on another machine.
        replaced: Why the process was replaced afterwards; empty if it was not.
        process: The id of the process that evaluates the next candidate.
    """

    outcome: Outcome
    held: int = 0
    weights: bytes | None = None
    replaced: str = ""
    process: int = 0


class Keeper:
    """Evaluates candidates in a process of its own, which it replaces when necessary.

    Args:
        task: The settings that all candidates share.
        sharing: How many workers share this machine's memory; 1 if that is not known.
        folder: Where weights are kept until they are sent to the driver; None if the driver is
            on this machine, so that they are written where it wants them.

    Attributes:
        memory: Bytes that the process may hold.
    """

    def __init__(self, task: Task, sharing: int = 1, folder: Path | None = None) -> None:
        self._task, self._folder = task, folder
        limit = task.workers.memory
        self.memory = limit or int(SHARE * total_memory() / sharing)
        self._whose = "workers.memory" if limit else "a worker's share of this machine"
        self._process = _Process(task)

    def prepare(self) -> int:
        """The id of the process that trains, once it is ready. Raises WorkerError."""
        self._process.await_ready()
        return self._process.id

    def evaluate(self, candidate: Candidate) -> Report:
        """Evaluate one candidate; whatever it does comes back as an outcome.

        Raises WorkerError if the process that should evaluate it cannot start.
        """
        self._process.await_ready()
        began, before, here = time.monotonic(), self._process.held(), None
        if self._folder is not None and candidate.weights is not None:
            here = self._folder / f"{os.getpid()}-{Path(candidate.weights).name}"
            candidate = replace(candidate, weights=str(here))
        answer = self._answer(candidate, began)
        held = self._process.held()
        if candidate.rung not in self._process.rungs:
            self._process.rungs.add(candidate.rung)
            self._process.held_at_first += max(0, held - before)
        self._process.evaluated += not candidate.probe
        if isinstance(answer, Outcome):
            outcome, reason = answer, self._used_up(held)
        else:
            (status, message), spent = answer, {"lost": time.monotonic() - began}
            outcome, reason = Outcome(status, seconds=spent, message=message), status.value
        if reason:
            self._process.kill()
            self._process = _Process(self._task)
        return Report(outcome, held, _taken(here), reason, self._process.id)

    def close(self) -> None:
        """End the process that trains."""
        self._process.kill()

    def _answer(self, candidate: Candidate, began: float) -> Outcome | tuple[Status, str]:
        """What the process reports of a candidate.

        If it reports nothing: a status and the reason. The process cannot be used again then.
        """
        process, rung = self._process, candidate.rung
        timeout = self._task.on(rung).candidate.timeout
        try:
            process.pipe.send(candidate)
            while not process.pipe.poll(LOOK_SECONDS):
                if time.monotonic() - began > timeout:
                    return Status.TIMED_OUT, overdue(self._task, rung)
                if (held := process.held()) > self.memory:
                    limit = f"{self._whose} ({rough_bytes(self.memory)})"
                    return Status.OUT_OF_MEMORY, f"held {rough_bytes(held)}, more than {limit}"
            outcome: Outcome = process.pipe.recv()
            return outcome
        except (EOFError, OSError):
            return _cause(process)

    def _used_up(self, held: int) -> str:
        """Why the process must be replaced; empty if it need not be."""
        process, limits = self._process, self._task.workers
        if process.evaluated >= limits.recycle_after:
            return f"{process.evaluated} candidates"
        grown = held - process.held_at_first
        return f"it had grown by {rough_bytes(grown)}" if grown > limits.recycle_growth else ""


def overdue(task: Task, rung: int) -> str:
    """What is said of a candidate that has exceeded the time limit of its rung."""
    limit = format_duration(task.on(rung).candidate.timeout)
    whose = f" of rung {rung}" if rung > 1 else ""
    return f"not finished within candidate.timeout ({limit}){whose}"


def _cause(process: _Process) -> tuple[Status, str]:
    """Why a process ended by itself, as a status and a message."""
    status = process.wait()
    tail = f": {tail}" if (tail := process.tail()) else ""
    if -status == signal.SIGKILL and kernel_kills() > process.kills_before:
        return Status.OUT_OF_MEMORY, "killed by the kernel, which was out of memory"
    if -status in FROM_OUTSIDE:
        return Status.LOST, f"its worker was ended from outside: {_how(status)}"
    return Status.CRASHED, f"{_how(status)}{tail}"


def _how(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"its process left with exit status {status}"
    names = {one.value: one.name for one in signal.Signals}
    return f"its process was ended by {names.get(-status, f'signal {-status}')}"


def _taken(path: Path | None) -> bytes | None:
    """The weights in a file, which is removed; None if a candidate has not written it."""
    if path is None or not path.exists():
        return None
    weights = path.read_bytes()
    path.unlink()
    return weights
