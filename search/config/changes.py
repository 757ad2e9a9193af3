"""Which settings a resumed run may change, and which would make its outcomes incomparable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from primeval.search.config.config import to_plain
from primeval.search.config.settings import FIRST_HIGHER, RunConfig
from primeval.search.errors import ConfigError

# If one of these changed, outcomes before and after could not be compared, or the individuals
# could not be derived again. The rest may change: budgets, workers, time limits, population.
FIXED = (
    "seed",
    "search.seeds",
    "language",
    "candidate.budget",
    "candidate.hurdles",
    "candidate.replicates",
    "model",
    "data",
    "training",
)

# These say where data are found, not what they are, so they may change although `data` may not.
FREE = ("data.cache_dir", "data.data_dir", "data.download")


def flat(config: RunConfig) -> dict[str, Any]:
    """Every setting by its full name."""
    return dict(_settings(to_plain(config), ""))


def _settings(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path == "rungs":
        value = {str(number): one for number, one in enumerate(value, FIRST_HIGHER)}
    if not isinstance(value, dict):
        yield path, value
        return
    for key, below in value.items():
        yield from _settings(below, f"{path}.{key}" if path else key)


def refuse_incomparable(before: RunConfig, after: RunConfig) -> None:
    """Raises ConfigError if a run cannot be resumed with other settings.

    Args:
        before: The settings that the run has.
        after: The settings that it would get.
    """
    old, new = flat(before), flat(after)
    if len(after.rungs) < len(before.rungs):
        raise ConfigError(
            f"A run keeps its rungs. It has {len(before.rungs) + 1}, and would have "
            f"{len(after.rungs) + 1}. New ones may be added at the end."
        )
    added = tuple(f"rungs.{one}." for one in after.rung_numbers[len(before.rungs) + 1 :])
    for key in sorted(old.keys() | new.keys()):
        plain = re.sub(r"^rungs\.\d+\.", "", key)  # the settings of a rung are like the run's
        if plain in FREE or old.get(key) == new.get(key) or key.startswith(added):
            continue
        if any(plain == fixed or plain.startswith(f"{fixed}.") for fixed in FIXED):
            raise ConfigError(
                f"A run cannot continue with another {key}: what it has found could not be "
                f"compared with what comes. It has {old.get(key)!r}. Start a new run."
            )
        if key == "run_dir":
            raise ConfigError("A run stays in its folder. Move the folder instead.")
    evaluators = {before.workers.evaluator, after.workers.evaluator}
    if "toy" in evaluators and len(evaluators) > 1:
        raise ConfigError(
            "The toy evaluator does not train, so a run cannot change to it or from it. "
            f"It has workers.evaluator {before.workers.evaluator!r}. Start a new run."
        )
