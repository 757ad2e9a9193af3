"""Clusters: machines come and go, and have only Python, TensorFlow and Ray."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from helpers.drivers import LONG, start, told, training, wait_for
from helpers.pools import warm_up
from helpers.toys import TOY, begin, primeval
from helpers.training import SEED, task

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.settings import WorkerSettings
from primeval.evaluators.workers.keeper import Report
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import parse_config
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress

COUNT = 24
HELD = 20  # this candidate does not finish before the new machine has a worker


class Napper:
    """Replaces a worker: it sleeps instead of training.

    Args:
        dying: Candidates that end the worker's process.
        gate: A file for which the candidate HELD waits.
    """

    def __init__(self, dying: tuple[int, ...] = (), gate: str = "") -> None:
        self._dying, self._gate = dying, gate

    def prepare(self) -> int:
        return os.getpid()

    def evaluate(self, candidate: Candidate) -> Report:
        if candidate.probe:
            return Report(Outcome(Status.PROBED, digest=f"{candidate.id:032x}"))
        if candidate.id in self._dying:
            os._exit(1)
        end = time.monotonic() + 100
        while self._gate and candidate.id == HELD and time.monotonic() < end:
            if Path(self._gate).exists():
                break
            time.sleep(0.1)
        time.sleep(0.3)
        loss = 2.0 + 1 / (candidate.id + 1)
        return Report(Outcome(Status.COMPLETED, loss=loss, seconds={"train": 0.3}))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster of a head and two nodes on this machine, with one core each."""
    from ray.cluster_utils import Cluster

    from primeval.evaluators.workers.ray_cluster import ray

    ray.shutdown()  # other tests may have started it
    head = {"num_cpus": 1, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        made.add_node(num_cpus=1)
        made.add_node(num_cpus=1)
        made.wait_for_nodes()
        yield made
    finally:
        made.shutdown()


@pytest.fixture
def cluster(nodes: Any) -> Iterator[Any]:
    """The same cluster, for tests that connect to it."""
    from primeval.evaluators.workers.ray_cluster import ray

    yield nodes
    ray.shutdown()


def pool_on(cluster: Any, dying: tuple[int, ...] = (), gate: str = "", **settings: Any) -> Any:
    from primeval.evaluators.workers.ray_cluster import connect, ray, worker_options
    from primeval.evaluators.workers.ray_pool import RayEvaluator

    workers = WorkerSettings(count=3, address=cluster.address, ship_code=False)
    workers = replace(workers, **settings)
    connect(workers)
    # the nodes cannot import tests
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    napper = ray.remote(Napper).options(**worker_options(workers))
    hire = lambda: napper.remote(dying, gate)  # noqa: E731
    return RayEvaluator(replace(task(), workers=workers), hire=hire)


class Mover(Progress):
    """Removes a node after some candidates, and adds one later."""

    def __init__(self, cluster: Any, pool: Any, gate: Path) -> None:
        self.cluster, self.pool, self.gate, self.count = cluster, pool, gate, 0
        self.capacities = list[int]()

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.count += 1
        if self.count == 6:
            node = next(iter(self.cluster.worker_nodes))
            self.cluster.remove_node(node, allow_graceful=False)
        if self.count == 12:
            self.cluster.add_node(num_cpus=1)

    def tick(self, elapsed: float) -> None:
        self.capacities.append(self.pool.capacity)
        if 2 in self.capacities and self.pool.capacity == 3:
            self.gate.touch()


@pytest.mark.ray
@pytest.mark.slow
def test_no_outcome_is_missing_when_a_node_goes_and_another_comes(
    cluster: Any, tmp_path: Path
) -> None:
    sets = [f"run_dir={tmp_path / 'run'}", f"budget.max_candidates={COUNT}"]
    run, search = begin(parse_config(TOY, sets))
    gate = tmp_path / "there"
    pool = pool_on(cluster, gate=str(gate))
    warm_up(pool)
    assert pool.capacity == 3
    mover = Mover(cluster, pool, gate)
    assert drive(run, search, pool, mover).reason == "candidates"
    outcomes = list(run.store.outcomes())
    assert sorted(number for number, _ in outcomes) == list(range(COUNT))
    assert {one.status for _, one in outcomes} == {Status.COMPLETED}
    assert run.store.asked() == COUNT
    assert gate.exists()  # the workers were two, and then three again
    lost = [one.seconds["lost"] for _, one in outcomes if "lost" in one.seconds]
    assert len(lost) <= 1  # of the lost node's candidate, whose time is not forgotten
    run.close()


@pytest.mark.ray
@pytest.mark.slow
def test_a_candidate_that_loses_every_worker_is_lost_and_the_others_are_not(
    cluster: Any,
) -> None:
    pool = pool_on(cluster, dying=(1,), retries=2)
    try:
        for number in range(3):
            pool.submit(Candidate(number, SEED, 1))
        found = outcomes_of(pool, 3)
    finally:
        pool.close()
    assert found[0].status is found[2].status is Status.COMPLETED
    assert found[1].status is Status.LOST
    assert "lost 3 times" in found[1].message


def outcomes_of(pool: Any, count: int) -> dict[int, Outcome]:
    """The next outcomes of a pool, by candidate."""
    found = dict[int, Outcome]()
    end = time.monotonic() + 150
    while len(found) < count and time.monotonic() < end:
        found.update(pool.wait(1.0))
    return found


@pytest.mark.ray
@pytest.mark.slow
def test_workers_go_where_their_resources_are(cluster: Any) -> None:
    from primeval.evaluators.workers.ray_cluster import ray

    pool = pool_on(cluster, gpus=0.5, resources={"tpu_host": 1.0})
    try:
        pool.submit(Candidate(0, SEED, 1))
        assert pool.wait(2.0) == []  # no node has what they need
        node = cluster.add_node(num_cpus=3, num_gpus=1, resources={"tpu_host": 9})
        assert outcomes_of(pool, 1)[0].status is Status.COMPLETED
        end, number = time.monotonic() + 100, 0
        while pool.capacity < 2 and time.monotonic() < end:
            number += 1
            pool.submit(Candidate(number, SEED, 1))
            assert outcomes_of(pool, 1)[number].status is Status.COMPLETED
        # half a card each; a third finds no room
        assert pool.capacity == 2
        assert ray.available_resources().get("GPU", 0) == 0
        assert ray.available_resources()["tpu_host"] == 7
    finally:
        pool.close()
        cluster.remove_node(node)


@pytest.mark.tf
@pytest.mark.ray
@pytest.mark.slow
def test_a_cluster_gets_our_code_as_a_wheel_and_sends_the_weights(
    cluster: Any, tmp_path: Path
) -> None:
    from primeval.evaluators.workers.ray_cluster import ray
    from primeval.evaluators.workers.ray_pool import RayEvaluator

    def origin() -> str:
        from primeval.evaluators.workers import keeper

        return str(keeper.__file__)

    workers = WorkerSettings(count=1, address=cluster.address)
    pool = RayEvaluator(replace(task("steps", 4), workers=workers))
    try:
        assert "runtime_resources/py_modules" in ray.get(ray.remote(origin).remote())
        weights = tmp_path / "weights" / "0.npz"
        pool.submit(Candidate(0, SEED, 1, weights=str(weights)))
        outcome = outcomes_of(pool, 1)[0]
    finally:
        pool.close()
    assert outcome.status is Status.COMPLETED, outcome.message
    assert len(np.load(weights).files) > 4


@pytest.mark.tf
@pytest.mark.ray
@pytest.mark.slow
def test_a_killed_driver_leaves_no_worker_on_a_cluster(nodes: Any, tmp_path: Path) -> None:
    given = [f"workers.address={nodes.address}", "workers.ship_code=false", "workers.count=1"]
    driver = start(tmp_path, LONG, *given)
    wait_for(lambda: told(tmp_path / "run") >= 1)
    on_nodes = [one for one in training(os.getpid()) if one.is_running()]
    assert len(on_nodes) == 1  # this process started the nodes, so it is a descendant
    keepers = [one.parent() for one in on_nodes]
    driver.kill()
    driver.communicate()
    assert not psutil.wait_procs([*on_nodes, *keepers], timeout=60)[1]
    assert nodes.remaining_processes_alive()  # the cluster itself continues


@pytest.mark.ray
@pytest.mark.parametrize("address", ["127.0.0.1:9", "192.0.2.1:6379", "ray://head:10001"])
def test_an_address_where_nothing_answers_is_reported_soon(
    address: str, tmp_path: Path
) -> None:
    began = time.monotonic()
    where = ["--run-dir", tmp_path / "run", "--set", f"workers.address='{address}'"]
    done = primeval("search", "quickstart", *where)
    assert done.returncode == 2, done.stderr
    assert f"workers.address {address}" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 30  # with the imports; the asking takes 5 s
    assert not (tmp_path / "run").exists()
