"""Driving a run in front of the user: progress on the screen, the log in the run's folder."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from primeval.scripts.running.ending import print_ending
from primeval.scripts.running.progress import Lines, Picture
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress
from primeval.search.drive.tensorboard import TensorBoard
from primeval.search.errors import RunError

if TYPE_CHECKING:
    from primeval.evaluators.evaluator import Evaluator
    from primeval.search.algorithm.evolution import Search
    from primeval.search.run.folder import Run


def drive_and_report(run: Run, search: Search, evaluator: Evaluator) -> int:
    """Drive a run until it stops, then print what it found. Returns the exit status.

    Raises RunError if the log cannot be written, StoreError if the store cannot.
    """
    log_to(run.folder)
    picture = Picture() if sys.stdout.isatty() else None
    progress: Progress = picture or Lines()
    if run.config.tensorboard:
        progress = TensorBoard(progress)
    try:
        stop = drive(run, search, evaluator, progress)
    finally:
        if picture is not None:
            picture.close()
    print_ending(run, stop)
    return 1 if stop.failed else 0


def log_to(folder: Path) -> None:
    """Write what the library logs to `run.log`, not to the screen. Raises RunError."""
    try:
        handler = logging.FileHandler(folder / "run.log", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{folder}/run.log cannot be written: {error.strerror}.") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("primeval")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
