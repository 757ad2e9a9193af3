"""Ends the processes that Ray leaves behind when its driver is killed.

Without a cluster, Ray belongs to the driver that started it. When that driver is killed, most
of Ray ends with it, but not all: Ray's agents try for a minute to reach a head that has gone.
So a small process watches the driver. When the driver has gone, it ends every process that
still has a file open in the session's folder. A driver that ends normally ends its watchman
first.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time

import psutil

LOOK_SECONDS = 0.5  # between looks at the driver
MERCY_SECONDS = 3.0  # that Ray may take to end by itself
ROUNDS = 5  # of ending processes, since a worker may start while others are ended


class Watchman:
    """A process that watches this one, and ends its session of Ray when this one has gone."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", __name__, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # so that a terminal's Ctrl-C does not reach it
        )

    def close(self) -> None:
        """End the watchman; the session has ended."""
        self._popen.kill()
        self._popen.wait()


def members(driver: int) -> list[psutil.Process]:
    """The processes of the session of Ray that a driver started, without driver and caller."""
    # Ray names the folder of a session after the time and the driver's process id
    session = re.compile(rf"/session_[\d_-]+_{driver}/")
    found = []
    for one in psutil.process_iter():
        # an error: it has ended, or belongs to another user
        with contextlib.suppress(psutil.Error, OSError):
            # it has a file open in the session's folder, such as its log
            inside = any(session.search(file.path) for file in one.open_files())
            if inside and one.pid not in (driver, os.getpid()):
                found.append(one)
    return found


def end_session(driver: int) -> int:
    """Kill every process of a driver's session of Ray; returns how many there were."""
    found = members(driver)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return len(found)


def watch(driver: int) -> None:
    """Wait until a driver has ended, then end what is left of its session."""
    while os.getppid() == driver:
        time.sleep(LOOK_SECONDS)
    time.sleep(MERCY_SECONDS)
    for _ in range(ROUNDS):
        if not end_session(driver):
            return
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
