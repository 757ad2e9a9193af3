"""`rediscovery.py --real` works from end to end; the toy evaluator replaces training."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.places import ROOT

MARK, END = "<!-- written by rediscovery.py --real -->", "<!-- end -->"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a run and a document, after the command has run twice, and its output."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copy(ROOT / "docs" / "rediscovery.md", folder)
    command = [sys.executable, ROOT / "benchmarks" / "rediscovery.py", "--docs", folder]
    command += ["--real", folder / "run", "--top", "2", "--seeds", "2"]
    command += ["--set", "workers.evaluator=toy", "--set", "budget.max_candidates=120"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_command_writes_its_section_and_nothing_else(written: tuple[Path, str]) -> None:
    folder, printed = written
    before, after = (
        (path / "rediscovery.md").read_text(encoding="utf-8")
        for path in (ROOT / "docs", folder)
    )
    assert after.partition(MARK)[0] == before.partition(MARK)[0]
    assert after.partition(END)[1:] == before.partition(END)[1:]
    section = after.partition(MARK)[2].partition(END)[0]
    assert section != before.partition(MARK)[2].partition(END)[0]
    assert section.strip() in printed
    assert (folder / "rediscovery.png").read_bytes().startswith(b"\x89PNG")


def test_the_section_names_the_best_the_known_and_what_was_found(
    written: tuple[Path, str],
) -> None:
    section = (written[0] / "rediscovery.md").read_text(encoding="utf-8").partition(MARK)[2]
    section = section.partition(END)[0]
    for known in ("transformer", "squared_relu", "mdha", "primer_ez"):
        assert f"| {known} |" in section
    assert "of the 2 best that were confirmed beat the seed" in section
    assert "| squared_relu | squared rectifier |" in section
    assert "| primer_ez | squared rectifier, convolved projections |" in section
    assert "- as good as `mdha` (" in section
    assert "120 candidates" in section


def test_the_second_time_it_neither_searched_nor_trained(written: tuple[Path, str]) -> None:
    from primeval.search.run.folder import open_run

    run = open_run(written[0] / "run")
    assert run.store.told() == 120
    jobs = [(one.fingerprint, one.seed) for one in run.store.confirmations()]
    assert len(jobs) == len(set(jobs))
    assert [one.kind for one in run.store.events()].count("stopped") == 1
