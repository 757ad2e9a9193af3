"""The process that trains: a workbench at one end of a pipe, a `Keeper` at the other.

Candidates are hostile: whatever one does to this process costs this process and that
candidate. The keeper sees how it ends, and starts another.
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

from primeval.evaluators.runtime import import_tensorflow
from primeval.evaluators.settings import Task, WorkerSettings

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def main(pipe: int, keeper: int) -> None:
    """Serve a keeper until its end of the pipe is closed.

    Args:
        pipe: File descriptor of our end.
        keeper: The keeper's process; we end with it.
    """
    _end_with(keeper)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the driver's business
    faulthandler.enable()  # says where it was when the process is aborted
    connection = Connection(pipe)
    task: Task = connection.recv()
    import_tensorflow()
    share_gpus(task.workers)
    from primeval.evaluators.training.trial import Workbench
    from primeval.evaluators.workers.local import evaluate, limit_threads

    limit_threads(task.workers.threads)
    bench = Workbench(task, task.split)
    if task.candidate.budget.unit == "reference_steps":
        bench.reference()
    connection.send(os.getpid())
    while True:
        connection.send(evaluate(bench, connection.recv()))


def share_gpus(workers: WorkerSettings) -> None:
    """Take no more of a card than is ours: all of it is TensorFlow's habit."""
    import tensorflow as tf

    for card in tf.config.list_physical_devices("GPU"):
        if workers.gpu_memory is not None:
            limit = tf.config.LogicalDeviceConfiguration(workers.gpu_memory >> 20)
            tf.config.set_logical_device_configuration(card, [limit])
        elif workers.gpus % 1:
            tf.config.experimental.set_memory_growth(card, True)


def _end_with(keeper: int) -> None:
    """End when the keeper does, also in the midst of a compiled call."""
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
