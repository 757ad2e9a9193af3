"""YAML as a tree that remembers where each value was written.

Only the shape is read here: mappings, lists and scalars as text. The setting that a scalar is
given for decides what it must be (`reader.py`), so YAML's own guesses (`no` as false, `1e-3` as
text) never happen. YAML constructs no objects here, so nothing in it can be executed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import yaml

from primeval.search.errors import ConfigError

MAX_NODES, MAX_DEPTH = 10_000, 12  # a configuration has about 60 keys, 3 deep


@dataclass(frozen=True)
class Scalar:
    """One value as text.

    Attributes:
        text: The value, without quotes.
        plain: Whether it is written without quotes: it tells `12` from `"12"`.
        place: Where it stands, for messages: `my.yaml, line 3`.
    """

    text: str
    plain: bool
    place: str

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class Items:
    """A list, and where it stands."""

    items: tuple[Tree, ...]
    place: str


@dataclass(frozen=True)
class Table:
    """A mapping, and where it stands."""

    entries: dict[str, Tree]
    place: str


Tree = Scalar | Items | Table


def read_tree(text: str, source: str, lines: bool = True) -> Tree:
    """The tree of a YAML text. Raises ConfigError with the line.

    Args:
        text: The YAML.
        source: Name of the text in messages.
        lines: Whether a place is named with its line: `source, line 3`.
    """

    def place(mark: yaml.Mark | None) -> str:
        return f"{source}, line {mark.line + 1}" if lines and mark else source

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        problem = " ".join(filter(None, (error.context, error.problem)))
        where = place(error.problem_mark or error.context_mark)
        raise ConfigError(f"{where}: this is not YAML: {problem}.") from None
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{source}: this is not YAML: {first}.") from None
    return Table({}, source) if node is None else _tree(node, place, itertools.count(1))


def _tree(
    node: yaml.Node, place: Callable[[yaml.Mark], str], numbers: Iterator[int], depth: int = 0
) -> Tree:
    """The tree of a node of PyYAML. Nodes are numbered, because aliases can multiply."""
    here = place(node.start_mark)
    if next(numbers) > MAX_NODES or depth > MAX_DEPTH:
        raise ConfigError(
            f"{here}: a configuration is not that large or deep. At most {MAX_NODES:,} values, "
            f"{MAX_DEPTH} levels."
        )
    if isinstance(node, yaml.ScalarNode):
        return Scalar(node.value, node.style is None, here)
    if isinstance(node, yaml.SequenceNode):
        return Items(tuple(_tree(item, place, numbers, depth + 1) for item in node.value), here)
    entries: dict[str, Tree] = {}
    for key, value in node.value:
        at_key = place(key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{at_key}: a key is a word.")
        if key.value in entries:
            raise ConfigError(
                f"{at_key}: the key {key.value!r} is given twice. "
                f"First: {entries[key.value].place}."
            )
        tree = _tree(value, place, numbers, depth + 1)
        # an error about a section is best shown at its key, not at its first entry
        entries[key.value] = replace(tree, place=at_key)
    return Table(entries, here)
