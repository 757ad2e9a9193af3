"""The step contest: decoded programs against hand-written models, in turns.

All compile at once. Then one works at a time, all on the same core. In a round each entry of a
size has one turn of the same number of steps. Ratios are taken within a round; their median
counts.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import math
import multiprocessing
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any

from contestants import Entry, Shape, run
from worker_life import as_in_a_worker

from primeval.evaluators.data.corpus import cache_dir
from primeval.evaluators.data_settings import DataSettings

TURN_SECONDS = 0.3  # long enough for the clock, short enough for many rounds
# A worker trains hundreds of steps per call, so the cost of a call must not weigh on a few.
TURN_STEPS = 4
MIN_ROUNDS, MAX_ROUNDS = 3, 15
OURS, TORCH = ("transformer", "primer_ez"), ("torch_eager", "torch_compiled")
SAME_PARAMETERS = 0.02  # largest difference, as a share

Round = dict[str, tuple[float, float]]  # CPU and wall seconds per step, by name


@dataclass
class Contest:
    """The entries that are ready, why others are absent, and the rounds of each size."""

    parameters: dict[Entry, int] = field(default_factory=dict)
    absent: dict[Entry, str] = field(default_factory=dict)
    rounds: dict[Shape, list[Round]] = field(default_factory=dict)


class _Child:
    """A contestant's process."""

    def __init__(self, kind: str, shapes: list[Shape], folder: Path) -> None:
        names = OURS if kind == "ours" else (kind,)
        self.waiting = {Entry(name, shape) for shape in shapes for name in names}
        self.may_fail, self.may_be_late = kind in TORCH, kind == "torch_compiled"
        self.errors = folder / f"{kind}-{shapes[0]}.txt"
        spawn = multiprocessing.get_context("spawn")
        self.line, other = spawn.Pipe()
        self.process = spawn.Process(target=run, args=(kind, shapes, other, self.errors))
        self.process.start()
        other.close()

    def turn(self, entry: Entry, steps: int, core: int | None) -> tuple[float, float]:
        """CPU and wall seconds per step."""
        self.line.send((entry, steps, core))
        try:
            cpu, wall = self.line.recv()
        except EOFError:
            raise self.died() from None
        return cpu / steps, wall / steps

    def died(self) -> RuntimeError:
        return RuntimeError(f"{self.errors.stem} ended: {self.errors.read_text()[-2000:]}")

    def end(self) -> None:
        self.process.kill()
        if self.process.pid is not None:
            with suppress(ProcessLookupError):  # ends the compilers that it started
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()
        self.line.close()


def hold(shapes: list[Shape], seconds: float) -> Contest:
    """Hold the contest, in about `seconds`; 0 lets every entry finish compiling."""
    began = time.monotonic()
    late, end = (began + seconds / 2, began + seconds) if seconds else (math.inf, math.inf)
    contest = Contest(rounds={shape: [] for shape in shapes})
    if not importlib.util.find_spec("torch"):
        reason = "PyTorch is not installed: pip install 'primeval[benchmarks]'"
        contest.absent = {Entry(name, shape): reason for name in TORCH for shape in shapes}
    children: list[_Child] = []
    with tempfile.TemporaryDirectory() as folder, as_in_a_worker():
        os.environ["TF_XLA_FLAGS"] = _compiled_once()
        try:
            children += (_Child(*team, Path(folder)) for team in _teams(shapes))
            owners = _assemble(children, contest, late)
            _play(owners, contest, end)
        finally:
            for child in children:
                child.end()
    return contest


def _teams(shapes: list[Shape]) -> Iterator[tuple[str, list[Shape]]]:
    """Kinds and sizes of the processes; those that compile longest come first."""
    largest_first = sorted(shapes, key=lambda shape: -shape.width)
    yield from ((kind, [shape]) for shape in largest_first for kind in ("ours", "keras"))
    if importlib.util.find_spec("torch"):
        yield "torch_eager", shapes
        yield from (("torch_compiled", [shape]) for shape in shapes)


def _compiled_once() -> str:
    """TensorFlow's flag to keep what XLA compiled, as PyTorch does by itself.

    Each value of XLA_FLAGS gets a folder of its own, as TensorFlow does not tell them apart.
    """
    version = importlib.metadata.version("tensorflow")
    key = hashlib.blake2b(f"{version} {os.environ.get('XLA_FLAGS')}".encode(), digest_size=8)
    folder = cache_dir(DataSettings()) / "xla" / key.hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    flags = os.environ.get("TF_XLA_FLAGS", "")
    return f"{flags} --tf_xla_persistent_cache_directory={folder}".strip()


