"""A run that is killed at any moment, or whose disk is full, loses no record and can continue.

`python benchmarks/kills.py` does the same with 200 kills.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kills import (
    COMMAND,
    RUNGS,
    LossError,
    Rows,
    history_of,
    kill_and_resume,
    require_kept,
    require_sound,
    rows_of,
    undisturbed,
)

from primeval.search.run.folder import open_run

CANDIDATES = 150


def test_kills_at_random_moments_lose_nothing_that_was_recorded(tmp_path: Path) -> None:
    tally = kill_and_resume(tmp_path, kills=8, candidates=CANDIDATES, seed=3, sets=RUNGS)
    assert tally.kills == 8
    assert tally.rows > 0
    assert tally.finished >= 1
    individuals = open_run(tmp_path / "first" / "whole").store.individuals()
    assert {one.rung for one in individuals} == {1, 2, 3}


@pytest.mark.parametrize("after", [{(1, "a")}, {(1, "a"), (2, "c")}, set()])
def test_a_row_that_is_gone_or_changed_would_be_noticed(after: set[tuple[object, ...]]) -> None:
    before = {"outcomes": {(1, "a"), (2, "b")}}
    require_kept(before, {"outcomes": {(1, "a"), (2, "b"), (3, "c")}})
    with pytest.raises(LossError, match="outcomes: "):
        require_kept(before, {"outcomes": after} if after else {})


class SmallDisk:
    """A file system of a few megabytes that only the processes started by `run` can see."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$0" && echo mounted && exec cat'
        self.folder = folder
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        self.mounted = self._holder.stdout.readline() == "mounted\n"

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", f"--target={self._holder.pid}", "--user", "--mount"]
        return subprocess.run(
            [*enter, "--preserve-credentials", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def primeval(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run(*COMMAND, *arguments)

    def close(self) -> None:
        self._holder.communicate()  # this closes the input of `cat`, which ends it


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 5 MB; skips where users may not mount. test_loop.py tests a size limit."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        pytest.skip("needs unshare and nsenter (util-linux)")
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = SmallDisk(folder, megabytes=5)
    if not disk.mounted:
        disk.close()
        pytest.skip("needs the right to mount in a namespace of one's own")
    yield disk
    disk.close()


def test_a_full_disk_damages_nothing_and_the_run_resumes_when_there_is_room(
    disk: SmallDisk, tmp_path: Path
) -> None:
    run, filler = disk.folder / "run", disk.folder / "filler"
    disk.run("dd", "if=/dev/zero", f"of={filler}", "bs=1k", "count=4600")
    budget = f"budget.max_candidates={CANDIDATES}"
    sets = ["--set", budget, "--set", "workers.count=4"]
    stopped = disk.primeval("search", "toy", "--run-dir", run, *sets)
    assert stopped.returncode == 1
    assert "could not be written: database or disk is full" in stopped.stderr
    assert "Traceback" not in stopped.stderr

    # while the disk is full, the run can be read and is sound; resuming gives the same error
    assert disk.primeval("top", run).stdout.startswith(f"{run}: ")
    assert disk.primeval("replay", run).returncode == 0
    again = disk.primeval("resume", run)
    assert (again.returncode, "disk is full" in again.stderr) == (1, True)
    before = recorded(disk, run, tmp_path / "before")
    assert 0 < len(before["outcomes"]) < CANDIDATES

    disk.run("rm", filler)
    resumed = disk.primeval("resume", run)
    assert resumed.returncode == 0, resumed.stderr
    require_kept(before, recorded(disk, run, tmp_path / "after"))
    assert history_of(tmp_path / "after") == undisturbed(tmp_path, CANDIDATES)[0]


def recorded(disk: SmallDisk, run: Path, copy: Path) -> Rows:
    """All rows in a copy of the run's folder, after checking that the copy is sound."""
    into = "import shutil, sys; shutil.copytree(*sys.argv[1:])"
    assert disk.run(sys.executable, "-c", into, run, copy).returncode == 0
    require_sound(copy)
    return rows_of(copy)
