"""Ray on this machine or on many: connecting, and what workers elsewhere lack.

A cluster's machines need Python, TensorFlow and Ray. This primeval reaches them as a wheel,
users' primitives and the tokens as values. Only this file and `ray_pool.py` import Ray.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray._private.services import canonicalize_bootstrap_address

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.settings import Task, WorkerSettings
from primeval.evaluators.workers.keeper import Keeper, Report
from primeval.evaluators.workers.shipping import Shipment, pack, write_wheel
from primeval.evaluators.workers.watchman import Watchman, end_session

# Ray reads these when it starts.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no calls home
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as Ray asks, silently

OBJECT_STORE_BYTES = 100_000_000  # on this machine only texts and numbers travel
ANSWER_SECONDS = 5.0  # in which a cluster's head has to answer
CLOSE_SECONDS = 4.0  # in which Ray has to end before it is killed


class Connection:
    """Ray, started here or joined.

    Args:
        watchman: Of the session that was started here; None on a cluster, which goes on.
    """

    def __init__(self, watchman: Watchman | None) -> None:
        self._watchman = watchman

    def close(self) -> None:
        """Leave Ray, or end it: within seconds, whatever it says."""
        if self._watchman is None:
            ray.shutdown()
            return
        patience = threading.Timer(CLOSE_SECONDS, end_session, [os.getpid()])
        patience.daemon = True
        patience.start()
        ray.shutdown()
        patience.cancel()
        self._watchman.close()


def connect(workers: WorkerSettings) -> Connection | None:
    """Start Ray on this machine, or join a cluster; None if somebody has, whose it stays.

    Raises ValueError, which says what to do, within seconds.
    """
    if ray.is_initialized():
        return None
    watchman = None
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if workers.address is None:
            watchman = Watchman()
            # "local": without it Ray would join whatever cluster it finds here
            ray.init(
                address="local",
                num_cpus=workers.count * workers.threads,
                num_gpus=None if workers.gpus else 0,
                resources={name: n * workers.count for name, n in workers.resources.items()},
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **quiet,
            )
        else:
            _join(workers, quiet)
    except Exception as error:  # of any kind: a node that starts too slowly raises just that
        if watchman is not None:
            watchman.close()
        address = workers.address
        where = "on this machine" if address is None else f"at workers.address {address}"
        raise ValueError(
            f"Ray does not start {where}: {short(error)} "
            "For a search without Ray: --set workers.evaluator=local."
        ) from error
    return Connection(watchman)


def _join(workers: WorkerSettings, quiet: dict[str, Any]) -> None:
    """Join a cluster, with this primeval for its workers if they want it."""
    address = find_head(str(workers.address))
    if not workers.ship_code:
        ray.init(address=address, **quiet)
        return
    with tempfile.TemporaryDirectory() as folder:
        modules = [str(write_wheel(Path(folder)))]  # Ray uploads it now
        ray.init(address=address, runtime_env={"py_modules": modules}, **quiet)


def find_head(address: str) -> str:
    """`host:port` of a cluster's head that answers. Raises ConnectionError, soon.

    Ray itself tries for a minute before it says that nobody is there.
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
            f"nobody answers at {found} ({error.strerror or error}). Is the cluster up "
            "(ray status), and is this machine part of it (ray start --address=…)?"
        ) from None
    return str(found)


class Worker:
    """A keeper that lives in a Ray actor.

    Args:
        task: The settings all candidates share.
        sharing: Workers that this machine's memory is for, if it is known.
        shipment: For machines that are not the driver's: what to do without its files.
        tokens: Where Ray has the tokens.
    """

    def __init__(
        self, task: Task, sharing: int, shipment: Shipment | None = None, *tokens: list[Any]
    ) -> None:
        folder = None
        if shipment is not None:
            folder = Path(tempfile.mkdtemp(prefix="primeval-"))
            task = shipment.unpack(task, folder, lambda: ray.get(*tokens[0]))
        self._keeper = Keeper(task, sharing, folder)

    def prepare(self) -> int:
        """The id of the process that trains, once it can."""
        return self._keeper.prepare()

    def evaluate(self, candidate: Candidate) -> Report:
        print(f"{candidate.purpose} #{candidate.id}", flush=True)  # its log is on the dashboard
        return self._keeper.evaluate(candidate)


def worker_options(workers: WorkerSettings) -> dict[str, Any]:
    """What Ray is told of a worker: the room it takes, and its environment."""
    options: dict[str, Any] = {
        "num_cpus": workers.threads,
        "num_gpus": workers.gpus,
        "resources": dict(workers.resources),
        "max_restarts": 0,
        "runtime_env": {"env_vars": worker_environment(workers)},
    }
    if workers.memory is not None and workers.address is not None:
        options["memory"] = workers.memory  # so that no machine gets more than it can hold
    return options


def hiring(task: Task) -> Callable[[], Any]:
    """A function that asks Ray for one more worker; it comes when there is room for it."""
    workers = task.workers
    actor = ray.remote(Worker).options(**worker_options(workers))
    if workers.address is None:
        return lambda: actor.remote(task, workers.count)
    shipment, tokens = pack(task)
    # in a list, Ray leaves the value where it is until somebody asks for it
    there = [ray.put({split: np.asarray(part) for split, part in tokens.items()})]
    return lambda: actor.remote(task, 1, shipment, there)


def worker_environment(workers: WorkerSettings) -> dict[str, str]:
    """Environment variables of a worker and the process it keeps."""
    threads = str(workers.threads)
    environment = {
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if workers.threads == 1:  # splitting a module is overhead without threads
        flags = os.environ.get("XLA_FLAGS", "")
        environment["XLA_FLAGS"] = f"{flags} --xla_cpu_parallel_codegen_split_count=1".strip()
    return environment


def short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]
