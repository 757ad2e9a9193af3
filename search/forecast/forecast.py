"""What a whole run will take, computed from what a few seconds of it took.

The assumption is the paper's (A.3): half of the candidates pass each hurdle. So every band of
the budget costs the same, and a candidate uses (h + 1) / (2^(h+1) - 1) of it on average. The
first few candidates meet no threshold yet (`hurdles.LEAST`) and use all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from primeval.dna.cost import Cost
from primeval.evaluators.budget import Budget, StepCost
from primeval.search.algorithm.hurdles import LEAST
from primeval.search.config.settings import RunConfig

HOUR = 3600.0
# An individual with its outcome in the store: measured over 1,000 of them, four hurdles.
STORE_BYTES = 1200


@dataclass(frozen=True)
class Measured:
    """What a short trial of a configuration took, in seconds and bytes.

    Attributes:
        startup: Until the workers were ready.
        step: One training step of the seed; None where nothing is trained (`toy`).
        overhead: Of each candidate, however long it trains: building, compiling, calibrating.
        validation: One validation.
        workers: Candidates that were trained at a time.
        worker_memory: The most that one worker held; None if workers are on other machines.
        other_memory: The most that all other processes of the run held.
        tokens: Size of the corpus in tokens.
        weights: Size of the kept weights of one candidate.
    """

    startup: float
    step: float | None
    overhead: float
    validation: float
    workers: int
    worker_memory: int | None
    other_memory: int
    tokens: int
    weights: int


@dataclass(frozen=True)
class Forecast:
    """What a run will take, in seconds and bytes.

    Attributes:
        training: Training the seed for its full budget.
        full: A candidate that passes every hurdle.
        mean: A candidate on average.
        per_hour: Candidates an hour, after the first few.
        candidates: How many candidates there will be.
        seconds: The whole run.
        ends_by: What stops it: `candidates`, `time` or `compute`. A target loss cannot be
            foreseen.
        memory: The most that it holds at once; None if workers are on other machines.
        token_bytes: On disk: the corpus in tokens, shared by all runs.
        store_bytes: On disk: the run's store.
        weight_bytes: On disk: weights of the best, and of those in training.
    """

    training: float
    full: float
    mean: float
    per_hour: float
    candidates: int
    seconds: float
    ends_by: str
    memory: int | None
    token_bytes: int
    store_bytes: int
    weight_bytes: int

    @property
    def disk(self) -> int:
        """Bytes on disk in all."""
        return self.token_bytes + self.store_bytes + self.weight_bytes


def mean_share(hurdles: int) -> float:
    """The share of its budget that a candidate uses on average."""
    return (hurdles + 1) / ((2 << hurdles) - 1)


def counted_step(config: RunConfig, cost: Cost) -> StepCost:
    """The tokens and floating-point operations of a training step, counted."""
    tokens = config.training.batch_size * config.model.length
    return StepCost(tokens, 3.0 * cost.flops * tokens)


def full_training(budget: Budget, step: float, counted: StepCost) -> float:
    """Seconds of training in a full budget; `step` is the seed's, in seconds."""
    if budget.unit == "seconds":
        return budget.amount
    return budget.total_steps(1.0, step, counted) * step


@dataclass(frozen=True)
class _Work:
    """Seconds of workers' time that candidates take; the first few use all of their budget."""

    full: float
    mean: float
    unstopped: int  # candidates before there is a threshold

    def of(self, candidates: int) -> float:
        first = min(candidates, self.unstopped)
        return first * self.full + (candidates - first) * self.mean

    def within(self, seconds: float) -> int:
        """How many candidates fit into a time."""
        first = min(self.unstopped, int(seconds / self.full))
        if first < self.unstopped:
            return max(0, first)
        return first + max(0, int((seconds - self.of(first)) / self.mean))


def forecast(config: RunConfig, cost: Cost, measured: Measured) -> Forecast:
    """What the run of a configuration will take; `cost` is that of the first seed."""
    budget, in_processes = config.candidate.budget, config.workers.evaluator == "ray"
    processes = config.workers.count if in_processes else 1
    training, overhead = 0.0, measured.overhead
    if measured.step is not None:
        training = full_training(budget, measured.step, counted_step(config, cost))
    if in_processes:
        overhead += measured.startup / config.workers.recycle_after
    # all candidates reach the first validation, half the second, a quarter the third ...
    validations = 2.0 - 0.5**budget.hurdles
    work = _Work(
        overhead + training + (budget.hurdles + 1) * measured.validation,
        overhead + mean_share(budget.hurdles) * training + validations * measured.validation,
        LEAST + measured.workers - 1 if budget.hurdles else 0,
    )
    count, seconds, ends_by = _end(config, measured, work)
    kept = min(count, config.keep_weights + processes) if config.keep_weights else 0
    memory = None
    if measured.worker_memory is not None:
        memory = measured.other_memory + processes * measured.worker_memory
    return Forecast(
        training=training,
        full=work.full,
        mean=work.mean,
        per_hour=measured.workers * HOUR / work.mean,
        candidates=count,
        seconds=seconds,
        ends_by=ends_by,
        memory=memory,
        token_bytes=measured.tokens,
        store_bytes=count * STORE_BYTES,
        weight_bytes=kept * measured.weights,
    )


def _end(config: RunConfig, measured: Measured, work: _Work) -> tuple[int, float, str]:
    """How many candidates there will be, after how many seconds, and what stops the run."""
    limits = {"candidates": config.budget.max_candidates}
    if (time := config.budget.max_time) is not None:
        limits["time"] = work.within((time - measured.startup) * measured.workers)
    if (compute := config.budget.max_compute) is not None:
        limits["compute"] = work.within(compute)
    ends_by = min(limits, key=lambda limit: limits[limit])
    count = limits[ends_by]
    if ends_by == "time" and time is not None:
        return count, time, ends_by
    shortest = work.full if work.unstopped else work.mean
    return count, measured.startup + max(work.of(count) / measured.workers, shortest), ends_by
