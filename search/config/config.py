"""Run configurations: strict YAML in, one frozen `RunConfig` out, and back to YAML.

A setting has the value that `--set` gives, else the file's, else its default. This file finds
the configuration, applies `--set` and makes paths absolute; `reader.py` reads the values.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from primeval.evaluators.budget import Budget
from primeval.evaluators.data_settings import DataSettings
from primeval.evaluators.limits import taken_apart
from primeval.evaluators.units import format_bytes, format_duration
from primeval.primitives.errors import did_you_mean
from primeval.search.config.keys import alternatives, keys
from primeval.search.config.reader import Reader
from primeval.search.config.rungs import alone, complete, split_name
from primeval.search.config.settings import FIRST_HIGHER, LanguageSettings, RunConfig
from primeval.search.config.yaml_tree import Items, Scalar, Table, Tree, read_tree
from primeval.search.errors import ConfigError

MAX_FILE = 1_000_000  # bytes
HOW = "a setting of one rung, as in --set rungs.2.promote=0.2"
WRITERS: dict[str, Callable[[Any], str]] = {"seconds": format_duration, "bytes": format_bytes}


def config_names() -> list[str]:
    """Names of the configurations that come with primeval."""
    folder = resources.files("primeval.configs")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_config(
    reference: str, sets: Sequence[str] = (), run_dir: str | None = None
) -> RunConfig:
    """The configuration at a path or with a packaged name. Raises ConfigError.

    Args:
        reference: A path, or the name of a packaged configuration (`quickstart`); with `@2`
            after it, the configuration of its rung 2.
        sets: Overrides, `key.path=value` each.
        run_dir: Overrides the run's folder; None keeps it.
    """
    name, rung = split_name(reference)
    text, source, stem = _found(name)
    folder = f"runs/{stem}" if rung is None else f"runs/{stem}@{rung}"
    config = parse_config(text, sets, source=source, default_run_dir=folder, rung=rung)
    return dataclasses.replace(config, run_dir=run_dir) if run_dir else config


def parse_config(
    text: str,
    sets: Sequence[str] = (),
    source: str = "config",
    default_run_dir: str = "",
    rung: int | None = None,
) -> RunConfig:
    """The configuration in a YAML text. Raises ConfigError.

    Args:
        text: The YAML.
        sets: Overrides, `key.path=value` each.
        source: Name of the text in messages.
        default_run_dir: The run's folder if the text names none.
        rung: Which rung to take alone; `sets` are of this rung then. None: all of them.
    """
    tree = read_tree(text, source)
    if not isinstance(tree, Table):
        raise ConfigError(f"{source}: a configuration is a mapping of settings.")
    if rung is not None:
        complete(tree)
        alone(tree, rung, source)
    for assignment in sets:
        _override(tree, assignment)
    complete(tree)
    config: RunConfig = Reader().value(RunConfig, tree, "")
    return dataclasses.replace(
        config,
        run_dir=config.run_dir or default_run_dir,
        language=_resolved_language(config.language),
        data=_resolved_data(config.data),
        rungs=tuple(
            dataclasses.replace(one, data=_resolved_data(one.data)) for one in config.rungs
        ),
    )


def _override(tree: Table, assignment: str) -> None:
    """Replace one value in a tree, as in `--set a.b=value`. Raises ConfigError.

    Settings of which at most one is given replace each other. The value is YAML.
    """
    place = f"--set {assignment}"
    path, equals, text = assignment.partition("=")
    names = [name.strip() for name in path.split(".")]
    if not equals or not all(names):
        raise ConfigError(
            f"--set takes key.path=value, as in --set budget.max_time=2h. "
            f"Received: {assignment!r}."
        )
    value = read_tree(text, place, lines=False)
    # an empty value, as in `--set data.cache_dir=`, is null and not an empty mapping
    if isinstance(value, Table) and not value.entries and not text.strip().startswith("{"):
        value = Scalar("", True, place)
    above: Tree = tree
    for depth, name in enumerate(names[:-1], 1):
        below = _below(above, name, place)
        if not isinstance(below, (Table, Items)):
            raise ConfigError(f"{place}: {'.'.join(names[:depth])} has no settings below it.")
        above = below
    if not isinstance(above, Table):
        raise ConfigError(
            f"{place}: {'.'.join(names[:-1])} is a list. Give all of it, or {HOW}."
        )
    for excluded in alternatives(".".join(names)):
        above.entries.pop(excluded.rpartition(".")[2], None)
    above.entries[names[-1]] = value


def _below(tree: Tree, name: str, place: str) -> Tree | None:
    """What a name leads to: a setting, or a rung by its number; None if it leads nowhere."""
    if isinstance(tree, Table):
        return tree.entries.setdefault(name, Table({}, place))
    if isinstance(tree, Items) and name.isdecimal():
        at = int(name) - FIRST_HIGHER
        if 0 <= at < len(tree.items):
            return tree.items[at]
        last = len(tree.items) + FIRST_HIGHER - 1
        raise ConfigError(f"{place}: rungs above the first are 2 to {last}. Received: {name}.")
    return None


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
    stem = reference.removesuffix(".yaml")
    if stem in names:
        file = resources.files("primeval.configs") / f"{stem}.yaml"
        return file.read_text(encoding="utf-8"), f"{stem}.yaml", stem
    if path.is_dir():
        raise ConfigError(f"{reference} is a folder. A configuration is a YAML file.")
    beside = map(str, path.parent.glob("*.yaml"))
    hint = did_you_mean(str(path), beside, 1) or did_you_mean(path.stem, names, 1)
    raise ConfigError(
        f"There is no configuration {str(path)!r}.{hint} "
        f"Configurations that come with primeval: {', '.join(names)}."
    )


def _resolved_language(language: LanguageSettings) -> LanguageSettings:
    """Paths of modules become absolute, as those of data do; no module is imported here."""
    modules = tuple(
        _absolute(module) if module.endswith(".py") else module for module in language.modules
    )
    return dataclasses.replace(language, modules=modules)


def _resolved_data(data: DataSettings) -> DataSettings:
    """The data settings with a source, and with absolute paths.

    CHOICE: paths start at the folder in which the command is given, like every path on a
    command line. They are absolute from then on, so that a run can be resumed from any folder.
    Whether the files exist is checked when they are needed: a run can be read without its text.
    """
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
    if settings is None or unit not in WRITERS:
        return settings
    return WRITERS[unit](settings)


def _given(settings: Any, key: str) -> Any:
    """The value of a key; `hurdles` is a key beside the budget, and a field inside it."""
    return settings.budget.hurdles if key == "hurdles" else getattr(settings, key)


def to_yaml(config: RunConfig) -> str:
    """The whole configuration as YAML, which `parse_config` reads back equal."""
    text: str = yaml.safe_dump(to_plain(config), sort_keys=False, allow_unicode=True)
    return text
