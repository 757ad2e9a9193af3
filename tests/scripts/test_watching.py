"""`report --watch` and `top --watch` follow a running search and end with it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.toys import primeval

from primeval.scripts.cli import main
from primeval.search.run.folder import open_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def running(tmp_path: Path, config_file: Path) -> subprocess.Popen[str]:
    """A search that runs until it receives a signal, in tmp_path / "run"."""
    command = [sys.executable, "-m", "primeval.scripts.cli", "search", str(config_file)]
    sets = ["--run-dir", "run", "--set", "budget.max_candidates=1000000"]
    process = subprocess.Popen(
        [*command, *sets],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,  # a full pipe without a reader would stop it
        stderr=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "run.sqlite").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    return process


def count_in(line: str) -> int:
    """The number of candidates that a watched report says it shows."""
    return int(re.findall(r"([\d,]+) candidates", line)[0].replace(",", ""))


def wait_until_more_are_told(run: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while open_run(run).store.told() <= count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_watched_report_is_written_until_the_search_ends(
    running: subprocess.Popen[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "primeval.scripts.cli", "report", "run", "--watch", "0.2"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        first = [watcher.stdout.readline() for _ in range(2)]
        page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
        wait_until_more_are_told(tmp_path / "run", count_in(first[0]))
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
        rest, _ = watcher.communicate(timeout=60)
    assert 'data-refresh="0.2"' in page
    assert "Running." in page
    counts = [count_in(line) for line in [*first, *rest.splitlines()]]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    assert watcher.returncode == 0
    last = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "data-refresh" not in last.split("</head>")[0]
    assert counts[-1] == open_run(tmp_path / "run").store.told()


def test_a_watched_ranking_ends_with_the_search(
    running: subprocess.Popen[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "primeval.scripts.cli", "top", "run", "--watch", "0.2"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        shown = ""
        while shown.count("Ctrl-C ends this") < 2:
            line = watcher.stdout.readline()
            assert line
            shown += line
        running.kill()  # not a clean stop: no event says that it ended
        running.communicate(timeout=60)
        rest, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 0
    assert "\x1b" not in shown + rest
    pictures = (shown + rest).split("\n\n")
    assert len(pictures) > 2
    assert "Ctrl-C ends this" not in pictures[-1]
    told = [int(re.findall(r"run: (\d+) evaluated", picture)[0]) for picture in pictures]
    assert told == sorted(told)
    assert told[-1] == open_run(tmp_path / "run").store.told()


def test_watching_a_finished_run_shows_it_once(troubled: Path, capsys: Capture) -> None:
    assert main(["top", str(troubled), "--watch"]) == 0
    once = capsys.readouterr().out
    assert main(["top", str(troubled)]) == 0
    assert capsys.readouterr().out == once


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf"])
def test_watch_takes_only_more_than_0_seconds(troubled: Path, seconds: str) -> None:
    done = primeval("report", troubled, "--watch", seconds)
    assert done.returncode == 2
    assert "seconds, more than 0" in done.stderr
