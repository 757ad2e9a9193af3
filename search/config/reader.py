"""From a tree of text to frozen settings, strictly and by the settings classes' own fields.

Unknown keys, wrong types and values outside their limits are errors that name the place, the
key, what was received and the nearest valid name. Types, limits and units are those of the
fields, so a field added to a settings class can be read at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, cast

from primeval.evaluators.budget import UNITS, Budget
from primeval.evaluators.errors import SettingError
from primeval.evaluators.limits import check, field_types, taken_apart
from primeval.evaluators.settings import CandidateSettings
from primeval.evaluators.units import parse_bytes, parse_duration
from primeval.primitives.errors import did_you_mean
from primeval.search.config.keys import keys
from primeval.search.config.settings import FIRST_HIGHER, RungSettings
from primeval.search.config.yaml_tree import Items, Scalar, Table, Tree
from primeval.search.errors import ConfigError

TRUTHS = {"true": True, "false": False}
KINDS = {Scalar: "a single value", Items: "a list", Table: "a mapping"}


class Reader:
    """Reads values by type, and remembers where each setting was written.

    Its methods raise ConfigError.
    """

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def _section(self, cls: type, tree: Tree, path: str) -> Any:
        """An instance of a settings class."""
        if isinstance(tree, Scalar) and tree.is_null:
            tree = Table({}, tree.place)  # a section whose entries are all commented out
        if not isinstance(tree, Table):
            raise _expected(path, "a mapping of settings", tree)
        known = keys(cls)
        _check_keys(tree, known, path)
        values = {
            key: self.value(known[key], entry, f"{path}.{key}" if path else key)
            for key, entry in tree.entries.items()
        }
        with self._located(path):
            if cls is CandidateSettings and "hurdles" in values:
                budget = values.get("budget", CandidateSettings().budget)
                values["budget"] = dataclasses.replace(budget, hurdles=values.pop("hurdles"))
            return cls(**values)

    def value(self, hint: Any, tree: Tree, path: str) -> Any:
        """A value of the annotated type."""
        self.places[path] = tree.place
        kind, limit, optional = taken_apart(hint)
        if optional and isinstance(tree, Scalar) and tree.is_null:
            return None
        if kind is Budget:
            return self._budget(tree, path)
        if dataclasses.is_dataclass(kind):
            return self._section(cast(type, kind), tree, path)
        if typing.get_origin(kind) is tuple:
            return self._items(typing.get_args(kind), tree, path)
        if typing.get_origin(kind) is Mapping:
            return self._mapping(limit.choices, tree, path)
        if not isinstance(tree, Scalar):
            raise _expected(path, KINDS[Scalar], tree)
        return _scalar(kind, limit.unit, tree, path)

    def _budget(self, tree: Tree, path: str) -> Budget:
        if not isinstance(tree, Table):
            raise _expected(path, f"one of {{{', '.join(UNITS)}}}: amount", tree)
        _check_keys(tree, UNITS, path)
        if len(tree.entries) != 1:
            raise ConfigError(
                f"{tree.place}: {path} has exactly one unit of {', '.join(UNITS)}. "
                f"Received: {', '.join(tree.entries) or 'none'}."
            )
        ((unit, entry),) = tree.entries.items()
        hint = field_types(Budget)["amount"]
        amount = self.value(hint, entry, f"{path}.{unit}")
        with self._located(path):
            check(unit, hint, amount)
            return Budget(unit, amount)

    def _items(self, hints: tuple[Any, ...], tree: Tree, path: str) -> tuple[Any, ...]:
        repeated = hints[-1] is Ellipsis
        what = "a list" if repeated else f"a list of {len(hints)}"
        if not isinstance(tree, Items) or (not repeated and len(tree.items) != len(hints)):
            raise _expected(path, what, tree)
        is_rung = hints[0] is RungSettings  # named by its number, `rungs.2`
        return tuple(
            self.value(hints[0], item, f"{path}.{number}" if is_rung else path)
            for number, item in enumerate(tree.items, FIRST_HIGHER)
        )

    def _mapping(self, names: tuple[str, ...], tree: Tree, path: str) -> dict[str, float]:
        if not isinstance(tree, Table):
            raise _expected(path, "a mapping of names to amounts", tree)
        if names:
            _check_keys(tree, names, path)
        return {
            name: self.value(float, entry, f"{path}.{name}")
            for name, entry in tree.entries.items()
        }

    @contextlib.contextmanager
    def _located(self, path: str) -> Iterator[None]:
        """Errors of a settings class, with the place and the full name of the setting."""
        prefix = f"{path}." if path else ""
        try:
            yield
        except SettingError as error:
            raise ConfigError(f"{self._place(prefix + error.key)}: {prefix}{error}") from None

    def _place(self, path: str) -> str:
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        return self.places.get(path, "configuration")


def _check_keys(tree: Table, known: Collection[str], path: str) -> None:
    for key, entry in tree.entries.items():
        if key not in known:
            where = f"{path} has no setting" if path else "there is no setting"
            hint = did_you_mean(key, known, 1) or f" Settings: {', '.join(known)}."
            raise ConfigError(f"{entry.place}: {where} {key!r}.{hint}")


def _expected(path: str, what: str, tree: Tree) -> ConfigError:
    received = repr(tree.text) if isinstance(tree, Scalar) else KINDS[type(tree)]
    if isinstance(tree, Items):
        received += f" of {len(tree.items)}"
    return ConfigError(f"{tree.place}: {path} is {what}. Received: {received}.")


def _scalar(kind: Any, unit: str, tree: Scalar, path: str) -> Any:
    if kind is str:
        guessed = _number(tree.text) is not None or tree.text.lower() in TRUTHS
        if tree.plain and (guessed or tree.is_null):
            raise _expected(path, "text (put quotes around it if it is meant)", tree)
        return tree.text
    read, what = READERS[unit if unit in READERS else kind]
    value = read(tree.text) if tree.plain else None
    if value is None:
        raise _expected(path, what, tree)
    return value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _whole(text: str) -> int | None:
    """A whole number, which may be written like 1e6 or 2.0."""
    try:
        return int(text)
    except ValueError:
        number = _number(text)
    if number is None or not number.is_integer() or abs(number) >= 2**53:
        return None
    return int(number)


# How a scalar is read, by its unit or else by its type, and the error if it cannot be.
READERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    "seconds": (parse_duration, "a time such as 90s, 10m or 2h"),
    "bytes": (parse_bytes, "a size such as 500MB or 4GB"),
    bool: (lambda text: TRUTHS.get(text.lower()), "true or false"),
    int: (_whole, "a whole number"),
    float: (_number, "a number"),
}
