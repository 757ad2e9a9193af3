"""Starting TensorFlow in this process: quietly, and with a limit on cores and GPU memory.

TensorFlow writes its first messages, about the machine's GPUs, to standard error before any of
its settings can stop them. Commands whose output a person reads call `import_tensorflow` first.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile

from primeval.evaluators.settings import WorkerSettings


def import_tensorflow() -> None:
    """Import TensorFlow, and show what it writes to standard error only if that fails."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()  # looks for GPUs now, and writes about them
        except BaseException:
            written.seek(0)
            os.write(kept, written.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def limit_threads(threads: int) -> None:
    """Limit the cores that TensorFlow uses; without effect once it has started computing."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # it has started already, and keeps its setting
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def share_gpus(workers: WorkerSettings) -> None:
    """Limit the GPU memory that TensorFlow takes, which otherwise is all there is.

    Args:
        workers: `gpu_memory` is the limit in bytes. Without it, memory is taken as it is needed
            if several workers share a GPU (`gpus` is not a whole number).
    """
    import tensorflow as tf

    for card in tf.config.list_physical_devices("GPU"):
        if workers.gpu_memory is not None:
            limit = tf.config.LogicalDeviceConfiguration(workers.gpu_memory >> 20)  # in MiB
            tf.config.set_logical_device_configuration(card, [limit])
        elif workers.gpus % 1:
            tf.config.experimental.set_memory_growth(card, True)
