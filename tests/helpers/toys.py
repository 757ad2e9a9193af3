"""Toy runs, evaluators that follow a script, and the command in a process of its own."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.evaluators.toy import ToyEvaluator
from primeval.evaluators.workers.factory import make_evaluator
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay
from primeval.search.drive.starting import make_search
from primeval.search.run.folder import Run, create_run, reopen_run

TOY = """\
search: {population_size: 8, tournament_size: 3}
budget: {max_candidates: 30}
candidate:
  budget: {steps: 31}
model: {parameters: [100_000, 140_000]}
workers: {evaluator: toy, count: 1}
"""
# Two more rungs. The scale of the second refuses a third of the programs.
LADDER = (
    "rungs=["
    "{promote: 0.3, model: {parameters: [120_000, 122_000]}}, "
    "{promote: 0.5, model: {layers: 4, parameters: [10_000, 900_000]}}]"
)


def begin(config: RunConfig) -> tuple[Run, Search]:
    """Create a new run of the Transformer; returns it and its search."""
    run = create_run(config, {"transformer": load_seed("transformer")})
    return run, make_search(config, list(run.store.seeds.values()), run.language)


def toy_run(config: RunConfig) -> Run:
    """A finished run of the Transformer; its store is still open."""
    run, search = begin(config)
    drive(run, search, make_evaluator(config.task(run.reference)))
    return run


def outcome(loss: float | None, marks: int = 5, status: Status | None = None) -> Outcome:
    """An outcome whose curve falls to `loss`; without a loss, a failure."""
    if loss is None:
        return Outcome(status or Status.DIVERGED, message="not finite")
    curve = tuple(Point(step + 1, loss + marks - 1 - step) for step in range(marks))
    return Outcome(status or Status.COMPLETED, loss=loss, curve=curve, steps=marks)


class Scripted(Evaluator):
    """Returns for each candidate the outcome that `script` gives it, in random order.

    If `digests` is given, candidates are probed before they are trained.
    """

    def __init__(
        self,
        script: Callable[[Candidate], Outcome],
        capacity: int = 1,
        seed: int = 0,
        digests: Callable[[Candidate], str | None] | None = None,
    ) -> None:
        self.capacity, self._script, self._random = capacity, script, random.Random(seed)
        self._digests, self.probes = digests, digests is not None
        self.submitted: list[Candidate] = []
        self.closed = False
        self._flying: list[Candidate] = []

    def submit(self, candidate: Candidate) -> None:
        self.submitted.append(candidate)
        self._flying.append(candidate)

    def wait(self, timeout: float) -> list[tuple[int, Outcome]]:
        candidate = self._flying.pop(self._random.randrange(len(self._flying)))
        if candidate.probe and self._digests is not None:
            digest = self._digests(candidate)
            return [(candidate.id, Outcome(Status.PROBED, digest=digest))]
        return [(candidate.id, self._script(candidate))]

    def close(self) -> None:
        self.closed = True


def toy_script(config: RunConfig) -> Callable[[Candidate], Outcome]:
    """A script for `Scripted` that gives the toy evaluator's outcomes."""
    toy = ToyEvaluator(config.task(""))

    def script(candidate: Candidate) -> Outcome:
        toy.submit(candidate)
        ((_, result),) = toy.wait(0)
        return result

    return script


def history(run: Run) -> tuple[list[Individual], list[tuple[int, Outcome]]]:
    """All individuals and outcomes in a run's store, without their times."""
    return list(run.store.individuals()), list(run.store.outcomes())


def primeval(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "primeval.scripts.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        check=False,
    )


class PowerCutError(Exception):
    """Ends a drive at once, as a power cut would."""


def dying(config: RunConfig, after: int, capacity: int = 1, seed: int = 0) -> Scripted:
    """An evaluator that ends the driver, as a power cut would, after this many candidates."""
    script, left = toy_script(config), [after]

    def mortal(candidate: Candidate) -> Outcome:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCutError
        return script(candidate)

    return Scripted(mortal, capacity, seed)


def finish(folder: Path, *sets: str) -> Run:
    run = reopen_run(folder, sets)
    stop = drive(run, replay(run), make_evaluator(run.config.task(run.reference)))
    assert stop.reason == "candidates"
    return run


def by_length(candidate: Candidate) -> str:
    """A digest that many programs share: it depends only on the number of operations."""
    operations = len(build_graph(parse(candidate.text)).nodes)
    return hashlib.md5(f"{operations}".encode()).hexdigest()