def _assemble(children: list[_Child], contest: Contest, late: float) -> dict[Entry, _Child]:
    """Wait until all entries are ready; after `late`, only for those that may not be late."""
    owners: dict[Entry, _Child] = {}
    waited = {child.line: child for child in children}
    while waited:
        needed = any(not child.may_be_late for child in waited.values())
        patience = None if needed or late == math.inf else max(0.0, late - time.monotonic())
        ready = connection.wait(list(waited), patience)
        for line in ready:
            child = waited[line]
            try:
                entry, parameters = line.recv()
            except EOFError:
                if not child.may_fail:
                    raise child.died() from None
                reason = str(child.died()).strip().splitlines()[-1]
                contest.absent |= dict.fromkeys(child.waiting, f"it failed: {reason}")
                del waited[line]
                continue
            child.waiting.discard(entry)
            owners[entry], contest.parameters[entry] = child, parameters
            if not child.waiting:
                del waited[line]
        if not ready:
            break
    for child in waited.values():
        contest.absent |= dict.fromkeys(child.waiting, "not compiled in time")
        child.end()
    return owners


def _play(owners: dict[Entry, _Child], contest: Contest, end: float) -> None:
    """Play rounds of all sizes in turn until the time is up, more of the cheaper size."""
    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    spent, steps = dict.fromkeys(contest.rounds, 0.0), {}
    for shape in contest.rounds:
        first = [_turn(owners, one, 1, core)[0] for one in owners if one.shape == shape]
        steps[shape] = max(TURN_STEPS, round(TURN_SECONDS / min(first)))
    while unfinished := [
        shape
        for shape, rounds in contest.rounds.items()
        if len(rounds) < MIN_ROUNDS or (len(rounds) < MAX_ROUNDS and time.monotonic() < end)
    ]:
        shape = min(unfinished, key=lambda one: spent[one])
        rounds = contest.rounds[shape]
        order = [one for one in owners if one.shape == shape]
        if len(rounds) % 2:
            order.reverse()
        began = time.monotonic()
        rounds.append({one.name: _turn(owners, one, steps[shape], core) for one in order})
        spent[shape] += time.monotonic() - began


def _turn(
    owners: dict[Entry, _Child], entry: Entry, steps: int, core: int | None
) -> tuple[float, float]:
    return owners[entry].turn(entry, steps, core)


def ratio(rounds: list[Round], name: str, other: str) -> float | None:
    """The median over rounds of one's CPU time a step over another's; None if one is absent."""
    pairs = [(one[name][0], one[other][0]) for one in rounds if name in one and other in one]
    return statistics.median(a / b for a, b in pairs) if pairs else None


def figures(contest: Contest) -> dict[str, Any]:
    """The contest's results as plain data. Raises RuntimeError if models differ in size."""
    found: dict[str, Any] = {
        "step_over_keras": {},
        "step_over_torch": {},
        "primer_ez_over_transformer": {},
        "steps": {},
    }
    for shape, rounds in contest.rounds.items():
        at = str(shape)
        _require_equals(contest, shape)
        found["step_over_keras"][at] = ratio(rounds, "transformer", "keras")
        over = {name: ratio(rounds, "transformer", name) for name in TORCH}
        known = [one for one in over.values() if one is not None]
        found["step_over_torch"][at] = max(known, default=None)
        found["primer_ez_over_transformer"][at] = ratio(rounds, *reversed(OURS))
        found["steps"][at] = {
            "rounds": len(rounds),
            "cpu_ms": _milliseconds(rounds, 0),
            "wall_ms": _milliseconds(rounds, 1),
            "over": over,
            "absent": {e.name: why for e, why in contest.absent.items() if e.shape == shape},
        }
    return found


def _require_equals(contest: Contest, shape: Shape) -> None:
    """Check by their parameters that the hand-written models equal the decoded one."""
    counts = {e.name: n for e, n in contest.parameters.items() if e.shape == shape}
    for name, count in counts.items():
        if abs(count / counts["transformer"] - 1) > SAME_PARAMETERS:
            raise RuntimeError(f"{name} at {shape} has another size: {counts}")


def _milliseconds(rounds: list[Round], clock: int) -> dict[str, float]:
    names = rounds[0]
    return {name: 1e3 * statistics.median(one[name][clock] for one in rounds) for name in names}
