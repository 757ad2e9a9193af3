"""Runs with rungs and noise, by an evaluator that follows a script."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from helpers.toys import TOY, Scripted, begin, outcome
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.config.config import parse_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.run.folder import Run

RUNGS = "rungs=[{promote: 0.3}, {promote: 0.5}]"
AT = {1: 2.0, 2: 1.5, 3: 1.2}  # the seed's loss on each rung


def ladder_config(folder: Path, *sets: str) -> RunConfig:
    """Three rungs, the first seed trained four times on each. No worker is ever started."""
    given = [RUNGS, "workers.evaluator=local", "candidate.replicates=4"]
    given += ["budget.max_candidates=90", "candidate.hurdles=1"]
    return replace(parse_config(TOY, [*given, *sets]), run_dir=str(folder))


def by_rung(run: Run, noise: float = 0.001) -> Callable[[Candidate], Outcome]:
    """A script: gains that follow from the program, of which some hold on higher rungs.

    Losses scatter by up to three times `noise`.
    """

    def script(candidate: Candidate) -> Outcome:
        rung, luck = candidate.rung, hashlib.md5(candidate.text.encode()).digest()
        seed = candidate.text == run.reference
        gain = 0.0 if seed else (luck[0] - 200) / 1000
        if rung > 1 and not seed:
            if luck[rung] < 40:
                return outcome(None)
            gain *= 0.8 if luck[rung] < 150 else -0.1
        loss = AT[rung] - gain + (candidate.seed % 7 - 3) * noise
        if candidate.misses(0, loss + 1):
            return replace(outcome(loss + 1, 1, Status.STOPPED), hurdle=0)
        return outcome(loss, 2)

    return script


def ladder_run(folder: Path, *sets: str, noise: float = 0.001) -> Run:
    """A finished run with three rungs; its store is still open."""
    run, search = begin(ladder_config(folder, *sets))
    drive(run, search, Scripted(by_rung(run, noise)))
    return run
