"""What a whole run will take, computed from what a few seconds of it took (`work.py`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from primeval.dna.cost import Cost
from primeval.evaluators.budget import Budget, StepCost
from primeval.search.config.settings import FIRST_HIGHER, RunConfig
from primeval.search.forecast.work import (
    FAIL_AT_ONCE,
    Training,
    Trainings,
    Work,
    mean_share,
    unstopped,
)
from primeval.search.statistics.noise import floor_in_deviations

HOUR = 3600.0
# An individual with its outcome in the store: measured over 1,000 of them, four hurdles.
STORE_BYTES = 1200


@dataclass(frozen=True)
class Pace:
    """What training on one rung took, in seconds and bytes.

    Attributes:
        step: One training step of the seed; None where nothing is trained (`toy`).
        overhead: Of each candidate, however long it trains: building, compiling, calibrating.
        reference: Of each process, once: compiling what candidates are calibrated against.
        validation: One validation.
        weights: Size of the kept weights of one candidate.
    """

    step: float | None
    overhead: float
    reference: float
    validation: float
    weights: int


@dataclass(frozen=True)
class Measured:
    """What a short trial of a configuration took, in seconds and bytes.

    Attributes:
        startup: Until the workers were ready.
        workers: Candidates that were trained at a time.
        worker_memory: The most that one worker held; None if workers are on other machines.
        other_memory: The most that all other processes of the run held.
        tokens: Size of the corpora in tokens.
        rungs: What each rung took, the lowest first.
    """

    startup: float
    workers: int
    worker_memory: int | None
    other_memory: int
    tokens: int
    rungs: tuple[Pace, ...]


@dataclass(frozen=True)
class RungForecast:
    """What one rung of a run will take, in seconds.

    Attributes:
        training: Training the seed for its full budget.
        full: A candidate that passes every hurdle.
        mean: A candidate on average.
        programs: How many programs will be trained on it, seeds included.
        replicates: How often the first seed will be trained once more.
        seconds: Workers' time.
        share: Its share of all workers' time.
        noise: Workers' time of the replicates, which is part of it.
        compared: How many programs will be trained to the end and compared with the first seed.
        floor: How large a gain must be to be beyond noise, in standard deviations of the first
            seed's loss; None if the noise is not measured.
    """

    training: float
    full: float
    mean: float
    programs: int
    replicates: int
    seconds: float
    share: float
    noise: float
    compared: int
    floor: float | None


@dataclass(frozen=True)
class Forecast:
    """What a run will take, in seconds and bytes.

    Attributes:
        rungs: Each rung, the lowest first.
        per_hour: Candidates an hour, after the first few.
        candidates: How many candidates there will be, on all rungs.
        seconds: The whole run.
        ends_by: What stops it: `candidates`, `time` or `compute`. A target loss cannot be
            foreseen.
        memory: The most that it holds at once; None if workers are on other machines.
        token_bytes: On disk: the corpora in tokens, shared by all runs.
        store_bytes: On disk: the run's store.
        weight_bytes: On disk: weights of the best, and of those in training.
    """

    rungs: tuple[RungForecast, ...]
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


def counted_step(config: RunConfig, cost: Cost) -> StepCost:
    """The tokens and floating-point operations of a training step, counted."""
    tokens = config.training.batch_size * config.model.length
    return StepCost(tokens, 3.0 * cost.flops * tokens)


def full_training(budget: Budget, step: float, counted: StepCost) -> float:
    """Seconds of training in a full budget; `step` is the seed's, in seconds."""
    if budget.unit == "seconds":
        return budget.amount
    return budget.total_steps(1.0, step, counted) * step


def forecast(config: RunConfig, costs: Sequence[Cost], measured: Measured) -> Forecast:
    """What the run of a configuration will take.

    Args:
        config: The configuration.
        costs: Of the first seed, on each rung.
        measured: What a trial took.
    """
    processes = config.workers.count if config.workers.evaluator == "ray" else 1
    work = _work(config, costs, measured, processes)
    trainings, seconds, ends_by = _end(config, measured, work)
    training = [
        _training_seconds(config.on(number), cost, pace)
        for number, cost, pace in zip(config.rung_numbers, costs, measured.rungs, strict=True)
    ]
    count = sum(one.count for one in trainings)
    pairs = list(zip(trainings, work.rungs, strict=True))
    typical = [one.count * (1 - rung.failing) * rung.mean for one, rung in pairs]
    mean = math.fsum(typical) / count if count else work.rungs[0].mean
    memory = None
    if measured.worker_memory is not None:
        memory = measured.other_memory + processes * measured.worker_memory
    return Forecast(
        rungs=_rungs(work, trainings, training),
        per_hour=measured.workers * HOUR / mean,
        candidates=count,
        seconds=seconds,
        ends_by=ends_by,
        memory=memory,
        token_bytes=measured.tokens,
        store_bytes=count * STORE_BYTES,
        weight_bytes=_weight_bytes(config, measured, trainings, processes),
    )


