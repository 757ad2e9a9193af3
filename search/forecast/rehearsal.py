"""A few seconds of a run: the real loop, store and evaluator, in a folder that is thrown away.

The seed and some children of it are trained on each rung for a small part of their budget, as
many candidates at a time as the run will train. `forecast.py` computes from what that took.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from primeval.dna.cost import Cost
from primeval.dna.program import Program
from primeval.evaluators.evaluator import Evaluator
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.settings import CandidateSettings
from primeval.evaluators.task import Task
from primeval.evaluators.workers.memory import descendants, gpu_count, held_memory, peak_memory
from primeval.primitives.errors import WorkError
from primeval.search.algorithm.gains import FIRST_SEED
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import RunConfig, SearchBudget
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress
from primeval.search.drive.starting import make_search, rungs_of
from primeval.search.drive.stops import Stop
from primeval.search.forecast.every_rung import EveryRung
from primeval.search.forecast.forecast import Measured, Pace, counted_step
from primeval.search.run.folder import Run, create_run
from primeval.search.run.kept_weights import weights_file

TRAINING_SECONDS = 4.0  # of each candidate, roughly
# Speed of a core with a small model, for guessing how many steps fit into that time.
FLOPS_PER_CORE = 30e9
LOOK_SECONDS = 0.5  # between measurements of memory
INSTANT = 60  # candidates, where nothing is trained (`toy`)
CLUSTER = 2  # workers, of all that a cluster has
APART = ("train", "evaluate", "reference")  # what is not overhead of every candidate

Start = Callable[[Task], Evaluator]


class RehearsalError(WorkError):
    """The seed cannot be trained with these settings; the message says how it ended."""


@dataclass(frozen=True)
class Rehearsal:
    """What was tried, and what it took.

    Attributes:
        shares: The part of the budget that candidates were trained for, on each rung.
        candidates: How many candidates were evaluated.
        measured: What they took.
    """

    shares: tuple[float, ...]
    candidates: int
    measured: Measured


def rehearse(
    config: RunConfig,
    seeds: dict[str, Program],
    costs: Sequence[Cost],
    folder: Path,
    tokens: int,
    start: Start,
) -> Rehearsal:
    """Run a configuration for a few seconds.

    Args:
        config: The configuration.
        seeds: Its seeds.
        costs: The costs of the first of them, on each rung.
        folder: An empty folder for the run, used by nothing else.
        tokens: Bytes of the corpora in tokens.
        start: Makes the evaluator.

    Raises RehearsalError if the seed cannot be trained.
    """
    shares = [
        _share(config.on(number), cost)
        for number, cost in zip(config.rung_numbers, costs, strict=True)
    ]
    workers = workers_here(config)
    run = create_run(_shortened(config, shares, workers, folder / "run"), seeds)
    try:
        startup, observer = _drive(run, start, _children(config, workers, len(seeds)))
    finally:
        run.close()
    measured = Measured(
        startup=startup,
        workers=workers,
        worker_memory=max(observer.peaks.values(), default=None),
        other_memory=observer.others,
        tokens=tokens,
        rungs=tuple(_pace(run.folder, observer, number) for number in config.rung_numbers),
    )
    return Rehearsal(tuple(shares), len(observer.outcomes), measured)


def _children(config: RunConfig, workers: int, seeds: int) -> int:
    """How many children there are: enough to keep the workers busy on every rung."""
    if config.workers.evaluator == "toy":
        return max(1, INSTANT - seeds)
    workers = workers if config.workers.address is None else min(workers, CLUSTER)
    return workers if config.rungs else max(1, workers - seeds)


def _drive(run: Run, start: Start, children: int) -> tuple[float, _Observer]:
    """Drive the run to its end: seconds until the workers were ready, and what was noted."""
    search = make_search(run.config, list(run.store.seeds.values()), run.language)
    search.climb(EveryRung(rungs_of(run.config), search.seed_count, children))
    began = time.perf_counter()
    evaluator = start(run.config.task(run.reference))
    observer = _Observer(_ready(evaluator))
    startup = time.perf_counter() - began
    _check(drive(run, search, evaluator, observer), observer.seed(1), run.config)
    for number in run.config.rung_numbers[1:]:
        _check(None, observer.seed(number), run.config, number)
    return startup, observer


def _ready(evaluator: Evaluator) -> list[int]:
    """The processes of an evaluator, once they are ready. Raises RehearsalError."""
    try:
        return evaluator.processes()
    except BaseException as error:
        evaluator.close()
        if isinstance(error, ValueError):
            raise RehearsalError(str(error)) from error
        raise


def workers_here(config: RunConfig) -> int:
    """Candidates trained at a time: as cores and GPUs allow, or all workers of a cluster."""
    workers = config.workers
    if workers.evaluator != "ray":
        return 1
    if workers.address is not None:
        return workers.count
    room = [workers.count, (os.cpu_count() or 1) // workers.threads]
    if workers.gpus:
        room.append(int(gpu_count() / workers.gpus))
    return max(1, min(room))


def _share(config: RunConfig, cost: Cost) -> float:
    """The part of the budget that takes about `TRAINING_SECONDS`."""
    budget = config.candidate.budget
    if config.workers.evaluator == "toy":
        return 1.0
    if budget.unit == "seconds":
        return min(1.0, TRAINING_SECONDS / budget.amount)
    counted = counted_step(config, cost)
    guess = counted.flops / (FLOPS_PER_CORE * config.workers.threads)
    # at least as many as give every hurdle a step of its own
    steps = max((2 << budget.hurdles) - 1, TRAINING_SECONDS / guess)
    return min(1.0, steps / budget.total_steps(1.0, guess, counted))


def _shortened(
    config: RunConfig, shares: Sequence[float], workers: int, folder: Path
) -> RunConfig:
    """The run with a part of the candidates' budget on each rung. `EveryRung` ends it."""
    workers = workers if config.workers.address is None else min(workers, CLUSTER)

    def part(candidate: CandidateSettings, share: float) -> CandidateSettings:
        amount = candidate.budget.amount * share
        return replace(candidate, budget=replace(candidate.budget, amount=amount))

    return replace(
        config,
        run_dir=str(folder),
        budget=SearchBudget(),
        candidate=part(config.candidate, shares[0]),
        rungs=tuple(
            replace(rung, candidate=part(rung.candidate, share))
            for rung, share in zip(config.rungs, shares[1:], strict=True)
        ),
        workers=replace(config.workers, count=workers),
    )


