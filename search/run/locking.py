"""One driver per run folder: a lock that the operating system releases when its holder dies."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from primeval.search.errors import RunError

try:
    import fcntl
except ImportError:  # Windows, whose standard library has no lock like it: no lock there
    fcntl = None  # type: ignore[assignment]


class RunLock:
    """Holds `run.lock` of a folder, which names the holder. Raises RunError if it is held."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "run.lock"
        self._file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise RunError(
                f"{folder} is being driven by {holder}. Wait for it, or stop it with Ctrl-C "
                f"or kill. `primeval top {folder}` works meanwhile."
            ) from None
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def close(self) -> None:
        """Release it. The file stays: removing it would race with the next holder."""
        self._file.close()


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
