"""Which settings may change when a run goes on, and which would break it."""

from __future__ import annotations

from typing import Any

from primeval.search.config.config import to_plain
from primeval.search.config.settings import RunConfig
from primeval.search.errors import ConfigError

# Outcomes before and after a change of these could not be compared, or nothing be derived
# again. All else may change: budgets, workers, time limits, population, mutations.
FIXED = (
    "seed",
    "search.seeds",
    "language",
    "candidate.budget",
    "candidate.hurdles",
    "model",
    "data",
    "training",
)

# Where data are found, not what they are.
FREE = ("data.cache_dir", "data.data_dir", "data.download")


def flat(config: RunConfig) -> dict[str, Any]:
    """Every setting by its full name."""
    settings: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for key, below in value.items():
                walk(below, f"{path}.{key}" if path else key)
        else:
            settings[path] = value

    walk(to_plain(config), "")
    return settings


def changed(before: RunConfig, after: RunConfig) -> list[str]:
    """Names of the settings that differ."""
    old, new = flat(before), flat(after)
    return [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]


def refuse_incomparable(before: RunConfig, after: RunConfig) -> None:
    """Raise ConfigError if a run cannot go on under other settings."""
    for key in changed(before, after):
        if key in FREE:
            continue
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in FIXED):
            raise ConfigError(
                f"A run cannot go on with another {key}: what was found before could not be "
                f"compared with what comes. It has {flat(before).get(key)!r}. Start a new run."
            )
        if key == "run_dir":
            raise ConfigError("A run stays in its folder. Move the folder instead.")
    evaluators = {before.workers.evaluator, after.workers.evaluator}
    if "toy" in evaluators and len(evaluators) > 1:
        raise ConfigError(
            "The toy evaluator does not train: a run stays with it, or without it. "
            f"It has workers.evaluator {before.workers.evaluator!r}."
        )
