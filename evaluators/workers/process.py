"""The process that trains candidates; a `Keeper` holds the other end of its pipe.

A candidate may do anything to this process: that costs only this process and that candidate.
The keeper finds out how the process ended and starts another one.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection

from primeval.evaluators.runtime import import_tensorflow, limit_threads, share_gpus
from primeval.evaluators.task import Task

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def main(pipe: int, keeper: int) -> None:
    """Evaluate what a keeper sends: first a task, then candidates one by one.

    The answer to the task is this process's id, when it is ready; to a candidate, its outcome.

    Args:
        pipe: File descriptor of this process's end of the pipe.
        keeper: Id of the keeper's process; this process ends when that one does.

    Raises:
        EOFError: The keeper has closed its end of the pipe.
    """
    _end_with(keeper)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver handles a terminal's Ctrl-C
    faulthandler.enable()  # if the process is aborted, it prints where it was
    connection = Connection(pipe)
    task: Task = connection.recv()
    import_tensorflow()
    share_gpus(task.workers)
    limit_threads(task.workers.threads)
    from primeval.evaluators.training.trial import evaluate
    from primeval.evaluators.training.workbench import Workbench

    bench = Workbench(task)
    if task.candidate.budget.unit == "reference_steps":
        bench.reference()
    connection.send(os.getpid())
    while True:
        connection.send(evaluate(bench, connection.recv()))


def _end_with(keeper: int) -> None:
    """End this process when the keeper ends, even in the middle of a compiled call."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == keeper:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    with contextlib.suppress(EOFError):  # the keeper has closed its end
        main(int(sys.argv[1]), int(sys.argv[2]))
