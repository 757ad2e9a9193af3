"""Confirming: programs are trained again, with seeds and on text that the search never used.

The best of a search are the best partly by luck: of many noisy figures the smallest was kept.
So the figure that counts is measured again, at the full budget, on the test split, with
several fresh seeds. A fresh seed decides the weights and the order of the data, and is the
same for every program: programs are compared seed by seed, which cancels the order's effect.

Each outcome is appended to the run's store as it comes, so no training is repeated after an
interruption. `figures.py` reads what the outcomes say.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

from primeval.dna.cost import measure
from primeval.dna.graph import build_graph
from primeval.dna.printing import format_program
from primeval.dna.program import Program
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.task import Task
from primeval.primitives.widths import Rejection
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.randomness import random_seed
from primeval.search.config.changes import refuse_incomparable
from primeval.search.config.settings import RunConfig
from primeval.search.confirm.figures import read_confirmed
from primeval.search.drive.interrupts import Interrupts
from primeval.search.drive.ladder import read_ladder
from primeval.search.run.folder import Run, check_free, reopen_run
from primeval.search.run.kept_weights import weights_file
from primeval.search.run.reader import Confirmation
from primeval.search.run.schema import FILE_NAME

# The paper's modifications one by one, its Primer-EZ, and the strongest known Transformer.
BASELINES = ("squared_relu", "mdha", "transformer_pp", "primer_ez")

# CHOICE: a failure that may be the machine's fault is tried again by the next confirmation; one
# of the program itself is kept. No loss is looked at for that, so it favours no program.
TRIED_AGAIN = (Status.CRASHED, Status.LOST, Status.OUT_OF_MEMORY, Status.TIMED_OUT)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A program to confirm.

    Attributes:
        name: What it is called; several names of one program are joined by ` = `.
        text: The program.
        fingerprint: Of its canonical graph, in hexadecimal.
        individual: Its number in the run; None for a program from elsewhere.
    """

    name: str
    text: str
    fingerprint: str
    individual: int | None = None


class Job(NamedTuple):
    """One training: a program with a seed, on a rung."""

    entry: Entry
    seed: int
    rung: int = 1


OnOutcome = Callable[[Job, Outcome], None]


def entry_of(name: str, program: Program, config: RunConfig) -> Entry:
    """A program under a name. Raises Rejection if it cannot be trained at this scale."""
    graph = build_graph(program)
    measure(graph, config.scale)
    return Entry(name, format_program(program), graph.fingerprint)


def best_entries(run: Run, count: int, rung: int = 1) -> list[Entry]:
    """The `count` individuals that the search found best, without its seeds.

    On a ladder they are those that stand best there (`search/algorithm/ladder.py`).

    Args:
        run: The run.
        count: How many.
        rung: The rung on which they are going to be trained; those that do not fit its scale
            are passed over.
    """
    entries: list[Entry] = []
    for number in _best_first(run):
        individual, outcome = run.store.individual(number), run.store.outcome(number)
        if len(entries) == count or individual is None or outcome is None:
            break
        if not math.isfinite(outcome.fitness):
            break  # failures are at the end
        if number >= len(run.store.seeds) and _fits(run, individual, rung):
            name = f"#{number}"
            entries.append(Entry(name, individual.text, individual.fingerprint, number))
    return entries


def _best_first(run: Run) -> list[int]:
    """The first individual of each program, the best first."""
    ranked = run.store.ranked()
    if not run.config.rungs:
        return ranked
    ladder = read_ladder(run)
    return sorted(ranked, key=ladder.standing, reverse=True)


def _fits(run: Run, individual: Individual, rung: int) -> bool:
    """Whether an individual's program can be trained at the scale of a rung."""
    if rung == 1:
        return True  # it was
    try:
        entry_of("", individual.program(run.language.vocabulary), run.config.on(rung))
    except Rejection:
        return False
    return True


def distinct(entries: Sequence[Entry]) -> list[Entry]:
    """Each program once, under all its names."""
    found: dict[str, Entry] = {}
    for entry in entries:
        same = found.get(entry.fingerprint)
        if same is None:
            found[entry.fingerprint] = entry
        elif entry.name not in same.name.split(" = "):
            number = entry.individual if same.individual is None else same.individual
            both = f"{same.name} = {entry.name}"
            found[entry.fingerprint] = replace(same, name=both, individual=number)
    return list(found.values())


