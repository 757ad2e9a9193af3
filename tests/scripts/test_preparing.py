"""What is shown while tokens are made: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from primeval.evaluators.errors import DataError
from primeval.scripts.running.preparing import prepare_data
from primeval.search.config.config import parse_config

CONFIG = "model: {width: 8, length: 8}\ndata: {files: [text.txt]}"
CODE = f"""if True:
    from primeval.scripts.running.preparing import prepare_data
    from primeval.search.config.config import parse_config
    prepare_data(parse_config({CONFIG!r}).task(""))
"""


@pytest.fixture(autouse=True)
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRIMEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "text.txt"
    path.write_bytes(b"It is a truth universally acknowledged.\n\n" * 100_000)
    return path


def test_a_pipe_gets_a_line_and_a_terminal_a_bar(text: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "text.txt: making tokens …\n"
    assert done.stdout == ""

    text.touch()  # a new time stamp: the tokens are made again
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen([sys.executable, "-c", CODE], stderr=slave, env=environment)
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:  # the process closed the other end
            break
    os.close(master)
    assert process.wait(timeout=60) == 0
    assert b"text.txt: making tokens" in shown
    assert "━".encode() in shown
    assert b"100%" in shown


def test_tokens_in_the_cache_are_not_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = parse_config(CONFIG).task("")
    (corpus,) = prepare_data(task)
    assert capsys.readouterr().err
    (again,) = prepare_data(task)
    assert again.train.size == corpus.train.size
    assert capsys.readouterr().err == ""


def test_a_split_that_is_too_small_is_refused(text: Path) -> None:
    text.write_bytes(b"It is a truth universally acknowledged.\n\n" * 10)
    with pytest.raises(DataError, match="validation split is too small"):
        prepare_data(parse_config(CONFIG).task(""))
