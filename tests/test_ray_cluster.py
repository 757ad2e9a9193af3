"""Clusters: machines come and go, and bring nothing but Python, TensorFlow and Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_train import SEED, task
from toys import TOY, begin, primeval

from primeval.evaluators.data import load_corpus
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.keeper import Report
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.settings import WorkerSettings
from primeval.evaluators.shipping import open_corpus, pack, write_wheel
from primeval.search.config import parse_config
from primeval.search.loop import Silent, drive
from primeval.search.population import Individual

COUNT = 24

# Written on a machine too busy to start Ray in time, and not seen to pass there: on request.
unproven = pytest.mark.skipif(
    not os.environ.get("PRIMEVAL_UNPROVEN_TESTS"),
    reason="not seen to pass yet; run with PRIMEVAL_UNPROVEN_TESTS=1",
)


class Napper:
    """Stands in for a worker: naps instead of training. `dying` takes its machine with it."""

    def __init__(self, dying: tuple[int, ...] = ()) -> None:
        self._dying = dying

    def prepare(self) -> int:
        return os.getpid()

    def evaluate(self, candidate: Candidate) -> Report:
        if candidate.probe:
            return Report(Outcome(Status.PROBED, digest=f"{candidate.id:032x}"))
        if candidate.id in self._dying:
            os._exit(1)
        time.sleep(0.5)
        loss = 2.0 + 1 / (candidate.id + 1)
        return Report(Outcome(Status.COMPLETED, loss=loss, seconds={"train": 0.5}))


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head and two more nodes, on this machine; each has one core."""
    from ray.cluster_utils import Cluster

    from primeval.evaluators.ray_cluster import ray

    ray.shutdown()  # of a session of other tests
    head = {"num_cpus": 1, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        made.add_node(num_cpus=1)
        made.add_node(num_cpus=1)
        made.wait_for_nodes()
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def pool_on(cluster: Any, dying: tuple[int, ...] = (), **settings: Any) -> Any:
    from primeval.evaluators.ray_cluster import connect, ray
    from primeval.evaluators.ray_pool import RayEvaluator

    workers = WorkerSettings(count=3, address=cluster.address, ship_code=False, **settings)
    connect(workers)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # nodes have no tests
    napper = ray.remote(Napper).options(num_cpus=1, max_restarts=0)
    return RayEvaluator(replace(task(), workers=workers), lambda: napper.remote(dying))


class Mover(Silent):
    """Takes a node away when some candidates are evaluated, and adds one later."""

    def __init__(self, cluster: Any, pool: Any) -> None:
        self.cluster, self.pool, self.count = cluster, pool, 0
        self.capacities = list[int]()

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self.count += 1
        self.capacities.append(self.pool.capacity)
        if self.count == 6:
            node = next(iter(self.cluster.worker_nodes))
            self.cluster.remove_node(node, allow_graceful=False)
        if self.count == 12:
            self.cluster.add_node(num_cpus=1)


@pytest.mark.ray
@pytest.mark.slow
@unproven
def test_a_node_goes_and_another_comes_and_nothing_is_missing(
    cluster: Any, tmp_path: Path
) -> None:
    sets = [f"run_dir={tmp_path / 'run'}", f"budget.max_candidates={COUNT}"]
    run, search = begin(parse_config(TOY, sets))
    pool = pool_on(cluster)
    pool.warm_up()
    assert pool.capacity == 3
    mover = Mover(cluster, pool)
    assert drive(run, search, pool, mover).reason == "candidates"
    outcomes = list(run.store.outcomes())
    assert sorted(number for number, _ in outcomes) == list(range(COUNT))
    assert {one.status for _, one in outcomes} == {Status.COMPLETED}
    assert run.store.asked() == COUNT
    assert min(mover.capacities) == 2
    assert mover.capacities[-1] == 3
    lost = [one.seconds["lost"] for _, one in outcomes if "lost" in one.seconds]
    assert len(lost) <= 1  # what the node held was asked again, and its time is not forgotten
    run.close()


@pytest.mark.ray
@pytest.mark.slow
@unproven
def test_who_loses_every_worker_is_lost_and_the_others_are_not(
    cluster: Any, tmp_path: Path
) -> None:
    pool = pool_on(cluster, dying=(1,), retries=2)
    try:
        for number in range(3):
            pool.submit(Candidate(number, SEED, 1))
        found: dict[int, Outcome] = {}
        end = time.monotonic() + 100
        while len(found) < 3 and time.monotonic() < end:
            found.update(pool.wait(1.0))
    finally:
        pool.close()
    assert found[0].status is found[2].status is Status.COMPLETED
    assert found[1].status is Status.LOST
    assert "lost 3 times" in found[1].message


@pytest.mark.tf
@pytest.mark.ray
@pytest.mark.slow
@unproven
def test_a_cluster_gets_our_code_as_a_wheel_and_sends_the_weights(
    cluster: Any, tmp_path: Path
) -> None:
    from primeval.evaluators.ray_cluster import ray
    from primeval.evaluators.ray_pool import RayEvaluator

    def origin() -> str:
        from primeval.evaluators import keeper

        return str(keeper.__file__)

    workers = WorkerSettings(count=1, address=cluster.address)
    pool = RayEvaluator(replace(task("steps", 4), workers=workers))
    try:
        assert "runtime_resources/py_modules" in ray.get(ray.remote(origin).remote())
        weights = tmp_path / "weights" / "0.npz"
        pool.submit(Candidate(0, SEED, 1, weights=str(weights)))
        found: list[Any] = []
        end = time.monotonic() + 150
        while not found and time.monotonic() < end:
            found = pool.wait(1.0)
    finally:
        pool.close()
    ((_, outcome),) = found
    assert outcome.status is Status.COMPLETED, outcome.message
    assert len(np.load(weights).files) > 4


@pytest.mark.ray
@pytest.mark.parametrize("address", ["127.0.0.1:9", "192.0.2.1:6379", "ray://head:10001"])
def test_an_address_where_nobody_answers_is_said_soon(address: str, tmp_path: Path) -> None:
    began = time.monotonic()
    where = ["--run-dir", tmp_path / "run", "--set", f"workers.address='{address}'"]
    done = primeval("search", "quickstart", *where)
    assert done.returncode == 2, done.stderr
    assert f"workers.address {address}" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 30  # with the imports; the asking takes 5 s
    assert not (tmp_path / "run").exists()


def test_the_wheel_is_whole_and_needs_nothing(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    assert wheel.read_bytes() == write_wheel(tmp_path).read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        assert b"Requires-Dist" not in archive.read(metadata)
    assert "primeval/evaluators/corpora/PROVENANCE.md" in names
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--target"]
    subprocess.run([*install, str(target), str(wheel)], check=True)
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); sys.meta_path = "
        "[f for f in sys.meta_path if 'editable' not in repr(f)]; "
        "import primeval.dna.library as l; print(l.__file__, len(l.seed_text('primer_ez')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.startswith(str(target)), done.stderr


def test_tokens_are_used_in_place_where_the_disk_is_shared(tmp_path: Path) -> None:
    settings = task()
    shipment, _ = pack(settings)
    at = shipment.place(settings, lambda: pytest.fail("nothing is to be brought"))
    assert at == shipment.files


def test_tokens_are_brought_once_to_a_machine_without_the_files(tmp_path: Path) -> None:
    settings = task()
    shipment, tokens = pack(settings)
    elsewhere = replace(
        settings, data=replace(settings.data, cache_dir=str(tmp_path / "cache"))
    )
    shipment = replace(shipment, files=replace(shipment.files, folder="/nowhere"))
    fetched = list[int]()

    def fetch() -> dict[str, Any]:
        fetched.append(1)
        return tokens

    places = [shipment.unpack(elsewhere, tmp_path, fetch) for _ in range(2)]
    assert len(fetched) == 1
    there, here = open_corpus(places[1]), load_corpus(settings.data)
    for split in ("train", "validation", "test"):
        assert np.array_equal(getattr(there, split), getattr(here, split))
    assert there.bytes_per_token == here.bytes_per_token


def test_users_primitives_travel_as_text(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text("x = 1\n", encoding="utf-8")
    settings = replace(task(), modules=(str(module), "package.module"))
    shipment, tokens = pack(settings)
    module.unlink()
    (tmp_path / "there").mkdir()
    unpacked = shipment.unpack(settings, tmp_path / "there", lambda: tokens)
    path, dotted = unpacked.modules
    assert Path(path).read_text(encoding="utf-8") == "x = 1\n"
    assert dotted == "package.module"
