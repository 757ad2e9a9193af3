"""The docs are true: commands print what they show, and files, rooms and choices exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from helpers.places import ROOT

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SLOW = {"export.md"}  # almost every command in it starts TensorFlow twice
PAGES = [*DOCS, *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md"))]
PAGES += [ROOT / "docs" / "architecture.svg"]
ELLIPSIS = "..."  # as a line, it stands for any lines; within a line, for any text


def sessions(text: str) -> list[list[tuple[str, str]]]:
    """The ```console blocks; each is a list of commands and what they print."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
        found.append(list(zip(parts[::2], parts[1::2], strict=True)))
    return found


def pattern(shown: str) -> str:
    """A regular expression that the whole output must match."""
    lines = [
        "(?:.*\n)*?"
        if line.strip() == ELLIPSIS
        else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
        for line in shown.splitlines()
    ]
    return "".join(lines)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name, marks=pytest.mark.slow if path.name in SLOW else ())
        for path in DOCS
    ],
)
def test_commands_print_what_the_docs_show(path: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "COLUMNS": "80",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    text = path.read_text(encoding="utf-8")
    for code, name in re.findall(r"^```python\n(# (\w+\.py)\n.*?)^```", text, re.M | re.S):
        (tmp_path / name).write_text(code, encoding="utf-8")
    for session in sessions(text):
        for command, shown in session:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert re.fullmatch(pattern(shown), done.stdout), f"$ {command}\n{done.stdout}"


def named_paths(text: str) -> set[str]:
    """The files and folders of the checkout that a text names, such as `dna/cost.py`."""
    tops = "primitives|dna|evaluators|search|scripts|configs|tests|benchmarks"
    return set(re.findall(rf"(?<![\w./-])(?:{tops})/(?:[\w-]+/)*(?:[\w-]+\.[a-z]+\b)?", text))


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_files_and_folders_that_the_docs_name_exist(path: Path) -> None:
    named = named_paths(path.read_text(encoding="utf-8"))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_path_that_does_not_exist_is_found_in_a_text() -> None:
    assert named_paths("`dna/gone.py`, dna/seeds/ and (search/run/x.py)") == {
        "dna/gone.py",
        "dna/seeds/",
        "search/run/x.py",
    }


def test_every_room_has_one_line_in_the_architecture_page() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("## The rooms")[1].split("\n## ")[0]
    told = Counter(re.findall(r"^\| `(\S+)/` \| .", section, re.MULTILINE))
    packages = ("primitives", "dna", "evaluators", "search", "scripts")
    files = [file for name in packages for file in (ROOT / name).rglob("*.py")]
    assert told == Counter({str(file.parent.relative_to(ROOT)) for file in files})


def broken_links(text: str, folder: Path) -> list[str]:
    """The links of a page to files or headings that do not exist; not those to the web."""
    broken = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = folder / name if name else None
        if target is not None and not target.exists():
            broken.append(link)
        elif anchor:
            page = target.read_text(encoding="utf-8") if target else text
            headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}
            if anchor not in slugs:
                broken.append(link)
    return broken


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_links_between_the_pages_lead_somewhere(path: Path) -> None:
    assert broken_links(path.read_text(encoding="utf-8"), path.parent) == []


def test_broken_links_are_found() -> None:
    text = "# A page\n[a](gone.md) [b](#a-page) [c](#no) [d](README.md#gone) [e](docs/data.md)"
    assert broken_links(text, ROOT) == ["gone.md", "#no", "README.md#gone"]


def choosing_files(root: Path) -> list[Path]:
    """All files that may mark a choice about the language, in sub-folders too."""
    return [
        path
        for folder in ("primitives", "dna")
        for pattern in ("*.py", "*.dna")
        for path in sorted((root / folder).rglob(pattern))
    ]


def test_choices_are_looked_for_in_rooms_too(tmp_path: Path) -> None:
    (tmp_path / "dna" / "planted").mkdir(parents=True)
    planted = tmp_path / "dna" / "planted" / "fault.py"
    planted.write_text("# CHOICE: the docs do not list this one\n", encoding="utf-8")
    assert choosing_files(tmp_path) == [planted]


def test_every_choice_about_the_language_is_in_the_docs() -> None:
    written: Counter[str] = Counter()
    for path in choosing_files(ROOT):
        count = len(re.findall(r"CHOICE[:,]\s", path.read_text(encoding="utf-8")))
        if count:
            written[str(path.relative_to(ROOT))] = count
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    table = text.split("## Choices")[1]
    told = Counter(re.findall(r"^\| ((?:primitives|dna)/\S+) \|", table, re.MULTILINE))
    assert told == written


def test_the_proof_of_causality_covers_every_primitive_once() -> None:
    from primeval.primitives.vocabulary import PRIMITIVES

    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    proof = text.split("## Why no program can see the future")[1].split("\n## ")[0]
    cases = re.findall(r"^\d\. \*\*(.*?)\. ", proof.replace("\n   ", " "), re.MULTILINE)
    assert len(cases) == 9
    assert sum(int(re.findall(r"(\d+)\)", case)[-1]) for case in cases) == len(PRIMITIVES)
    named: Counter[str] = Counter()
    for case in cases:
        for word in re.findall(r"[A-Z][A-Z0-9_]+(?:\\\*)?", case):
            rows = [word] if word in PRIMITIVES else _family(word, list(PRIMITIVES))
            named.update(rows)
    assert named == Counter(list(PRIMITIVES))


def _family(word: str, names: list[str]) -> list[str]:
    prefix = word.rstrip("*\\")
    return [name for name in names if name.startswith(prefix)]
