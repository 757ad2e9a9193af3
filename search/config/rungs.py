"""The rungs of a configuration, in the YAML: each is the configuration with some overrides.

A rung above the first states what differs. Here it is completed with what it leaves out, so
that every rung is read, checked and written as a whole, and can be used on its own: `laptop@2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from primeval.evaluators.limits import field_types, taken_apart
from primeval.search.config.settings import FIRST_HIGHER, RungSettings
from primeval.search.config.yaml_tree import Items, Scalar, Table, Tree
from primeval.search.errors import ConfigError

SECTIONS = tuple(name for name in field_types(RungSettings) if name != "promote")


def split_name(reference: str) -> tuple[str, int | None]:
    """The name of a configuration and the rung of it that is meant: `laptop@2`."""
    found = re.fullmatch(r"(.+)@(\d+)", reference)
    if found is None or Path(reference).exists():
        return reference, None
    return found[1], int(found[2])


def complete(tree: Table) -> None:
    """Give each rung the settings of the configuration that it does not override."""
    for rung in _rungs(tree):
        for name in SECTIONS:
            below, own = tree.entries.get(name), rung.entries.get(name)
            if isinstance(own, Scalar) and own.is_null:
                own = None  # a section whose entries are all commented out
            if isinstance(below, Table) and (own is None or isinstance(own, Table)):
                given = own.entries if own else {}
                kept = _not_replaced(name, below.entries, given)
                place = own.place if own else below.place
                rung.entries[name] = Table({**kept, **given}, place)


def alone(tree: Table, number: int, source: str) -> None:
    """Turn a completed tree into the configuration of one rung. Raises ConfigError."""
    higher = _rungs(tree)
    if not 1 <= number <= len(higher) + 1:
        raise ConfigError(
            f"{source} has {len(higher) + 1} rung{'s' if higher else ''}, numbered from 1. "
            f"Received: {number}."
        )
    if number >= FIRST_HIGHER:
        rung = higher[number - FIRST_HIGHER].entries
        tree.entries.update({name: rung[name] for name in SECTIONS if name in rung})
    tree.entries.pop("rungs", None)


def _rungs(tree: Table) -> list[Table]:
    """The entries of `rungs`; what is not as it should be is left for the reader to report."""
    listed = tree.entries.get("rungs")
    items = listed.items if isinstance(listed, Items) else ()
    return [item for item in items if isinstance(item, Table)]


def _not_replaced(
    section: str, below: Mapping[str, Tree], given: Mapping[str, Tree]
) -> dict[str, Tree]:
    """The settings below that a rung's own do not exclude, as `width` excludes `parameters`."""
    kind = taken_apart(field_types(RungSettings)[section])[0]
    exclusive = getattr(kind, "exclusive", ())
    replaced = set(exclusive) if any(name in given for name in exclusive) else set()
    return {name: value for name, value in below.items() if name not in replaced}
