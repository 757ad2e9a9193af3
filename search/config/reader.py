"""From a tree of text to frozen settings, strictly and by the dataclasses' own fields.

Unknown keys, wrong types and values out of range are errors that name the place, the key,
what was received and the nearest valid name. A field added to a settings class is readable
at once; limits beyond its type go into `config_rules.py`.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Union, cast

from primeval.dna.mutations import MUTATIONS
from primeval.evaluators.budget import UNITS, Budget
from primeval.evaluators.settings import CandidateSettings
from primeval.primitives.errors import did_you_mean
from primeval.search.config.rules import RULES, Rule
from primeval.search.config.sizes import parse_size
from primeval.search.config.units import parse_duration
from primeval.search.config.yaml_tree import Items, Scalar, Table, Tree
from primeval.search.errors import ConfigError

NO_RULE = Rule()
KINDS = {Scalar: "a single value", Items: "a list", Table: "a mapping"}


class Reader:
    """Reads values by type; remembers where each setting was written."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}

    def section(self, cls: type, tree: Tree, path: str = "") -> Any:
        """An instance of a settings class."""
        self.places[path] = tree.place
        if isinstance(tree, Scalar) and tree.is_null:
            tree = Table({}, tree.place)  # a section whose entries are all commented out
        if not isinstance(tree, Table):
            raise _expected(path or "the configuration", "a mapping of settings", tree)
        if cls is CandidateSettings:
            return self._candidate(tree, path)
        return self._built(cls, tree, path, self._fields(cls, tree, path))

    def _fields(self, cls: type, tree: Table, path: str, more: Iterable[str] = ()) -> Any:
        hints = typing.get_type_hints(cls)
        names = [field.name for field in dataclasses.fields(cls)]
        _check_keys(tree, [*names, *more], path)
        return {
            key: self.value(hints[key], entry, f"{path}.{key}" if path else key)
            for key, entry in tree.entries.items()
            if key in hints
        }

    def _built(self, cls: type, tree: Table, path: str, values: dict[str, Any]) -> Any:
        try:
            return cls(**values)
        except ConfigError:
            raise
        except (TypeError, ValueError) as error:  # the class's own checks
            raise ConfigError(f"{tree.place}: {error}") from None

    def _candidate(self, tree: Table, path: str) -> Any:
        """CHOICE: `budget: {UNIT: amount}` and `hurdles` are two keys of one `Budget`."""
        default = CandidateSettings().budget
        entries = dict(tree.entries)
        budget = entries.pop("budget", None)
        hurdles = entries.pop("hurdles", None)
        rest = Table(entries, tree.place)
        values = self._fields(CandidateSettings, rest, path, ("budget", "hurdles"))
        unit, amount = default.unit, default.amount
        if budget is not None:
            unit, amount = self._budget(budget, f"{path}.budget")
        count = default.hurdles
        if hurdles is not None:
            count = self.value(int, hurdles, f"{path}.hurdles")
        return self._built(
            CandidateSettings, tree, path, {**values, "budget": Budget(unit, amount, count)}
        )

    def _budget(self, tree: Tree, path: str) -> tuple[str, float]:
        self.places[path] = tree.place
        if not isinstance(tree, Table):
            raise _expected(path, f"one of {{{', '.join(UNITS)}}}: amount", tree)
        _check_keys(tree, UNITS, path)
        if len(tree.entries) != 1:
            given = ", ".join(tree.entries) or "none"
            raise ConfigError(
                f"{tree.place}: {path} has exactly one unit of {', '.join(UNITS)}. "
                f"Received: {given}."
            )
        ((unit, amount),) = tree.entries.items()
        return unit, self.value(float, amount, f"{path}.{unit}")

    def value(self, hint: Any, tree: Tree, path: str) -> Any:
        """A value of the annotated type."""
        self.places[path] = tree.place
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (Union, types.UnionType):
            if isinstance(tree, Scalar) and tree.is_null:
                return None
            (hint,) = (one for one in arguments if one is not type(None))
            return self.value(hint, tree, path)
        if dataclasses.is_dataclass(hint):
            return self.section(cast(type, hint), tree, path)
        if origin is tuple:
            return self._items(arguments, tree, path)
        if origin in (Mapping, dict):
            return self._weights(tree, path)
        if not isinstance(tree, Scalar):
            raise _expected(path, KINDS[Scalar], tree)
        return _checked(_scalar(hint, tree, path), tree, path)

    def _items(self, hints: tuple[Any, ...], tree: Tree, path: str) -> tuple[Any, ...]:
        repeated = hints[-1] is Ellipsis
        what = "a list" if repeated else f"a list of {len(hints)}"
        if not isinstance(tree, Items) or (not repeated and len(tree.items) != len(hints)):
            raise _expected(path, what, tree)
        if RULES.get(path, NO_RULE).some and not tree.items:
            raise ConfigError(f"{tree.place}: {path} needs at least one entry.")
        kinds = hints[:1] * len(tree.items) if repeated else hints
        return tuple(
            self.value(hint, item, path) for hint, item in zip(kinds, tree.items, strict=True)
        )

    def _weights(self, tree: Tree, path: str) -> dict[str, float]:
        """Mutation weights, or amounts of resources.

        CHOICE: a mutation left out of the mapping is never drawn.
        """
        mutations = path == "search.mutations"
        if not isinstance(tree, Table):
            what = "mutations to weights" if mutations else "names to amounts"
            raise _expected(path, f"a mapping of {what}", tree)
        if mutations:
            _check_keys(tree, MUTATIONS, path)
        weights = {}
        for name, entry in tree.entries.items():
            if not isinstance(entry, Scalar):
                raise _expected(f"{path}.{name}", "a number", entry)
            weight = _scalar(float, entry, f"{path}.{name}")
            weights[name] = _checked(weight, entry, f"{path}.{name}", RULES[path])
        if mutations and not any(weights.values()):
            raise ConfigError(f"{tree.place}: {path} needs a weight above 0.")
        return weights

    def fail(self, path: str, message: str) -> NoReturn:
        """Raise about a setting, at the place where it or its section was written."""
        at = path
        while at and at not in self.places:
            at = at.rpartition(".")[0]
        raise ConfigError(f"{self.places.get(at, 'configuration')}: {path}: {message}")


