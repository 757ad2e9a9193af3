"""No file, function, class or folder grows too large to be read at once."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from helpers.places import ROOT

PRODUCT = ("primitives", "dna", "evaluators", "search", "scripts")
REST = ("tests", "benchmarks")
MOST_LINES = {"file": 300, "function": 40, "class": 200}
MOST_FILES = 14  # Python files in a folder


def sources(root: Path, folders: Iterable[str]) -> Iterator[Path]:
    """All Python files of these folders and of the folders inside them."""
    for folder in folders:
        found = sorted((root / folder).rglob("*.py"))
        assert found, f"there is nothing in {root / folder}"
        yield from found


def parts(path: Path) -> Iterator[tuple[str, str, int]]:
    """Kind, name and number of lines of a file and of all functions and classes in it."""
    text = path.read_text(encoding="utf-8")
    yield "file", path.name, len(text.splitlines())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            yield kind, node.name, (node.end_lineno or 0) - node.lineno + 1


def too_large(root: Path, folders: Iterable[str], kind: str) -> list[str]:
    """Files, functions or classes with more lines than are allowed."""
    return [
        f"{path.relative_to(root)}: {name} has {lines} lines"
        for path in sources(root, folders)
        for part, name, lines in parts(path)
        if part == kind and lines > MOST_LINES[kind]
    ]


def crowded_folders(root: Path, folders: Iterable[str]) -> list[str]:
    """Folders with more Python files than are allowed."""
    counts = Counter(path.parent for path in sources(root, folders))
    return [
        f"{folder.relative_to(root)} has {count} files"
        for folder, count in counts.items()
        if count > MOST_FILES
    ]


@pytest.mark.parametrize(
    ("folders", "kind"),
    [
        (PRODUCT, "file"),
        (PRODUCT, "function"),
        (PRODUCT, "class"),
        (REST, "file"),
    ],
)
def test_nothing_has_too_many_lines(folders: tuple[str, ...], kind: str) -> None:
    assert too_large(ROOT, folders, kind) == []


def test_no_folder_of_the_product_has_too_many_files() -> None:
    assert crowded_folders(ROOT, PRODUCT) == []


@pytest.mark.parametrize("kind", list(MOST_LINES))
def test_a_planted_part_with_one_line_too_many_is_found(tmp_path: Path, kind: str) -> None:
    head = {"file": "", "function": "def planted() -> None:\n", "class": "class Planted:\n"}[
        kind
    ]
    line = "    pass\n" if head else "pass\n"
    file = tmp_path / "dna" / "planted" / "fault.py"
    file.parent.mkdir(parents=True)
    for extra, expected in ((0, 0), (1, 1)):
        count = MOST_LINES[kind] + extra - bool(head)
        file.write_text(head + line * count, encoding="utf-8")
        assert len(too_large(tmp_path, ["dna"], kind)) == expected


def test_a_planted_file_too_many_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "dna" / "planted"
    folder.mkdir(parents=True)
    for number in range(MOST_FILES):
        (folder / f"file_{number}.py").touch()
    assert crowded_folders(tmp_path, ["dna"]) == []
    (folder / "one_more.py").touch()
    assert crowded_folders(tmp_path, ["dna"]) == [f"dna/planted has {MOST_FILES + 1} files"]
