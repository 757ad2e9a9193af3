"""Ray on this machine or on a cluster: connecting to it, and asking it for workers.

A cluster's machines must have Python, TensorFlow and Ray. This primeval is sent to them as a
wheel, users' primitives and the tokens as values. Only this file, `ray_pool.py` and `crew.py`
import Ray.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import ray

# Ray offers no public way to find the cluster of this machine ("auto") without joining it, and
# joining takes a minute to fail.
from ray._private.services import canonicalize_bootstrap_address

from primeval.evaluators.data.corpus import Corpus
from primeval.evaluators.errors import described
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.settings import WorkerSettings
from primeval.evaluators.task import Task
from primeval.evaluators.workers.keeper import Keeper, Report
from primeval.evaluators.workers.shipping import Shipment, pack, write_wheel
from primeval.evaluators.workers.watchman import Watchman, end_session

# Ray reads these when it starts.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # send no statistics home
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # prevents a warning of Ray's

QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
OBJECT_STORE_BYTES = 100_000_000  # without a cluster, Ray carries only texts and numbers
ANSWER_SECONDS = 5.0  # that a cluster's head may take to answer
CLOSE_SECONDS = 4.0  # that Ray may take to end before it is killed


def connect(workers: WorkerSettings) -> ExitStack:
    """Start Ray on this machine, or join a cluster.

    Returns:
        What must be closed at the end: it ends the session that was started here, or leaves the
        cluster, which continues without us. It does nothing if this process was connected
        before: then the caller that connected it ends Ray.

    Raises:
        ValueError: Ray does not start or answer, which is found out within seconds. The
            message says what to do.
    """
    connection = ExitStack()
    if ray.is_initialized():
        return connection
    try:
        if workers.address is None:
            connection.callback(Watchman().close)
            _start(workers)
            connection.callback(_end)
        else:
            _join(workers)
            connection.callback(ray.shutdown)
    except Exception as error:  # Ray raises many kinds, a bare Exception too
        connection.close()
        address = workers.address
        where = "on this machine" if address is None else f"at workers.address {address}"
        raise ValueError(
            f"Ray does not start {where}: {described(error)} "
            "For a search without Ray: --set workers.evaluator=local."
        ) from error
    return connection


def _start(workers: WorkerSettings) -> None:
    """Start Ray on this machine, with room for all workers."""
    ray.init(
        address="local",  # otherwise Ray would join any cluster that it finds on this machine
        num_cpus=workers.count * workers.threads,
        num_gpus=None if workers.gpus else 0,
        resources={name: n * workers.count for name, n in workers.resources.items()},
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        **QUIET,
    )


def _end() -> None:
    """End the session that was started here, within seconds even if Ray does not answer."""
    patience = threading.Timer(CLOSE_SECONDS, end_session, [os.getpid()])
    patience.daemon = True
    patience.start()
    ray.shutdown()
    patience.cancel()


def _join(workers: WorkerSettings) -> None:
    """Join a cluster, and send this primeval to its workers if `ship_code` says so."""
    address, code = find_head(str(workers.address)), None
    with tempfile.TemporaryDirectory() as folder:
        if workers.ship_code:
            code = {"py_modules": [str(write_wheel(Path(folder)))]}  # uploaded by `init`
        ray.init(address=address, runtime_env=code, **QUIET)


def find_head(address: str) -> str:
    """The `host:port` of a cluster's head, which has answered.

    Ray itself would try for a minute before it reports that nothing answers.

    Args:
        address: `host:port`, or `auto` for the cluster that this machine belongs to.

    Raises:
        ConnectionError: There is no such head, or it does not answer within seconds.
    """
    if "://" in address:
        raise ConnectionError(
            "an address is host:port, or auto. Start the search on a machine of the cluster, "
            "or as a job: see docs/cluster.md."
        )
    found = canonicalize_bootstrap_address(address)
    if found is None:
        raise ConnectionError(
            "no cluster runs on this machine. Start one (ray start --head), or give the "
            "address of one: host:port."
        )
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        raise ConnectionError(
            f"nothing answers at {found} ({error.strerror or error}). Is the cluster up "
            "(ray status), and is this machine part of it (ray start --address=…)?"
        ) from None
    return str(found)


class Worker(Keeper):
    """A keeper in a Ray actor.

    Args:
        task: The settings that all candidates share.
        sharing: How many workers share this machine's memory; 1 if that is not known.
        shipment: For machines other than the driver's: what they lack of its files.
        tokens: Ray's reference to the tokens of each digest, which are fetched if needed.
    """

    def __init__(
        self,
        task: Task,
        sharing: int,
        shipment: Shipment | None = None,
        tokens: Mapping[str, Any] | None = None,
    ) -> None:
        folder = None
        if shipment is not None and tokens is not None:
            folder = Path(tempfile.mkdtemp(prefix="primeval-"))
            task = shipment.unpack(task, folder, lambda digest: ray.get(tokens[digest]))
        super().__init__(task, sharing, folder)

    def evaluate(self, candidate: Candidate) -> Report:
        """As `Keeper.evaluate`. Raises WorkerError."""
        print(f"{candidate.purpose} #{candidate.id}", flush=True)  # seen on the dashboard
        return super().evaluate(candidate)


def worker_options(workers: WorkerSettings) -> dict[str, Any]:
    """The options of a worker's actor: the resources it takes, and its environment."""
    options: dict[str, Any] = {
        "num_cpus": workers.threads,
        "num_gpus": workers.gpus,
        "resources": dict(workers.resources),
        "max_restarts": 0,
        "runtime_env": {"env_vars": worker_environment(workers)},
    }
    if workers.memory is not None and workers.address is not None:
        options["memory"] = workers.memory  # so that Ray overfills no machine
    return options


def hiring(task: Task, corpora: Sequence[Corpus]) -> Callable[[], Any]:
    """A function that asks Ray for one more worker, which starts when there is room for it."""
    workers = task.workers
    actor = ray.remote(Worker).options(**worker_options(workers))
    if workers.address is None:
        return lambda: actor.remote(task, workers.count)
    shipment, tokens = pack(task, corpora)
    # in a mapping, so that Ray brings tokens to a machine only when a worker there needs them
    there = {
        digest: ray.put({split: np.asarray(part) for split, part in splits.items()})
        for digest, splits in tokens.items()
    }
    return lambda: actor.remote(task, 1, shipment, there)


def worker_environment(workers: WorkerSettings) -> dict[str, str]:
    """Environment variables of a worker and of the process that it keeps."""
    limits = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = {**dict.fromkeys(limits, str(workers.threads)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if workers.threads == 1:  # more than one part would only cost time
        flags = os.environ.get("XLA_FLAGS", "")
        environment["XLA_FLAGS"] = f"{flags} --xla_cpu_parallel_codegen_split_count=1".strip()
    return environment
