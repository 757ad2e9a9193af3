"""Files and folders are written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from primeval.evaluators.whole_files import remove_drafts, replacing


def write(path: Path, kind: str, text: str) -> None:
    """A file with a text, or a folder with such a file."""
    if kind == "folder":
        path.mkdir()
        path /= "file"
    path.write_text(text, encoding="utf-8")


def read(path: Path) -> str:
    return (path / "file" if path.is_dir() else path).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_draft_takes_the_place_of_what_was_there(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    for text in ("first", "second"):
        with replacing(path) as draft:
            write(draft, kind, text)
            assert not path.exists() or read(path) == "first"
        assert read(path) == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_error_leaves_what_was_there_and_no_draft(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "it"
    write(path, kind, "first")

    def interrupted() -> None:
        with replacing(path) as draft:
            write(draft, kind, "second")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read(path) == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_of_several_files_all_are_written_or_none(tmp_path: Path) -> None:
    def write_both(second: str) -> None:
        with ExitStack() as drafts:
            for name, text in (("a", "1"), ("b", second)):
                drafts.enter_context(replacing(tmp_path / name)).write_text(text, "utf-8")

    with pytest.raises(TypeError):
        write_both(2)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    write_both("2")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_draft_of_a_killed_writer_can_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "it"
    path.write_text("first", encoding="utf-8")
    code = (
        "import os, pathlib; from primeval.evaluators.whole_files import replacing\n"
        f"with replacing(pathlib.Path({str(path)!r})) as draft:\n"
        "    draft.write_text('half'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    remove_drafts(path)
    assert list(tmp_path.iterdir()) == [path]
    assert read(path) == "first"
