"""Ends what Ray leaves behind when its driver is killed.

Ray on this machine belongs to the driver that started it. A driver that is killed takes most
of Ray with it, but not all: Ray's agents first try for a minute to report their loss to a head
that is gone. So a small process watches the driver, and ends whoever still has a file open in
the folder of its session. A driver that ends by itself ends this process first.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time

import psutil

LOOK_SECONDS = 0.5  # how often the driver is looked at
MERCY_SECONDS = 3.0  # in which Ray may end by itself
ROUNDS = 5  # a worker may be about to start when others are ended


class Watchman:
    """Watches this process, and ends its session of Ray when it is gone."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", __name__, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # a terminal's Ctrl-C is none of its business
        )

    def close(self) -> None:
        """Dismiss it: the session has ended."""
        self._popen.kill()
        self._popen.wait()


def members(driver: int) -> list[psutil.Process]:
    """The processes of the session of Ray that a driver started, but for the driver."""
    # Ray names the folder of a session after its time and its driver
    session = re.compile(rf"/session_[\d_-]+_{driver}/")
    mine = (driver, os.getpid())
    others = (one for one in psutil.process_iter() if one.pid not in mine)
    return [one for one in others if _works_in(one, session)]


def _works_in(process: psutil.Process, session: re.Pattern[str]) -> bool:
    """Whether a process has its log, or another file, in a session's folder."""
    try:
        return any(session.search(file.path) for file in process.open_files())
    except (psutil.Error, OSError):  # it has gone, or is not ours
        return False


def end_session(driver: int) -> int:
    """Kill every process of a driver's session of Ray; how many there were."""
    found = members(driver)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return len(found)


def watch(driver: int) -> None:
    """Wait for a driver to go, and clear up behind it."""
    while os.getppid() == driver:
        time.sleep(LOOK_SECONDS)
    time.sleep(MERCY_SECONDS)
    for _ in range(ROUNDS):
        if not end_session(driver):
            return
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
