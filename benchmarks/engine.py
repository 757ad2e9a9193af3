"""What the search engine costs without training: individuals per second, stage by stage.

    python benchmarks/engine.py [--individuals 2000] [--stored 1000000] [--json]

It answers three questions. How many individuals per second go through the whole engine on one
core with the toy evaluator (mutate, check, fingerprint, count parameters, store, score,
store)? Does an individual cost more when a million are stored already? How long does
`primeval top` take on a run as long as the paper's (25,000 individuals)? Other processes can
only add time. So the best of several stretches is given next to the median, and CPU time next
to wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from primeval.dna.graph import recent_graph
from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.toy import ToyEvaluator
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import load_config
from primeval.search.drive.loop import drive
from primeval.search.drive.progress import Progress
from primeval.search.drive.starting import make_search
from primeval.search.run.folder import Run, create_run
from primeval.search.run.store import Store

STRETCH = 250  # number of individuals that are timed together
FEW, PAPER = 10_000, 25_000


class _Clock(Progress):
    """Records when each stretch of individuals was done."""

    def __init__(self) -> None:
        self._told = 0
        self.times = [(time.perf_counter(), time.process_time())]

    def told(self, individual: Individual, outcome: Outcome, elapsed: float) -> None:
        self._told += 1
        if self._told % STRETCH == 0:
            self.times.append((time.perf_counter(), time.process_time()))

    def rates(self, clock: int) -> list[float]:
        """Individuals per second of each stretch, by wall time (0) or CPU time (1)."""
        return [STRETCH / (b[clock] - a[clock]) for a, b in pairwise(self.times)]


def begin(folder: Path, individuals: int) -> tuple[Run, Search]:
    """A toy run with the paper's population and tournament."""
    sets = [
        f"run_dir={folder}",
        f"budget.max_candidates={individuals}",
        "search.population_size=100",
        "search.tournament_size=10",
    ]
    config = load_config("toy", sets)
    run = create_run(config, {"transformer": load_seed("transformer")})
    return run, make_search(config, list(run.store.seeds.values()), run.language)


def throughput(folder: Path, individuals: int) -> dict[str, float]:
    """The loop as `primeval search` runs it, without printing."""
    run, search = begin(folder, individuals)
    clock = _Clock()
    drive(run, search, ToyEvaluator(run.config.task(run.reference)), clock)
    run.close()
    rates = clock.rates(0)
    return {
        "best": max(rates),
        "median": statistics.median(rates),
        "cpu_median": statistics.median(clock.rates(1)),
    }


