"""The keys of the YAML, in order, as they follow from the settings classes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from primeval.evaluators.budget import Budget
from primeval.evaluators.limits import field_types, taken_apart
from primeval.evaluators.settings import CandidateSettings
from primeval.search.config.settings import RunConfig, RungSettings


@cache
def keys(cls: type) -> dict[str, Any]:
    """The keys of a section with their annotated types, limits included.

    CHOICE: `budget: {UNIT: amount}` and `hurdles` are two keys of one `Budget`.
    """
    types = field_types(cls)
    if cls is not CandidateSettings:
        return types
    return {"budget": types["budget"], "hurdles": field_types(Budget)["hurdles"], **types}


def sections(cls: type = RunConfig, path: str = "") -> Iterator[tuple[str, type]]:
    """Every section by its full name, in YAML order; the top level is called ``.

    `candidate.budget` is one too: its keys are the units of `Budget`.
    """
    yield path, cls
    for key, hint in field_types(cls).items():
        kind = taken_apart(hint)[0]
        if kind == tuple[RungSettings, ...]:
            yield key, RungSettings  # its own sections are those of the top level
        elif dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from sections(kind, f"{path}.{key}" if path else key)


def alternatives(path: str) -> tuple[str, ...]:
    """The full names of the settings of which at most one is given, if this is one of them."""
    path = re.sub(r"^rungs\.\d+\.", "", path)
    for section, cls in sections():
        names = tuple(f"{section}.{name}" for name in getattr(cls, "exclusive", ()))
        if path in names:
            return names
    return ()