def _training_seconds(config: RunConfig, cost: Cost, pace: Pace) -> float:
    """Seconds of training in a full budget, on the rung of which this is the configuration."""
    if pace.step is None:
        return 0.0
    return full_training(config.candidate.budget, pace.step, counted_step(config, cost))


def _work(config: RunConfig, costs: Sequence[Cost], measured: Measured, processes: int) -> Work:
    """What trainings cost on each rung."""
    in_processes = config.workers.evaluator == "ray"
    lifetime = config.workers.recycle_after if in_processes else math.inf
    seeds, rungs = len(config.search.seeds), []
    promotes = (0.0, *(one.promote for one in config.rungs))
    for number, cost, pace in zip(config.rung_numbers, costs, measured.rungs, strict=True):
        alone = config.on(number)
        budget = alone.candidate.budget
        training = _training_seconds(alone, cost, pace)
        overhead = pace.overhead + measured.startup / lifetime
        # all candidates reach the first validation, half the second, a quarter the third ...
        validations = 2.0 - 0.5**budget.hurdles
        # promotions come one by one
        at_a_time = measured.workers if number < FIRST_HIGHER else 1
        new = number < FIRST_HIGHER and pace.step is not None
        rungs.append(
            Training(
                budget=budget,
                full=overhead + training + (budget.hurdles + 1) * pace.validation,
                mean=overhead
                + mean_share(budget.hurdles) * training
                + validations * pace.validation,
                reference=pace.reference,
                unstopped=unstopped(budget, seeds, at_a_time),
                replicates=config.replicates(number),
                promote=promotes[number - 1],
                failing=FAIL_AT_ONCE if new else 0.0,
            )
        )
    return Work(rungs, seeds, lifetime, processes)


def _end(
    config: RunConfig, measured: Measured, work: Work
) -> tuple[list[Trainings], float, str]:
    """The trainings on each rung, the seconds that they take, and what stops the run."""
    budget, workers = config.budget, measured.workers
    limits = {"candidates": work.most(budget.max_candidates, math.inf)}
    if (time := budget.max_time) is not None:
        most = budget.max_candidates, (time - measured.startup) * workers
        limits["time"] = work.most(*most)
    if (compute := budget.max_compute) is not None:
        limits["compute"] = work.most(budget.max_candidates, compute)
    ends_by = min(limits, key=lambda limit: limits[limit])
    trainings = work.of(limits[ends_by])
    if ends_by == "time" and time is not None:
        return trainings, time, ends_by
    spent = math.fsum(one.seconds for one in trainings)
    lowest = work.rungs[0]
    shortest = lowest.full if lowest.unstopped else lowest.mean
    return trainings, measured.startup + max(spent / workers, shortest), ends_by


def _rungs(
    work: Work, trainings: Sequence[Trainings], training: Sequence[float]
) -> tuple[RungForecast, ...]:
    spent = math.fsum(one.seconds for one in trainings) or 1.0
    found = []
    for seconds, rung, one in zip(training, work.rungs, trainings, strict=True):
        compared = max(0, one.ended - 1)  # the first seed is what they are compared with
        known = one.replicates > 0 and compared > 0
        found.append(
            RungForecast(
                training=seconds,
                full=rung.full,
                mean=rung.mean,
                programs=one.programs,
                replicates=one.replicates,
                seconds=one.seconds,
                share=one.seconds / spent,
                noise=one.noise,
                compared=compared,
                floor=floor_in_deviations(rung.replicates, compared) if known else None,
            )
        )
    return tuple(found)


def _weight_bytes(
    config: RunConfig, measured: Measured, trainings: Sequence[Trainings], processes: int
) -> int:
    """Bytes of the weights that are kept of each rung, and of those in training."""
    if not config.keep_weights:
        return 0
    flying, size = processes, 0
    for one, pace in zip(trainings, measured.rungs, strict=True):
        size += min(one.count, config.keep_weights + flying) * pace.weights
        flying = 0  # once is enough
    return size
