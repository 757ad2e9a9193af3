"""YAML as a tree that remembers where each value was written.

Only the shape is read here: mappings, lists and scalars as text. The setting that a scalar is
given for decides what it must be (`reader.py`), so YAML's own guesses (`no` as false, `1e-3` as
text) never happen. YAML constructs no objects here, so nothing in it can be executed.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def read_tree(text: str, source: str, first_place: str = "") -> Tree:
    """The tree of a YAML text. Raises ConfigError with the line.

    Args:
        text: The YAML.
        source: Name of the text in messages: `source, line 3`.
        first_place: What every place is called instead, if given.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        place = first_place or f"{source}{line}"
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise ConfigError(f"{place}: this is not YAML: {problem}.") from None
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{first_place or source}: this is not YAML: {first}.") from None
    if node is None:
        return Table({}, first_place or source)
    return _Converter(source, first_place).tree(node, 0)


class _Converter:
    """From PyYAML's nodes to a tree. It counts them, because aliases can multiply."""

    def __init__(self, source: str, first_place: str) -> None:
        self.source, self.first_place, self.count = source, first_place, 0

    def place(self, node: yaml.Node) -> str:
        return self.first_place or f"{self.source}, line {node.start_mark.line + 1}"

    def tree(self, node: yaml.Node, depth: int) -> Tree:
        place = self.place(node)
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            raise ConfigError(
                f"{place}: a configuration is not that large or deep. At most "
                f"{MAX_NODES:,} values, {MAX_DEPTH} levels."
            )
        if isinstance(node, yaml.ScalarNode):
            return Scalar(node.value, node.style is None, place)
        if isinstance(node, yaml.SequenceNode):
            return Items(tuple(self.tree(item, depth + 1) for item in node.value), place)
        entries: dict[str, Tree] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{self.place(key)}: a key is a word.")
            if key.value in entries:
                raise ConfigError(
                    f"{self.place(key)}: the key {key.value!r} is given twice. "
                    f"First: {entries[key.value].place}."
                )
            tree = self.tree(value, depth + 1)
            # an error about a section is best shown at its key, not at its first entry
            entries[key.value] = replace(tree, place=self.place(key))
        return Table(entries, place)


def override(tree: Tree, assignment: str, alternatives: Sequence[str] = ()) -> Tree:
    """The tree with one value replaced, as in `--set a.b=value`. Raises ConfigError.

    Args:
        tree: A table.
        assignment: `key.path=value`; the value is YAML.
        alternatives: Full paths of settings that exclude each other: setting one drops the
            others.
    """
    place = f"--set {assignment}"
    path, equals, text = assignment.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise ConfigError(
            f"--set takes key.path=value, as in --set budget.max_time=2h. "
            f"Received: {assignment!r}."
        )
    value = read_tree(text, place, first_place=place)
    if isinstance(value, Table) and not value.entries and not text.strip().startswith("{"):
        value = Scalar("", True, place)
    return _replaced(tree, keys, value, place, "", set(alternatives) - {".".join(keys)})


def _replaced(
    tree: Tree, keys: list[str], value: Tree, place: str, prefix: str, dropped: set[str]
) -> Tree:
    if not keys:
        return value
    if not isinstance(tree, Table):
        raise ConfigError(f"{place}: {prefix} has no settings below it.")
    path = f"{prefix}.{keys[0]}" if prefix else keys[0]
    entries = {
        key: entry
        for key, entry in tree.entries.items()
        if (f"{prefix}.{key}" if prefix else key) not in dropped
    }
    below = entries.get(keys[0], Table({}, place))
    entries[keys[0]] = _replaced(below, keys[1:], value, place, path, dropped)
    return Table(entries, tree.place)
