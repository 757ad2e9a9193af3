"""Keeps one process that trains: limits it, sees how it ends, starts the next one.

The keeper loads no TensorFlow and runs nothing of a candidate, so it outlives all of them,
and can say what became of each: out of time, out of memory, aborted by which signal, or lost
through no fault of its own. It is a Ray actor in `ray_pool.py`; nothing here knows Ray.
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

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.settings import Task
from primeval.evaluators.units import format_duration, rough_bytes
from primeval.evaluators.workers.memory import held_memory, total_memory
from primeval.primitives.errors import WorkError

STARTUP_SECONDS = 300.0  # for importing TensorFlow, reading tokens, compiling the reference
LOOK_SECONDS = 0.1  # how often memory is looked at
SHARE = 0.9  # of a machine's memory, for all workers together
TAIL, MESSAGE = 16_000, 2000  # characters kept of what a process says, and passed on
FATAL = "Fatal Python error"  # of faulthandler; what comes before it is of the libraries
# Signals that come from outside: whoever runs the machine sends them. SIGKILL also comes from
# a kernel that is out of memory, which counts those.
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class WorkerError(WorkError):
    """A worker process cannot start; the message says why."""


class _Process:
    """A running bench process and the last it said."""

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
        self.said = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.began, self.ready = time.monotonic(), False
        self.evaluated, self.held_at_first = 0, 0
        self._kills = _kernel_kills()
        self.pipe.send(task)

    @property
    def id(self) -> int:
        return self._popen.pid

    def _read(self) -> None:
        """Take in all that it says: a pipe that is full would stop it."""
        if self._popen.stdout is not None:
            while more := os.read(self._popen.stdout.fileno(), TAIL):
                self.said = (self.said + more)[-TAIL:]

    def await_ready(self) -> None:
        """Wait until it has compiled what it needs. Raises WorkerError."""
        if self.ready:
            return
        left = max(0.0, self.began + STARTUP_SECONDS - time.monotonic())
        try:
            if not self.pipe.poll(left):
                raise WorkerError(f"it was not ready after {STARTUP_SECONDS:g} s.")
            self.pipe.recv()
        except (EOFError, OSError):
            raise WorkerError(f"{self.end()} {self.tail()}".strip()) from None
        self.ready, self.held_at_first = True, self.held()

    def held(self) -> int:
        return held_memory([self.id])

    def end(self) -> str:
        """How it ended, which it has, or does now."""
        return _how(self.wait())

    def wait(self) -> int:
        """Its exit status: minus the signal, if one ended it."""
        try:
            status = self._popen.wait(10)
        except subprocess.TimeoutExpired:  # it closed its end of the pipe, and lives
            self._popen.kill()
            status = self._popen.wait()
        self._reader.join(1.0)
        return status

    def starved(self) -> bool:
        """Whether the kernel killed processes for memory since it started."""
        return _kernel_kills() > self._kills

    def tail(self) -> str:
        """The last it said; where it was when it was aborted, if it was."""
        said = self.said.decode("utf-8", "replace").strip()
        before, fatal, where = said.rpartition(FATAL)
        if not fatal:
            return said[-MESSAGE:]
        why = "\n".join(before.strip().splitlines()[-3:])  # a failed check of TensorFlow says
        where, _, _ = where.partition("\n\nExtension modules")
        return f"{why}\n{fatal}{where}".strip()[:MESSAGE]

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()
        self.pipe.close()


@dataclass(frozen=True)
class Report:
    """What the pool gets back.

    Attributes:
        outcome: Of the candidate.
        held: Bytes that the process held when it was done, before it may be replaced.
        weights: The trained weights, where they do not stay on this machine.
        replaced: Why the process was replaced; empty if it was not.
        process: The id of the process that the next candidate will have.
    """

    outcome: Outcome
    held: int = 0
    weights: bytes | None = None
    replaced: str = ""
    process: int = 0


class Keeper:
    """Evaluates candidates in a process of its own, which it replaces as need be.

    Args:
        task: The settings all candidates share.
        sharing: Workers that this machine is for, if it is known.
        folder: Where weights wait to be sent to the driver; None writes them in place.
    """

    def __init__(self, task: Task, sharing: int = 1, folder: Path | None = None) -> None:
        self._task, self._folder = task, folder
        self.memory = task.workers.memory or int(SHARE * total_memory() / sharing)
        self._process = _Process(task)

    def prepare(self) -> int:
        """Wait for the process that trains; its id. Raises WorkerError."""
        self._process.await_ready()
        return self._process.id

    def evaluate(self, candidate: Candidate) -> Report:
        """One candidate; whatever it does comes back as an outcome. Raises WorkerError."""
        self._process.await_ready()
        began, weights = time.monotonic(), candidate.weights
        if self._folder is not None and weights is not None:
            here = self._folder / f"{os.getpid()}-{Path(weights).name}"
            candidate = replace(candidate, weights=str(here))
        outcome, usable = self._outcome(candidate, began)
        held = self._process.held()
        self._process.evaluated += not candidate.probe
        reason = self._used_up(held) if usable else outcome.status.value
        if reason:
            self._process.kill()
            self._process = _Process(self._task)
        sent = _taken(candidate) if self._folder is not None else None
        return Report(outcome, held, sent, reason, self._process.id)

    def close(self) -> None:
        self._process.kill()

    def _outcome(self, candidate: Candidate, began: float) -> tuple[Outcome, bool]:
        """What became of it, and whether the process can go on."""
        process, timeout = self._process, self._task.candidate.timeout

        def failed(status: Status, message: str) -> tuple[Outcome, bool]:
            spent = {"lost": time.monotonic() - began}
            return Outcome(status, seconds=spent, message=message), False

        try:
            process.pipe.send(candidate)
            while not process.pipe.poll(LOOK_SECONDS):
                if time.monotonic() - began > timeout:
                    message = (
                        f"not finished within candidate.timeout ({format_duration(timeout)})"
                    )
                    return failed(Status.TIMED_OUT, message)
                if (held := process.held()) > self.memory:
                    message = f"held {rough_bytes(held)}, more than {self._whose()}"
                    return failed(Status.OUT_OF_MEMORY, message)
            return process.pipe.recv(), True
        except (EOFError, OSError):
            return failed(*_cause(process))

    def _whose(self) -> str:
        if self._task.workers.memory:
            return f"workers.memory ({rough_bytes(self.memory)})"
        return f"a worker's share of this machine ({rough_bytes(self.memory)})"

    def _used_up(self, held: int) -> str:
        """Why the process is to be replaced; empty if it is not."""
        process, limits = self._process, self._task.workers
        if process.evaluated >= limits.recycle_after:
            return f"{process.evaluated} candidates"
        grown = held - process.held_at_first
        return f"it had grown by {rough_bytes(grown)}" if grown > limits.recycle_growth else ""


def _cause(process: _Process) -> tuple[Status, str]:
    """What a process that has died died of."""
    status = process.wait()
    tail = f": {tail}" if (tail := process.tail()) else ""
    if -status == signal.SIGKILL and process.starved():
        return Status.OUT_OF_MEMORY, "killed by the kernel, which was out of memory"
    if -status in FROM_OUTSIDE:
        return Status.LOST, f"its worker was ended from outside: {_how(status)}"
    return Status.CRASHED, f"{_how(status)}{tail}"


def _how(status: int) -> str:
    if status >= 0:
        return f"its process left with exit status {status}"
    try:
        return f"its process was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"its process was ended by signal {-status}"


def _kernel_kills() -> int:
    """Processes that the kernel has killed for memory since it started; 0 if unknown."""
    try:
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def _taken(candidate: Candidate) -> bytes | None:
    """The weights a candidate left, and does not leave behind."""
    path = Path(candidate.weights) if candidate.weights else None
    if path is None or not path.exists():
        return None
    weights = path.read_bytes()
    path.unlink()
    return weights
