"""What a setting may be beyond its type: limits that stand at its field.

A field is written `Annotated[int, Limit(least=1)]`. The class itself checks its limits, so they
hold for a YAML file and for Python alike, and docs/configuration.md is generated from them.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Union

from primeval.evaluators.errors import SettingError
from primeval.primitives.errors import did_you_mean


@dataclass(frozen=True)
class Limit:
    """Limits of one setting; for a mapping they hold for each of its values.

    Attributes:
        least, most: Smallest and largest value.
        above: The value must be larger than this.
        choices: The words that are allowed; for a mapping, its keys.
        unit: What the number counts. `seconds` may be written as `10m`, `bytes` as `4GB`.
        some: A list needs at least one entry, a mapping at least one above 0.
        advice: A sentence that follows the error when the value is none of `choices`.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    some: bool = False
    advice: str = ""

    def check(self, key: str, value: Any) -> None:
        """Raises SettingError if a single value is outside these limits."""
        if self.choices and value not in self.choices:
            near = did_you_mean(str(value), self.choices, 1)
            rule = f"is one of {', '.join(self.choices)}. Received: {value!r}.{near}"
            raise SettingError(key, f"{key} {rule}{self.advice and f' {self.advice}'}")
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return
        received = value if isinstance(value, int) else f"{value:.15g}"
        for kept, rule in (
            (self.least is None or value >= self.least, f"at least {self.least}"),
            (self.most is None or value <= self.most, f"at most {self.most}"),
            (self.above is None or value > self.above, f"above {self.above}"),
            (math.isfinite(value), "a finite number"),
        ):
            if not kept:
                raise SettingError(key, f"{key} is {rule}. Received: {received}.")


Count = Annotated[int, Limit(least=1)]
Seconds = Annotated[float, Limit(above=0, unit="seconds")]
Bytes = Annotated[int, Limit(least=1, unit="bytes")]


class Settings:
    """A section of the configuration: a frozen dataclass whose fields state their limits.

    Making one raises SettingError if a value is outside its limits.
    """

    exclusive: ClassVar[tuple[str, ...]] = ()  # fields of which at most one is given

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, hint in field_types(cls).items():
            check(name, hint, getattr(self, name))


@cache
def field_types(cls: type) -> dict[str, Any]:
    """The annotated type of every field, in order."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


@cache
def taken_apart(hint: Any) -> tuple[Any, Limit, bool]:
    """An annotated type as its bare type, its limit, and whether None is allowed."""
    optional = typing.get_origin(hint) in (Union, types.UnionType)
    if optional:
        (hint,) = (one for one in typing.get_args(hint) if one is not type(None))
    if typing.get_origin(hint) is not Annotated:
        return hint, Limit(), optional
    bare, limit = typing.get_args(hint)
    return bare, limit, optional


def check(key: str, hint: Any, value: Any) -> None:
    """Raises SettingError if a value, or one inside it, is outside the limits of its type."""
    bare, limit, _ = taken_apart(hint)
    if isinstance(value, Mapping):
        if limit.some and not any(value.values()):
            raise SettingError(key, f"{key} needs a weight above 0.")
        for name, amount in value.items():
            dataclasses.replace(limit, choices=()).check(f"{key}.{name}", amount)
    elif isinstance(value, tuple):
        if limit.some and not value:
            raise SettingError(key, f"{key} needs at least one entry.")
        for item in value:
            check(key, typing.get_args(bare)[0], item)
    elif value is not None:
        limit.check(key, value)