class _Stages:
    """Sends one individual at a time through the engine and times each stage."""

    def __init__(self, run: Run, search: Search, offset: int = 0) -> None:
        self.search, self.store, self.offset = search, run.store, offset
        self.evaluator = ToyEvaluator(run.config.task(run.reference))
        self.seconds: dict[str, list[float]] = {}

    def step(self) -> float:
        """Process one individual; returns the seconds without the evaluator."""
        individual = self._time("ask", self.search.ask)
        row = replace(individual, id=individual.id + self.offset)
        self._time("store it", lambda: self.store.append_individual(row, 0.0))
        candidate = Candidate(
            individual.id, individual.text, individual.seed, individual.thresholds
        )
        outcome = self._time("evaluate (toy)", lambda: self._evaluate(candidate))
        self._time("store outcome", lambda: self.store.append_outcome(row.id, outcome, 0.0))
        self._time("tell", lambda: self.search.tell(individual.id, outcome))
        spent = sum(times[-1] for times in self.seconds.values())
        return spent - self.seconds["evaluate (toy)"][-1]

    def _evaluate(self, candidate: Candidate) -> Outcome:
        self.evaluator.submit(candidate)
        ((_, outcome),) = self.evaluator.wait(0)
        return outcome

    def _time(self, stage: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        self.seconds.setdefault(stage, []).append(time.perf_counter() - start)
        return result


def stage_costs(folder: Path, individuals: int) -> dict[str, float]:
    """Median milliseconds per individual by stage."""
    run, search = begin(folder, individuals)
    stages = _Stages(run, search)
    for _ in range(individuals):
        stages.step()
    run.close()
    return {name: 1e3 * statistics.median(times) for name, times in stages.seconds.items()}


def fill(store: Store, count: int) -> None:
    """Write rows as a search leaves them, without the search, in one transaction."""
    made = list(store._connection.execute("SELECT * FROM individuals ORDER BY id"))
    told = list(store._connection.execute("SELECT * FROM outcomes ORDER BY seq"))
    first, end = len(made), count

    def individuals() -> Iterator[tuple[Any, ...]]:
        for at in range(first, end):
            yield (at, *made[at % first][1:])

    def outcomes() -> Iterator[tuple[Any, ...]]:
        for at in range(first, end):
            yield (at + 1, at, *told[at % first][2:])

    marks = ",".join("?" * len(made[0]))
    store._connection.execute("BEGIN")
    store._connection.executemany(f"INSERT INTO individuals VALUES ({marks})", individuals())
    store._connection.executemany("INSERT INTO outcomes VALUES (?,?,?,?,?,?)", outcomes())
    store._connection.execute("COMMIT")


def growth(folder: Path, few: int, many: int, individuals: int) -> dict[str, float]:
    """Milliseconds per individual, without the evaluator, with few and with many stored.

    Both searches do the same work in turns, so that other processes disturb both alike.
    """
    pair = []
    for name, stored in (("few", few), ("many", many)):
        run, search = begin(folder / name, stored)
        stages = _Stages(run, search)
        for _ in range(200):
            stages.step()
        fill(run.store, stored)
        for at in range(stored):
            search.known.remember(f"{at:032x}", 0)
        pair.append(_Stages(run, search, offset=stored))
    times = []
    for number in range(individuals):
        spent = {}
        for at in (
            number % 2,
            1 - number % 2,
        ):  # the second profits from what the first warms up
            recent_graph.cache_clear()
            spent[at] = pair[at].step()
        times.append((spent[0], spent[1]))
    few_ms, many_ms = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b in times)
    return {"few_ms": few_ms, "many_ms": many_ms, "ratio": ratio}


def top_seconds(folder: Path, individuals: int) -> float:
    """Wall time of `primeval top` with its start-up; the best of five."""
    run, search = begin(folder, individuals)
    stages = _Stages(run, search)
    for _ in range(200):
        stages.step()
    fill(run.store, individuals)
    run.close()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        command = [sys.executable, "-m", "primeval.scripts.cli", "top", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def measure(individuals: int, stored: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "individuals_per_second": throughput(folder / "run", individuals),
            "stages_ms": stage_costs(folder / "stages", min(individuals, 1000)),
            "top_seconds": top_seconds(folder / "top", PAPER),
            "stored": {"few": FEW, "many": stored},
            "growth": growth(folder, FEW, stored, 500),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--individuals", type=int, default=2000)
    parser.add_argument("--stored", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(args.individuals, args.stored)
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    rate, growing = figures["individuals_per_second"], figures["growth"]
    rows = [
        ("individuals per second and core, best", f"{rate['best']:.0f}", ">= 500"),
        ("individuals per second and core, median", f"{rate['median']:.0f}", ""),
        ("individuals per CPU second, median", f"{rate['cpu_median']:.0f}", ""),
        *((f"  {stage}, ms", f"{ms:.3f}", "") for stage, ms in figures["stages_ms"].items()),
        (f"ms per individual, {FEW:,} stored", f"{growing['few_ms']:.3f}", ""),
        (f"ms per individual, {args.stored:,} stored", f"{growing['many_ms']:.3f}", ""),
        ("  ratio", f"{growing['ratio']:.2f}", "<= 1.2"),
        (f"primeval top, {PAPER:,} individuals, s", f"{figures['top_seconds']:.2f}", "< 0.7"),
    ]
    for name, value, bound in rows:
        print(f"{name:<44} {value:>8}  {bound}")


if __name__ == "__main__":
    main()
