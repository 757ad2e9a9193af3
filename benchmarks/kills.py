"""After `kill -9` at random moments: is everything that was recorded still there?

    python benchmarks/kills.py [--kills 200] [--candidates 600] [--seed 0] [--no-rungs]

The command drives toy runs with three rungs in a process of its own, with four candidates in
flight; the second rung refuses a third of the programs. It is killed
at moments drawn uniformly from the time that an undisturbed run takes, start-up included. After
each kill every row that a reader had seen before must still be there, unchanged. A run that
reaches its end after its kills must be sound (`PRAGMA integrity_check`), equal the undisturbed
run, and follow from its journal (`primeval replay`). The first violation ends the program with
an error.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from primeval.search.run.folder import open_run

COMMAND = [sys.executable, "-m", "primeval.scripts.cli"]
RUNGS = (
    "rungs=[{promote: 0.3, model: {parameters: [120_000, 122_000]}}, "
    "{promote: 0.5, model: {parameters: [100_000, 160_000]}}]",
)
Rows = dict[str, set[tuple[object, ...]]]  # table -> rows


class LossError(AssertionError):
    """A record is gone, or a run is not what it should be."""


@dataclass
class Tally:
    """Counts: kills, runs driven to their end, and rows seen before a kill."""

    kills: int = 0
    early: int = 0  # kills before there was a store
    finished: int = 0
    rows: int = 0


def rows_of(run: Path) -> Rows:
    """Every row of every table, as a reader sees them now; empty if there is no store."""
    file = run / "run.sqlite"
    if not file.exists():
        return {}
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [name for (name,) in tables if not name.startswith("sqlite_")]
        return {name: set(connection.execute(f"SELECT * FROM {name}")) for name in names}
    finally:
        connection.close()


def require_kept(before: Rows, after: Rows) -> None:
    """Raises LossError unless all rows of `before` are in `after`, unchanged."""
    for table, rows in before.items():
        if lost := rows - after.get(table, set()):
            raise LossError(f"{table}: {len(lost)} of {len(rows)} rows are gone or changed.")


def history_of(run: Path) -> tuple[list[object], list[object]]:
    """All individuals and outcomes, without their times."""
    opened = open_run(run)
    found = list(opened.store.individuals()), list(opened.store.outcomes())
    opened.close()
    return found  # type: ignore[return-value]


def start(run: Path, candidates: int, sets: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start `primeval resume`, or `primeval search` with `sets` if there is no run yet."""
    if (run / "run.sqlite").exists():
        arguments = ["resume", str(run)]
    else:
        arguments = ["search", "toy", "--run-dir", str(run), "--set", "workers.count=4"]
        given = (f"budget.max_candidates={candidates}", *sets)
        arguments += [word for one in given for word in ("--set", one)]
    silent = subprocess.DEVNULL
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=silent, stderr=subprocess.PIPE, text=True
    )


def undisturbed(
    folder: Path, candidates: int, sets: Sequence[str] = ()
) -> tuple[tuple[list[object], list[object]], float]:
    """The history of a run that is never killed, and the seconds that it took."""
    run, began = folder / "whole", time.monotonic()
    _expect_success(start(run, candidates, sets))
    return history_of(run), time.monotonic() - began


def kill_and_resume(
    folder: Path, kills: int, candidates: int, seed: int = 0, sets: Sequence[str] = ()
) -> Tally:
    """Kill drivers `kills` times, and drive every run to its end. Raises LossError."""
    rng, tally = random.Random(seed), Tally()
    whole, first = undisturbed(folder / "first", candidates, sets)
    again, second = undisturbed(folder / "second", candidates, sets)
    if whole != again:
        raise LossError("Two runs that were not killed differ.")
    seconds = min(first, second)  # other work on the machine can only add time
    while tally.kills < kills:
        run = folder / f"run{tally.finished}"
        while tally.kills < kills:
            process = start(run, candidates, sets)
            if not _killed(process, run, seconds * rng.random(), tally):
                break
            tally.kills += 1
        _see_to_its_end(start(run, candidates, sets), run, whole)
        tally.finished += 1
    return tally


def _killed(process: subprocess.Popen[str], run: Path, moment: float, tally: Tally) -> bool:
    """Kill a driver after a time; returns False if it had finished before."""
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        before = rows_of(run)
    else:
        _expect_success(process)
        return False
    process.kill()
    process.communicate()
    require_kept(before, rows_of(run))
    tally.early += not before
    tally.rows += sum(map(len, before.values()))
    return True


def _see_to_its_end(
    process: subprocess.Popen[str], run: Path, whole: tuple[list[object], list[object]]
) -> None:
    before = rows_of(run)
    _expect_success(process)
    require_kept(before, rows_of(run))
    if history_of(run) != whole:
        raise LossError(f"{run} differs from a run that was not killed.")
    require_sound(run)
    replay = subprocess.Popen(
        [*COMMAND, "replay", str(run)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    _expect_success(replay)


def require_sound(run: Path) -> None:
    """Raises LossError unless SQLite finds the file in order."""
    connection = sqlite3.connect(run / "run.sqlite")
    verdict = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    if verdict != [("ok",)]:
        raise LossError(f"{run}: {verdict}")


def _expect_success(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    if process.returncode:
        raise LossError(f"{process.args} failed with {process.returncode}: {errors}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--candidates", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rungs", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        sets = RUNGS if args.rungs else ()
        tally = kill_and_resume(Path(name), args.kills, args.candidates, args.seed, sets)
    print(
        f"{tally.kills} kills ({tally.early} of them before there was a store) of "
        f"{tally.finished} runs of {args.candidates} candidates, in "
        f"{time.monotonic() - began:.0f} s.\n"
        f"{tally.rows:,} rows had been seen before a kill; all were there afterwards. Every "
        "run reached its end,\npassed integrity_check and replay, and equals a run that "
        "was not killed."
    )


if __name__ == "__main__":
    main()
