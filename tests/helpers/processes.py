"""Starts toy searches in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from primeval.search.run.folder import open_run


def start(config_file: Path, run: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `primeval search`, or `primeval resume` if the run exists."""
    command = "resume" if run.exists() else "search"
    where = [str(run)] if command == "resume" else [str(config_file), "--run-dir", str(run)]
    return subprocess.Popen(
        [sys.executable, "-m", "primeval.scripts.cli", command, *where, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def told(folder: Path) -> int:
    return open_run(folder).store.told()
