"""One driver per run folder: a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from types import TracebackType

from primeval.search.errors import RunError

try:
    import fcntl
except ImportError:  # Windows: no lock there, as the standard library offers none like it
    fcntl = None  # type: ignore[assignment]


class RunLock:
    """Holds `run.lock` of a folder, which also says who holds it."""

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
        """Let go. The file stays: removing it would race with the next holder."""
        self._file.close()

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_held(folder: Path) -> bool:
    """Whether the process that took a folder's lock last is there still.

    Asked without trying the lock, which would get in the way of somebody who wants it. A
    holder on another machine counts as there.
    """
    try:
        text = (folder / "run.lock").read_text(encoding="utf-8")
    except OSError:
        return False
    holder = re.match(r"process (\d+) on (.*)", text)
    if holder is None or holder[2] != socket.gethostname():
        return holder is not None
    import psutil  # slow to import, and only who watches a run asks

    return bool(psutil.pid_exists(int(holder[1])))
