"""A few seconds of a run: the real loop, store and evaluator, in a folder that is thrown away.

The seed and a child of it are trained for a small part of their budget, as many candidates at
a time as the run will train. `forecast.py` computes from what that took.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from primeval.dna.cost import Cost
from primeval.dna.program import Program
from primeval.evaluators.evaluator import Evaluator
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.task import Task
from primeval.evaluators.workers.memory import descendants, gpu_count, held_memory, peak_memory
from primeval.primitives.errors import WorkError
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import RunConfig, SearchBudget
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress
from primeval.search.drive.starting import make_search
from primeval.search.drive.stops import Stop
from primeval.search.forecast.forecast import Measured, counted_step
from primeval.search.run.folder import Run, create_run

TRAINING_SECONDS = 4.0  # of each candidate, roughly
# Speed of a core with a small model, for guessing how many steps fit into that time.
FLOPS_PER_CORE = 30e9
LOOK_SECONDS = 0.5  # between measurements of memory
INSTANT = 60  # candidates, where nothing is trained (`toy`)

Start = Callable[[Task], Evaluator]


class RehearsalError(WorkError):
    """The seed cannot be trained with these settings; the message says how it ended."""


@dataclass(frozen=True)
class Rehearsal:
    """What was tried, and what it took.

    Attributes:
        share: The part of its budget that it was trained for.
        candidates: How many candidates were evaluated.
        measured: What they took.
    """

    share: float
    candidates: int
    measured: Measured


def rehearse(
    config: RunConfig,
    seeds: dict[str, Program],
    cost: Cost,
    folder: Path,
    tokens: int,
    start: Start,
) -> Rehearsal:
    """Run a configuration for a few seconds.

    Args:
        config: The configuration.
        seeds: Its seeds.
        cost: The cost of the first of them.
        folder: An empty folder for the run, used by nothing else.
        tokens: Bytes of the corpus in tokens.
        start: Makes the evaluator.

    Raises RehearsalError if the seed cannot be trained.
    """
    share, workers = _share(config, cost), workers_here(config)
    run = create_run(_shortened(config, share, workers, folder / "run"), seeds)
    try:
        startup, observer = _drive(run, start)
    finally:
        run.close()
    weights = [file.stat().st_size for file in (run.folder / "weights").glob("*.npz")]
    step, overhead, validation = _seconds(observer)
    measured = Measured(
        startup=startup,
        step=step,
        overhead=overhead,
        validation=validation,
        workers=workers,
        worker_memory=max(observer.peaks.values(), default=None),
        other_memory=observer.others,
        tokens=tokens,
        weights=max(weights, default=0),
    )
    return Rehearsal(share, len(observer.outcomes), measured)


def _drive(run: Run, start: Start) -> tuple[float, _Observer]:
    """Drive the run to its end: seconds until the workers were ready, and what was noted."""
    search = make_search(run.config, list(run.store.seeds.values()), run.language)
    began = time.perf_counter()
    evaluator = start(run.config.task(run.reference))
    observer = _Observer(_ready(evaluator))
    startup = time.perf_counter() - began
    _check(drive(run, search, evaluator, observer), observer.outcomes)
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


def _shortened(config: RunConfig, share: float, workers: int, folder: Path) -> RunConfig:
    """The run with two candidates, or one for each worker, and a part of their budget."""
    toy, address = config.workers.evaluator == "toy", config.workers.address
    workers = workers if address is None else min(workers, 2)
    candidates = INSTANT if toy else max(2, workers)
    budget = config.candidate.budget
    part = replace(budget, amount=budget.amount * share)
    return replace(
        config,
        run_dir=str(folder),
        budget=SearchBudget(min(candidates, config.budget.max_candidates)),
        candidate=replace(config.candidate, budget=part),
        workers=replace(config.workers, count=workers),
    )


class _Observer(Progress):
    """Notes outcomes and memory while the rehearsal runs."""

    def __init__(self, processes: list[int]) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.peaks = dict.fromkeys(processes, 0)
        self.others = 0
        self.elapsed = 0.0
        self._looked = -math.inf
        self.tick(0.0)

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.outcomes[individual.id] = outcome
        self.elapsed = elapsed

    def tick(self, elapsed: float) -> None:
        if elapsed < self._looked + LOOK_SECONDS:  # measuring takes milliseconds
            return
        self._looked = elapsed
        for process in self.peaks:
            self.peaks[process] = max(self.peaks[process], peak_memory(process))
        others = (descendants() | {os.getpid()}) - set(self.peaks)
        self.others = max(self.others, held_memory(others))


def _check(stop: Stop, outcomes: dict[int, Outcome]) -> None:
    if stop.reason == "interrupted":
        raise KeyboardInterrupt
    seed = outcomes.get(0)
    if seed is None:
        raise RehearsalError(f"Nothing could be evaluated. {stop.message}")
    if not math.isfinite(seed.fitness):
        hint = " Lower training.learning_rate." if seed.status.value == "diverged" else ""
        raise RehearsalError(
            f"The seed cannot be trained with these settings ({seed.status.value}): "
            f"{seed.message}.{hint}"
        )


def _seconds(observer: _Observer) -> tuple[float | None, float, float]:
    """The step, overhead and validation of `Measured`, computed from the outcomes."""
    seed = observer.outcomes[0]
    if not seed.seconds:  # nothing is trained: all time is the loop's own
        each = observer.elapsed / len(observer.outcomes)
        return None, each, 0.0
    children = [one for number, one in observer.outcomes.items() if number and one.steps]
    overheads = [
        sum(one.seconds.values()) - _spent(one, "train") - _spent(one, "evaluate")
        for one in children or [seed]  # the seed itself is not calibrated
    ]
    validations = sum(len(one.curve) for one in observer.outcomes.values())
    evaluating = sum(_spent(one, "evaluate") for one in observer.outcomes.values())
    return (
        _spent(seed, "train") / max(1, seed.steps),
        sum(overheads) / len(overheads),
        evaluating / max(1, validations),
    )


def _spent(outcome: Outcome, cause: str) -> float:
    return outcome.seconds.get(cause, 0.0)
