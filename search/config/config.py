"""Run configurations: strict YAML in, one frozen `RunConfig` out, and back to YAML.

A setting has the value that `--set` gives, else the file's, else its default. This file finds
the configuration and makes its paths absolute; `reader.py` reads the values.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from primeval.evaluators.budget import Budget
from primeval.evaluators.limits import taken_apart
from primeval.evaluators.settings import DataSettings
from primeval.evaluators.units import format_bytes, format_duration
from primeval.primitives.errors import did_you_mean
from primeval.search.config.keys import alternatives, keys
from primeval.search.config.reader import Reader
from primeval.search.config.settings import LanguageSettings, RunConfig
from primeval.search.config.yaml_tree import Table, override, read_tree
from primeval.search.errors import ConfigError

MAX_FILE = 1_000_000  # bytes


def config_names() -> list[str]:
    """Names of the configurations that come with primeval."""
    folder = resources.files("primeval.configs")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_config(
    reference: str, sets: Sequence[str] = (), run_dir: str | None = None
) -> RunConfig:
    """The configuration at a path or with a packaged name. Raises ConfigError.

    Args:
        reference: A path, or the name of a packaged configuration (`quickstart`).
        sets: Overrides, `key.path=value` each.
        run_dir: Overrides the run's folder; None keeps it.
    """
    text, source, stem = _found(reference)
    config = parse_config(text, sets, source=source, default_run_dir=f"runs/{stem}")
    return dataclasses.replace(config, run_dir=run_dir) if run_dir else config


def parse_config(
    text: str, sets: Sequence[str] = (), source: str = "config", default_run_dir: str = ""
) -> RunConfig:
    """The configuration in a YAML text. Raises ConfigError.

    Args:
        text: The YAML.
        sets: Overrides, `key.path=value` each.
        source: Name of the text in messages.
        default_run_dir: The run's folder if the text names none.
    """
    tree = read_tree(text, source)
    if not isinstance(tree, Table):
        raise ConfigError(f"{source}: a configuration is a mapping of settings.")
    for assignment in sets:
        path = assignment.partition("=")[0].strip()
        tree = override(tree, assignment, alternatives(path))
    reader = Reader()
    config: RunConfig = reader.section(RunConfig, tree)
    if not config.run_dir:
        config = dataclasses.replace(config, run_dir=default_run_dir)
    return _resolved(config, reader)


def _found(reference: str) -> tuple[str, str, str]:
    """Text, name for messages, and stem of a configuration. Raises ConfigError."""
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
        f"Configurations that come with primeval: {', '.join(names)}."
    )


def _resolved(config: RunConfig, reader: Reader) -> RunConfig:
    """Fill in what follows from other settings and from the current folder."""
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
    """The data settings with a source, and with absolute paths.

    CHOICE: paths start at the folder in which the command is given, like every path on a
    command line. They are absolute from then on, so that a run can be resumed from any folder.
    Whether the files exist is checked when they are needed: a run can be read without its text.
    """
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


def to_plain(settings: Any, unit: str = "") -> Any:
    """Settings as plain data for YAML and JSON, which `parse_config` reads back equal.

    Args:
        settings: A settings class, or a value in one.
        unit: What a number counts: `seconds` and `bytes` are written like `10m` and `4GB`.
    """
    if isinstance(settings, Budget):
        amount = settings.amount
        return {settings.unit: int(amount) if float(amount).is_integer() else amount}
    if dataclasses.is_dataclass(settings):
        section: Any = type(settings)
        return {
            key: to_plain(_given(settings, key), taken_apart(hint)[1].unit)
            for key, hint in keys(section).items()
        }
    if isinstance(settings, Mapping):
        return {key: to_plain(value) for key, value in settings.items()}
    if isinstance(settings, tuple):
        return [to_plain(value) for value in settings]
    if settings is not None and unit == "seconds":
        return format_duration(settings)
    if settings is not None and unit == "bytes":
        return format_bytes(settings)
    return settings


def _given(settings: Any, key: str) -> Any:
    """The value of a key; `hurdles` is a key beside the budget, and a field inside it."""
    return settings.budget.hurdles if key == "hurdles" else getattr(settings, key)


def to_yaml(config: RunConfig) -> str:
    """The whole configuration as YAML, which `parse_config` reads back equal."""
    text: str = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True)
    return text
