"""One driver per run folder: a lock that the operating system releases when its holder dies."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TextIO

from primeval.search.errors import RunError

try:
    import fcntl
except ImportError:  # Windows, whose standard library has no lock like it: no lock there
    fcntl = None  # type: ignore[assignment]


def take_lock(folder: Path) -> TextIO:
    """Lock a folder: closing the file that is returned releases the lock.

    The file, `run.lock`, names the holder. It stays: removing it would race with the next
    holder. Raises RunError if the lock is held, OSError if the file cannot be written.
    """
    file = open(folder / "run.lock", "a+", encoding="utf-8")  # noqa: SIM115
    if fcntl is None:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise RunError(
            f"{folder} is being driven by {holder}. Wait for it, or stop it with Ctrl-C "
            f"or kill. `primeval top {folder}` works meanwhile."
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def is_held(folder: Path) -> bool:
    """Whether the process that took a folder's lock last is still running.

    The lock itself is not tried: that would get in the way of a process that wants it. A holder
    on another machine counts as running.
    """
    try:
        text = (folder / "run.lock").read_text(encoding="utf-8")
    except OSError:
        return False
    holder = re.match(r"process (\d+) on (.*)", text)
    if holder is None or holder[2] != socket.gethostname():
        return holder is not None
    import psutil  # slow to import, and few commands need it

    return bool(psutil.pid_exists(int(holder[1])))
