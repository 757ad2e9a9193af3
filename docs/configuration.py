"""Writes the tables of docs/configuration.md: `python docs/configuration.py`.

What stands above the mark in that page is written by hand; everything below is replaced. There
every key of the YAML has what it may be, its default, and the sentence under `Attributes` in
its class (`search/config/settings.py`, `evaluators/settings.py`, `.../data_settings.py`).
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from primeval.evaluators.budget import UNITS, Budget
from primeval.evaluators.limits import Limit, taken_apart
from primeval.search.config.changes import FIXED, FREE
from primeval.search.config.config import to_plain
from primeval.search.config.keys import keys, sections
from primeval.search.config.settings import RungSettings

PAGE = Path(__file__).with_suffix(".md")
MARK = "<!-- From here on this page is written by docs/configuration.py. -->\n"
WORDS = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`"}
SPECIAL = {"seconds": "time", "bytes": "size"}  # units that are part of the value

RESUMING = """\
## Resuming with other settings

`primeval resume RUN --set ...` may change any setting but {fixed}:
what the run has found could not be compared with what comes. Of these, {free}
may change all the same. A run also stays in its folder, and with the toy evaluator or without
it. Each change is recorded.
"""


def written(page: str) -> str:
    """The page with its tables as the settings classes have them now."""
    return page.partition(MARK)[0] + MARK + "\n" + "\n".join(tables())


def tables() -> list[str]:
    """A part of the page for each section of the YAML."""
    parts = []
    for path, cls in sections():
        if cls is Budget:
            rows: Iterable[tuple[str, ...]] = ((f"`{unit}`", UNITS[unit]) for unit in UNITS)
            parts.append(
                f"The units of `{path}`; the amount is a number above 0:\n\n"
                + _table(("unit", "the amount is"), rows)
            )
            continue
        summary = (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")
        heading = f"`{path}`" if path else "The top level"
        rows = (
            (f"`{key}`", allowed(hint), default(cls, key), _linked(sentence(cls, key)))
            for key, hint in single_keys(cls).items()
        )
        table = _table(("key", "value", "default", "meaning"), rows)
        parts.append(f"## {heading}\n\n{_linked(summary)}\n\n{table}")
    parts.append(RESUMING.format(fixed=_names(FIXED), free=_names(FREE)))
    return parts


def single_keys(cls: type) -> dict[str, Any]:
    """The keys of a section that are not sections themselves, with their annotated types."""
    if cls is RungSettings:
        return keys(cls)  # its sections are described once, as those of the top level
    kinds = {key: (hint, taken_apart(hint)[0]) for key, hint in keys(cls).items()}
    return {
        key: hint
        for key, (hint, kind) in kinds.items()
        if kind is Budget
        or not (dataclasses.is_dataclass(kind) or kind == tuple[RungSettings, ...])
    }


def sentences(cls: type) -> dict[str, str]:
    """What the docstring of a class says under `Attributes`, by the name of the field."""
    listed = (inspect.getdoc(cls) or "").partition("Attributes:\n")[2]
    pairs = re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return {
        name: re.sub(r"\s+", " ", text) for names, text in pairs for name in names.split(", ")
    }


def sentence(cls: type, key: str) -> str:
    """The sentence about a key; empty if there is none. CHOICE: `hurdles` is the budget's."""
    return {**sentences(Budget), **sentences(cls)}.get(key, "")


def allowed(hint: Any) -> str:
    """What a value may be, in words."""
    kind, limit, _ = taken_apart(hint)
    inside = typing.get_args(kind)
    if kind is Budget:
        return "`{unit: amount}`"
    if dataclasses.is_dataclass(kind):
        return "settings"
    if typing.get_origin(kind) is tuple:
        several = "list of" if inside[-1] is Ellipsis else f"list of {len(inside)}:"
        return f"{several} {allowed(inside[0])}{', at least one' if limit.some else ''}"
    if typing.get_origin(kind) is Mapping:
        names = ", ".join(f"`{name}`" for name in limit.choices)
        return f"mapping of {names or 'names'} to numbers{_limits(limit)}"
    if limit.choices:
        return ", ".join(f"`{choice}`" for choice in limit.choices)
    if limit.unit in SPECIAL:
        return SPECIAL[limit.unit] + _limits(limit)
    return WORDS[kind] + (f" of {limit.unit}" if limit.unit else "") + _limits(limit)


def default(cls: Any, key: str) -> str:
    """The default of a key as it would be written in YAML."""
    fields = {field.name: field for one in (Budget, cls) for field in dataclasses.fields(one)}
    made, value = fields[key].default_factory, fields[key].default
    if made is not dataclasses.MISSING:
        value = made()
    if value in (None, "", (), {}):
        return "not set"
    if dataclasses.is_dataclass(value) and not isinstance(value, Budget):
        return "those of rung 1"
    plain = to_plain(value, taken_apart(keys(cls)[key])[1].unit)
    text = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=1000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _limits(limit: Limit) -> str:
    if limit.least is not None and limit.most is not None:
        return f", {limit.least:,} to {limit.most:,}"
    bounds = (("at least", limit.least), ("above", limit.above), ("at most", limit.most))
    return "".join(f", {word} {bound:,}" for word, bound in bounds if bound is not None)


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headers, ("---",) * len(headers), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _linked(text: str) -> str:
    """A sentence with the names of other pages as links."""
    return re.sub(r"\b(\w+\.md)\b", r"[\1](\1)", text)


def _names(names: tuple[str, ...]) -> str:
    *rest, last = (f"`{name}`" for name in names)
    return f"{', '.join(rest)} and {last}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
