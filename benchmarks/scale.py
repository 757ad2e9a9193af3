"""How much one driver can handle: the real search, store and Ray pool, with sleeping workers.

    python benchmarks/scale.py [--concurrent 2 16 64 256 1000] [--seconds 2] [--run RUN]
    python benchmarks/scale.py --toy 50000

The first form keeps `--concurrent` candidates in flight. Each sleeps for `--seconds`, or as
long as a candidate of the recorded run took. The sleepers share a few asynchronous Ray actors,
so that hundreds fit into a small machine; every call of the pool is a real one. It reports the
driver's CPU time (of all its threads, Ray's too) per individual and per event (asked, probed
and told make three), the share of workers' time that was idle while there was work, the size of
the store, and the driver's memory. The second form drives the toy evaluator, without Ray.
docs/cluster.md has figures and what follows from them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import os
import random
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

import psutil

from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.evaluators.workers.factory import make_evaluator
from primeval.evaluators.workers.keeper import Report
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import parse_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress
from primeval.search.drive.starting import make_search
from primeval.search.run.folder import create_run, open_run

EVENTS = 3  # events of each individual
PER_ACTOR = 128  # sleepers in one actor
CONFIG = """\
keep_weights: 0
search: {population_size: 100, tournament_size: 10}
candidate: {budget: {steps: 31}, timeout: 1h}
model: {parameters: [100_000, 140_000]}
workers: {evaluator: toy}
failure: {max_consecutive: 1000}
"""


class Sleeper:
    """Many workers in one process: each call sleeps and invents a loss."""

    def __init__(self, naps: list[float]) -> None:
        self._naps = naps

    async def prepare(self) -> int:
        return os.getpid()

    async def evaluate(self, candidate: Candidate) -> Report:
        digest = hashlib.blake2b(candidate.text.encode(), digest_size=16).hexdigest()
        if candidate.probe:
            return Report(Outcome(Status.PROBED, digest=digest))
        nap = self._naps[candidate.id % len(self._naps)]
        await asyncio.sleep(nap)
        loss = 2.0 + int(digest[:4], 16) / 0x10000
        curve = tuple(Point(2**step, loss + 0.1 * (4 - step)) for step in range(5))
        outcome = Outcome(Status.COMPLETED, loss=loss, curve=curve, seconds={"train": nap})
        return Report(outcome)


class Weight(Progress):
    """Measures the driver's memory ten times in a search of a given number of candidates."""

    def __init__(self, candidates: int) -> None:
        self._every, self._count = max(1, candidates // 10), 0
        self.megabytes: dict[int, float] = {}

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self._count += 1
        if self._count % self._every == 0:
            resident = psutil.Process().memory_info().rss
            self.megabytes[self._count] = round(resident / 1e6, 1)

    def growth(self) -> float:
        """Bytes per individual, between the first measurement and the last."""
        first, *_, last = self.megabytes.items()
        return 1e6 * (last[1] - first[1]) / max(1, last[0] - first[0])


class Clock(Weight):
    """Records when candidates were asked and told, in arrays, as these need little memory."""

    def __init__(self, candidates: int) -> None:
        super().__init__(candidates)
        self.asked_at, self.told_at, self.slept = array("d"), array("d"), array("d")

    def asked(self, individual: Individual) -> None:
        self.asked_at.append(time.monotonic())

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        super().told(individual, outcome, elapsed)
        self.told_at.append(time.monotonic())
        self.slept.append(sum(outcome.seconds.values()))

    def busy(self, workers: int, last: float = 1.0) -> float:
        """The share of workers' time asleep, from when all had a candidate to the last ask.

        Args:
            workers: The number of workers.
            last: Use only this last part of the time, as all workers start in step at first.
        """
        begin, end = self.asked_at[workers - 1], self.asked_at[-1]
        begin = end - last * (end - begin)
        naps = zip(self.told_at, self.slept, strict=True)
        slept = sum(max(0.0, min(end, at) - max(begin, at - nap)) for at, nap in naps)
        return slept / (workers * (end - begin))


def _config(folder: str, candidates: int, workers: int) -> RunConfig:
    sets = [f"run_dir={folder}/run", f"budget.max_candidates={candidates}"]
    return parse_config(CONFIG, [*sets, f"workers.count={workers}"])


def concurrent(workers: int, rounds: int, naps: list[float]) -> dict[str, Any]:
    """Drive `rounds` times as many candidates as there are workers."""
    from primeval.evaluators.workers.ray_cluster import ray
    from primeval.evaluators.workers.ray_pool import RayEvaluator

    sleeper = ray.remote(Sleeper).options(num_cpus=0, max_concurrency=1000)
    actors = [sleeper.remote(naps) for _ in range(-(-workers // PER_ACTOR))]
    turns = itertools.cycle(actors)
    with tempfile.TemporaryDirectory() as folder:
        config = _config(folder, rounds * workers, workers)
        run = create_run(config, {"transformer": load_seed("transformer")})
        search = make_search(config, list(run.store.seeds.values()), run.language)
        pool = RayEvaluator(config.task(run.reference), hire=lambda: next(turns))
        pool.processes()  # waits until all are ready
        clock, cpu, began = Clock(rounds * workers), time.process_time(), time.monotonic()
        stop = drive(run, search, pool, clock)
        cpu, wall = time.process_time() - cpu, time.monotonic() - began
        if stop.reason != "candidates":
            sys.exit(f"the search stopped: {stop.message}")
        size = sum(file.stat().st_size for file in run.folder.glob("run.sqlite*"))
        run.close()
    done = rounds * workers
    return {
        "concurrent": workers,
        "candidates": done,
        "mean_seconds": round(sum(naps) / len(naps), 3),
        "wall_seconds": round(wall, 1),
        "busy_share": round(clock.busy(workers), 4),
        "busy_share_of_last_half": round(clock.busy(workers, 0.5), 4),
        "driver_cpu_ms_per_individual": round(1e3 * cpu / done, 3),
        "driver_cpu_ms_per_event": round(1e3 * cpu / done / EVENTS, 3),
        "driver_cpu_share": round(cpu / wall, 3),
        "store_bytes_per_individual": round(size / done),
        "driver_megabytes": clock.megabytes,
        "driver_bytes_per_individual": round(clock.growth()),
    }


def toy(candidates: int) -> dict[str, Any]:
    """Memory of the driver over a long search that trains nothing."""
    with tempfile.TemporaryDirectory() as folder:
        config = _config(folder, candidates, 1)
        run = create_run(config, {"transformer": load_seed("transformer")})
        weight, cpu = Weight(candidates), time.process_time()
        search = make_search(config, list(run.store.seeds.values()), run.language)
        stop = drive(run, search, make_evaluator(config.task(run.reference)), weight)
        if stop.reason != "candidates":
            sys.exit(f"the search stopped: {stop.message}")
        cpu = time.process_time() - cpu
        size = sum(file.stat().st_size for file in run.folder.glob("run.sqlite*"))
        run.close()
    return {
        "candidates": candidates,
        "driver_cpu_ms_per_individual": round(1e3 * cpu / candidates, 3),
        "store_bytes_per_individual": round(size / candidates),
        "driver_megabytes": weight.megabytes,
        "driver_bytes_per_individual": round(weight.growth()),
    }


def recorded(path: str) -> list[float]:
    """How long the candidates of a run took, in random order."""
    run = open_run(path)
    naps = [sum(outcome.seconds.values()) for _, outcome in run.store.outcomes()]
    run.close()
    random.Random(0).shuffle(naps)
    return [nap for nap in naps if nap > 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--concurrent", type=int, nargs="+", default=[2, 16, 64, 256, 1000])
    parser.add_argument("--rounds", type=int, default=12, help="candidates of each worker")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--run", help="take the times of this run's candidates instead")
    parser.add_argument("--toy", type=int, metavar="CANDIDATES")
    args = parser.parse_args()
    if args.toy:
        print(json.dumps(toy(args.toy)))
        return
    from primeval.evaluators.workers.ray_cluster import ray

    naps = recorded(args.run) if args.run else [args.seconds]
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    here = str(Path(__file__).parent)
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        runtime_env={"env_vars": {"PYTHONPATH": here}},
        **quiet,
    )
    try:
        for workers in args.concurrent:
            print(json.dumps(concurrent(workers, args.rounds, naps)), flush=True)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
