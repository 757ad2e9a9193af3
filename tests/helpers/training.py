"""A small task to train, and a loop that collects an evaluator's outcomes."""

from __future__ import annotations

import time
from dataclasses import replace

from primeval.dna.library import seed_text
from primeval.evaluators.budget import Budget
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.settings import (
    CandidateSettings,
    ModelSettings,
    TrainingSettings,
    WorkerSettings,
)
from primeval.evaluators.task import Task

SEED = seed_text("transformer")


DIVERGING = SEED.replace("  c = MAX a const0\n", "  c = MAX a const0\n  d = LOG c\n")


def task(unit: str = "steps", amount: float = 31, **training: object) -> Task:
    settings = TrainingSettings(batch_size=4, validation_batches=2, jit=False, warmup_steps=4)
    return Task(
        ModelSettings(layers=1, length=16, width=16),
        DataSettings(),
        replace(settings, **training),  # type: ignore[arg-type]
        CandidateSettings(Budget(unit, amount), timeout=100),
        WorkerSettings(evaluator="local"),
        SEED,
        seed=1,
    )


def outcomes(evaluator: Evaluator, *candidates: Candidate) -> dict[int, Outcome]:
    """Submit candidates within the capacity and wait for them; each comes back once."""
    waiting, flying, done = list(candidates), 0, dict[int, Outcome]()
    deadline = time.monotonic() + 120
    while (waiting or flying) and time.monotonic() < deadline:
        while waiting and flying < evaluator.capacity:
            evaluator.submit(waiting.pop(0))
            flying += 1
        for number, outcome in evaluator.wait(1.0):
            assert number not in done
            done[number] = outcome
            flying -= 1
    assert set(done) == {candidate.id for candidate in candidates}
    return done
