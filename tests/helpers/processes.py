"""Starts toy searches in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


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