def missing_jobs(run: Run, entries: Sequence[Entry], seeds: int, rung: int = 1) -> list[Job]:
    """Trainings on a rung without an outcome, seed by seed: so pairs are complete early."""
    done = {
        (key, seed)
        for key, one in read_confirmed(run, rung).items()
        for seed, outcome in one.outcomes.items()
        if outcome.status not in TRIED_AGAIN
    }
    jobs = (Job(entry, seed, rung) for seed, entry in product(range(seeds), entries))
    return [job for job in jobs if (job.entry.fingerprint, job.seed) not in done]


def run_of(config: RunConfig) -> Run | None:
    """The run in a configuration's folder, open for writing; None if there is none yet.

    Raises RunError if the folder cannot be used, ConfigError if its run has other settings.
    """
    folder = Path(config.run_dir)
    if not (folder / FILE_NAME).is_file():
        check_free(folder)
        return None
    run = reopen_run(folder, lasting=False)
    try:
        refuse_incomparable(run.config, replace(config, run_dir=run.config.run_dir))
    except BaseException:
        run.close()
        raise
    return replace(run, config=config)


def confirming_task(config: RunConfig, reference: str, jobs: int) -> Task:
    """What an evaluator needs to know: as in the search, but with losses of the test split.

    Of a configuration with rungs it is the task of the first alone.
    """
    workers = replace(config.workers, count=max(1, min(config.workers.count, jobs)))
    return replace(config.on(1).task(reference), split="test", workers=workers)


def fresh_seeds(run_seed: int, number: int) -> tuple[int, int]:
    """Random seeds of weights and of the data's order, for fresh seed `number`, from 0.

    They are of other streams than those of the search, so that no program meets again the
    weights or the batches that it was chosen on.
    """
    streams = (("confirm", purpose, run_seed, number) for purpose in ("weights", "data"))
    weights, data = (random_seed(*stream) for stream in streams)
    return weights, data


def confirm(run: Run, jobs: Sequence[Job], evaluator: Evaluator, told: OnOutcome) -> bool:
    """Train, and append each outcome as it comes; False if a signal stopped it.

    The evaluator is closed at the end. Raises StoreError if the store cannot be written.
    """
    waiting, flying = deque(enumerate(jobs)), dict[int, Job]()
    with Interrupts() as interrupts:
        try:
            while (waiting or flying) and not interrupts.requested:
                while waiting and len(flying) < evaluator.capacity:
                    number, job = waiting.popleft()
                    flying[number] = job
                    candidate = _candidate(run, number, job)
                    interrupts.patiently(partial(evaluator.submit, candidate), None)
                for number, outcome in interrupts.finished(evaluator):
                    job = flying.pop(number)
                    _append(run, job, outcome)
                    told(job, outcome)
        finally:
            evaluator.close()
    return not waiting and not flying


def _candidate(run: Run, number: int, job: Job) -> Candidate:
    """One training, without thresholds, so that it gets its whole budget.

    The weights of an individual are kept if the search did not keep them. CHOICE: only those of
    rung 1, as `weights/ID.npz` are those of the rung that individual ID was trained on.
    """
    individual, path = job.entry.individual, None
    wanted = job.seed == 0 and job.rung == 1 and run.config.keep_weights > 0
    if individual is not None and wanted:
        file = weights_file(run.folder, individual)
        path = None if file.exists() else str(file)
    weights, data = fresh_seeds(run.config.seed, job.seed)
    return Candidate(number, job.entry.text, weights, weights=path, data_seed=data)


def _append(run: Run, job: Job, outcome: Outcome) -> None:
    entry = job.entry
    if outcome.status is not Status.COMPLETED:
        name = f"{entry.name} with seed {job.seed}"
        log.warning("%s %s: %s", name, outcome.status.value, outcome.message)
    seeds = fresh_seeds(run.config.seed, job.seed)
    named = (entry.fingerprint, job.seed, entry.name, entry.text)
    run.store.append_confirmation(Confirmation(*named, *seeds, outcome, job.rung))
