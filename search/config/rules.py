"""What each setting may be, beyond its type: the legal configuration in one table.

Types, names and defaults are those of the dataclasses in `settings.py` and
`evaluators/settings.py`; a setting without a row here may have any value of its type.
"""

from __future__ import annotations

from dataclasses import dataclass

from primeval.dna.check import MAX_BANK
from primeval.evaluators.budget import UNITS
from primeval.search.config.settings import ALGORITHMS

HOUR = 3600.0


@dataclass(frozen=True)
class Rule:
    """Limits of one setting.

    Attributes:
        least, most: Smallest and largest value.
        above: It must be larger than this.
        choices: The words it may be.
        duration: Whether it is a time: `90s`, `10m`, `2h`, or seconds as a number.
        size: Whether it is a size of memory: `500MB`, `4GB`, or bytes as a number.
        some: Whether a list needs at least one entry.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    duration: bool = False
    size: bool = False
    some: bool = False


RULES: dict[str, Rule] = {
    "seed": Rule(least=0, most=2**63 - 1),
    "keep_weights": Rule(least=0),
    "search.algorithm": Rule(choices=ALGORITHMS),
    "search.seeds": Rule(some=True),
    "search.population_size": Rule(least=1, most=1_000_000),
    "search.tournament_size": Rule(least=1),
    "search.mutations": Rule(least=0, some=True),
    "search.reevaluations": Rule(least=0, most=1000),
    "language.constants": Rule(least=1, most=MAX_BANK),
    "language.dims": Rule(least=1, most=MAX_BANK),
    "budget.max_candidates": Rule(least=1),
    "budget.max_time": Rule(above=0, duration=True),
    "budget.max_compute": Rule(above=0, duration=True),
    "candidate.hurdles": Rule(least=0, most=10),
    "candidate.timeout": Rule(above=0, duration=True),
    "model.layers": Rule(least=1, most=1000),
    "model.length": Rule(least=1, most=1_000_000),
    "model.parameters": Rule(least=1),
    "model.width": Rule(least=1, most=1_000_000),
    "model.widen": Rule(above=0, most=64),
    "data.vocabulary": Rule(least=2, most=10_000_000),
    "training.batch_size": Rule(least=1),
    "training.optimizer": Rule(
        choices=("adam", "adamw", "adafactor", "lion", "nadam", "rmsprop", "sgd")
    ),
    "training.learning_rate": Rule(above=0),
    "training.warmup_steps": Rule(least=0),
    "training.schedule": Rule(choices=("rsqrt", "cosine", "constant")),
    "training.gradient_clip": Rule(least=0),
    "training.validation_batches": Rule(least=1),
    "training.accumulation": Rule(least=1),
    "training.precision": Rule(choices=("float32", "mixed_bfloat16")),
    "workers.evaluator": Rule(choices=("ray", "local", "toy")),
    "workers.count": Rule(least=1, most=100_000),
    "workers.threads": Rule(least=1, most=1024),
    "workers.memory": Rule(least=1, size=True),
    "workers.gpus": Rule(least=0, most=1024),
    "workers.gpu_memory": Rule(least=1, size=True),
    "workers.resources": Rule(above=0),
    "workers.recycle_after": Rule(least=1),
    "workers.recycle_growth": Rule(least=1, size=True),
    "workers.retries": Rule(least=0, most=1000),
    "workers.grace": Rule(least=0, duration=True),
    "failure.max_consecutive": Rule(least=1),
    **{f"candidate.budget.{unit}": Rule(above=0) for unit in UNITS},
}

# Settings of which exactly one is given. `--set` of one drops the others.
ALTERNATIVES = (
    tuple(f"candidate.budget.{unit}" for unit in UNITS),
    ("model.parameters", "model.width"),
    ("data.source", "data.files", "data.tfds"),
)