class _Observer(Progress):
    """Notes outcomes and memory while the rehearsal runs."""

    def __init__(self, processes: list[int]) -> None:
        self.outcomes: list[tuple[Individual, Outcome]] = []
        self.peaks = dict.fromkeys(processes, 0)
        self.others = 0
        self.elapsed = 0.0
        self._looked = -math.inf
        self.tick(0.0)

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.outcomes.append((individual, outcome))
        self.elapsed = elapsed

    def tick(self, elapsed: float) -> None:
        if elapsed < self._looked + LOOK_SECONDS:  # measuring takes milliseconds
            return
        self._looked = elapsed
        for process in self.peaks:
            self.peaks[process] = max(self.peaks[process], peak_memory(process))
        others = (descendants() | {os.getpid()}) - set(self.peaks)
        self.others = max(self.others, held_memory(others))

    def on(self, rung: int) -> list[tuple[Individual, Outcome]]:
        """Individuals of one rung, with their outcomes."""
        return [one for one in self.outcomes if one[0].rung == rung]

    def seed(self, rung: int) -> Outcome | None:
        """The outcome of the first seed on a rung; None if it was not trained there."""
        found = (out for one, out in self.on(rung) if FIRST_SEED in (one.id, one.of))
        return next(found, None)


def _check(stop: Stop | None, seed: Outcome | None, config: RunConfig, rung: int = 1) -> None:
    """Raise RehearsalError unless the first seed was trained on a rung."""
    if stop is not None and stop.reason == "interrupted":
        raise KeyboardInterrupt
    where = f" on rung {rung}" if config.rungs else ""
    if seed is None:
        message = "" if stop is None else f" {stop.message}"
        raise RehearsalError(f"Nothing could be evaluated{where}.{message}")
    if not math.isfinite(seed.fitness):
        key = "training.learning_rate" if rung == 1 else f"rungs.{rung}.training.learning_rate"
        hint = f" Lower {key}." if seed.status.value == "diverged" else ""
        raise RehearsalError(
            f"The seed cannot be trained with these settings{where} ({seed.status.value}): "
            f"{seed.message}.{hint}"
        )


def _pace(folder: Path, observer: _Observer, rung: int) -> Pace:
    """What training on a rung took, computed from the outcomes there."""
    seed, here = observer.seed(rung), observer.on(rung)
    if seed is None or not seed.seconds:  # nothing is trained: all time is the loop's own
        return Pace(None, observer.elapsed / len(observer.outcomes), 0.0, 0.0, 0)
    children = [out for _, out in here if out is not seed and out.steps]
    overheads = [
        math.fsum(one.seconds.values()) - math.fsum(_spent(one, cause) for cause in APART)
        for one in children or [seed]  # the seed itself is not calibrated
    ]
    validations = sum(len(one.curve) for _, one in here)
    evaluating = math.fsum(_spent(one, "evaluate") for _, one in here)
    files = [weights_file(folder, one.id) for one, _ in here]
    return Pace(
        step=_spent(seed, "train") / max(1, seed.steps),
        overhead=math.fsum(overheads) / len(overheads),
        # each process spends it with its first candidate
        reference=max((_spent(one, "reference") for one in children), default=0.0),
        validation=evaluating / max(1, validations),
        weights=max((file.stat().st_size for file in files if file.exists()), default=0),
    )


def _spent(outcome: Outcome, cause: str) -> float:
    return outcome.seconds.get(cause, 0.0)