def _check_keys(tree: Table, known: Iterable[str], path: str) -> None:
    known = list(known)
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


def _scalar(hint: Any, tree: Scalar, path: str) -> Any:
    text = tree.text
    if hint is str:
        return _text(tree, path)
    if tree.plain and hint is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tree.plain and hint in (int, float):
        if RULES.get(path, NO_RULE).duration:
            if (seconds := parse_duration(text)) is not None:
                return seconds
            raise _expected(path, "a time such as 90s, 10m or 2h", tree)
        if RULES.get(path, NO_RULE).size:
            if (size := parse_size(text)) is not None:
                return size
            raise _expected(path, "a size such as 500MB or 4GB", tree)
        try:
            return hint(text)
        except ValueError:
            if hint is int and (whole := _whole(text)) is not None:
                return whole
    words = {bool: "true or false", int: "a whole number", float: "a number"}
    raise _expected(path, words[hint], tree)


def _whole(text: str) -> int | None:
    """An integer written like 1e6 or 2.0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else None


def _text(tree: Scalar, path: str) -> str:
    guessed = tree.text.lower() in ("true", "false") or tree.is_null
    try:
        float(tree.text)
        guessed = True
    except ValueError:
        pass
    if tree.plain and guessed:
        raise _expected(path, "text (put quotes around it if it is meant)", tree)
    return tree.text


def _checked(value: Any, tree: Scalar, path: str, rule: Rule | None = None) -> Any:
    rule = rule or RULES.get(path, NO_RULE)
    if rule.choices and value not in rule.choices:
        raise ConfigError(
            f"{tree.place}: {path} is one of {', '.join(rule.choices)}. "
            f"Received: {value!r}.{did_you_mean(str(value), rule.choices, 1)}"
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        limits = (
            (rule.least is None or value >= rule.least, f"at least {rule.least}"),
            (rule.most is None or value <= rule.most, f"at most {rule.most}"),
            (rule.above is None or value > rule.above, f"above {rule.above}"),
            (math.isfinite(value), "a finite number"),
        )
        for kept, limit in limits:
            if not kept:
                raise ConfigError(f"{tree.place}: {path} is {limit}. Received: {tree.text}.")
    return value
