"""Run configurations: strict YAML in, one frozen `RunConfig` out, and back to YAML.

The precedence is: defaults, then the file, then `--set`. This file finds the configuration
and checks what concerns several settings at once; single values are read in
`config_reader.py`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from primeval.evaluators.settings import CandidateSettings, DataSettings
from primeval.primitives.errors import did_you_mean
from primeval.search.config.reader import Reader
from primeval.search.config.rules import ALTERNATIVES, RULES
from primeval.search.config.settings import LanguageSettings, RunConfig
from primeval.search.config.sizes import format_size
from primeval.search.config.units import format_duration
from primeval.search.config.yaml_tree import Table, override, read_tree
from primeval.search.errors import ConfigError

MAX_FILE = 1_000_000  # bytes


def config_names() -> list[str]:
    """Configurations that come with primeval."""
    folder = resources.files("primeval.configs")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_config(
    reference: str, sets: Sequence[str] = (), run_dir: str | None = None
) -> RunConfig:
    """The configuration at a path, or of a packaged name. Raises ConfigError.

    Args:
        reference: A path, or the name of a packaged configuration (`quickstart`).
        sets: Overrides, `key.path=value` each.
        run_dir: Overrides the run's folder.
    """
    text, source, stem = _found(reference)
    config = parse_config(text, sets, source=source, default_run_dir=f"runs/{stem}")
    return dataclasses.replace(config, run_dir=run_dir) if run_dir else config


def parse_config(
    text: str, sets: Sequence[str] = (), source: str = "config", default_run_dir: str = ""
) -> RunConfig:
    """The configuration in a YAML text. Raises ConfigError."""
    tree = read_tree(text, source)
    if not isinstance(tree, Table):
        raise ConfigError(f"{source}: a configuration is a mapping of settings.")
    for assignment in sets:
        path = assignment.partition("=")[0].strip()
        group = next((group for group in ALTERNATIVES if path in group), ())
        tree = override(tree, assignment, group)
    reader = Reader()
    config: RunConfig = reader.section(RunConfig, tree)
    if not config.run_dir:
        config = dataclasses.replace(config, run_dir=default_run_dir)
    return _resolved(config, reader)


def _found(reference: str) -> tuple[str, str, str]:
    """Text, name for messages, and stem of a configuration."""
    path = Path(reference)
    if path.is_file():
        if path.stat().st_size > MAX_FILE:
            raise ConfigError(f"{reference}: a configuration has at most {MAX_FILE:,} bytes.")
        try:
            return path.read_text(encoding="utf-8"), reference, path.stem
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{reference}: this file cannot be read: {error}.") from None
    names = config_names()
    stem = reference[:-5] if reference.endswith(".yaml") else reference
    if stem in names and "/" not in stem:
        file = resources.files("primeval.configs") / f"{stem}.yaml"
        return file.read_text(encoding="utf-8"), f"{stem}.yaml", stem
    if path.is_dir():
        raise ConfigError(f"{reference} is a folder. A configuration is a YAML file.")
    raise ConfigError(_not_found(path, names))


def _not_found(path: Path, names: list[str]) -> str:
    beside = []
    if path.parent.is_dir():
        beside = [str(other) for other in path.parent.glob("*.yaml")]
    hint = did_you_mean(str(path), beside, 1) or did_you_mean(path.stem, names, 1)
    return (
        f"There is no configuration {str(path)!r}.{hint} "
        f"Those that come with primeval: {', '.join(names)}."
    )


def _resolved(config: RunConfig, reader: Reader) -> RunConfig:
    """Check what concerns several settings, and fill in what follows from others."""
    search, model = config.search, config.model
    if search.tournament_size > search.population_size:
        reader.fail(
            "search.tournament_size",
            f"a tournament is drawn from the population, at most {search.population_size}. "
            f"Received: {search.tournament_size}.",
        )
    training = config.training
    if training.batch_size % training.accumulation:
        reader.fail(
            "training.accumulation",
            f"the batch is cut into equal parts, and {training.batch_size} sequences are not "
            f"divisible. Received: {training.accumulation}.",
        )
    given = [name for name in ("parameters", "width") if getattr(model, name) is not None]
    if len(given) != 1:
        reader.fail(
            "model",
            "give either parameters: [smallest, largest] or width, not "
            f"{'both' if given else 'neither'}.",
        )
    if model.parameters and model.parameters[0] > model.parameters[1]:
        reader.fail("model.parameters", "the window is [smallest, largest].")
    return dataclasses.replace(
        config,
        language=_resolved_language(config.language),
        data=_resolved_data(config),
    )


def _resolved_language(language: LanguageSettings) -> LanguageSettings:
    """Paths of modules become absolute, as those of data do; no module is imported here."""
    modules = tuple(
        _absolute(module) if module.endswith(".py") else module for module in language.modules
    )
    return dataclasses.replace(language, modules=modules)


def _resolved_data(config: RunConfig) -> DataSettings:
    """CHOICE: paths are relative to where the command is given, like every path on a command
    line, and absolute from then on, so that a run goes on from anywhere. Whether there is
    something is seen when it is needed: a run can be read where its text is not."""
    data = config.data
    changes: dict[str, Any] = {"files": tuple(_absolute(file) for file in data.files)}
    if not (data.source or data.files or data.tfds):
        changes["source"] = "austen"
    if "/" in data.tokenizer or data.tokenizer.endswith(".model"):
        changes["tokenizer"] = _absolute(data.tokenizer)
    for name in ("data_dir", "cache_dir"):
        if folder := getattr(data, name):
            changes[name] = _absolute(folder)
    return dataclasses.replace(data, **changes)


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def to_plain(settings: Any, path: str = "") -> Any:
    """Settings as plain data for YAML and JSON, which `parse_config` reads back equal."""
    if isinstance(settings, CandidateSettings):
        budget, rest = settings.budget, {}
        for field in dataclasses.fields(settings):
            if field.name != "budget":
                rest[field.name] = to_plain(
                    getattr(settings, field.name), f"{path}.{field.name}"
                )
        amount = int(budget.amount) if float(budget.amount).is_integer() else budget.amount
        return {"budget": {budget.unit: amount}, "hurdles": budget.hurdles, **rest}
    if dataclasses.is_dataclass(settings):
        return {
            field.name: to_plain(
                getattr(settings, field.name), f"{path}.{field.name}" if path else field.name
            )
            for field in dataclasses.fields(settings)
        }
    if isinstance(settings, Mapping):
        return {key: to_plain(value) for key, value in settings.items()}
    if isinstance(settings, tuple):
        return [to_plain(value) for value in settings]
    if settings is not None and path in RULES and RULES[path].duration:
        return format_duration(settings)
    if settings is not None and path in RULES and RULES[path].size:
        return format_size(settings)
    return settings


def to_yaml(config: RunConfig) -> str:
    """The whole configuration as YAML, which `parse_config` reads back equal."""
    text: str = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True)
    return text
