"""A run with rungs is confirmed at the scale of one of them, the highest by default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.commands import as_json, printed, refused
from helpers.toys import TOY, Scripted, begin, outcome

from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome
from primeval.scripts.cli import main
from primeval.search.config.settings import RunConfig
from primeval.search.confirm.training import best_entries
from primeval.search.drive.ladder import read_ladder
from primeval.search.drive.loop import drive
from primeval.search.run.folder import open_run

Capture = pytest.CaptureFixture[str]
RUNGS = """
rungs:
- promote: 0.3
  candidate: {budget: {steps: 62}}
- promote: 0.5
  model: {parameters: [120_000, 122_000]}
  candidate: {budget: {steps: 93}}
"""


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished toy search with three rungs."""
    folder = tmp_path_factory.mktemp("ladder")
    (folder / "small.yaml").write_text(TOY + RUNGS, encoding="utf-8")
    run = folder / "runs" / "small"
    assert main(["search", str(folder / "small.yaml"), "--run-dir", str(run)]) == 0
    return run


def test_without_a_rung_it_is_the_highest_and_the_output_says_so(
    ladder: Path, capsys: Capture
) -> None:
    command = ["confirm", ladder, "--top", 2, "--seeds", 2, "--programs", "squared_relu"]
    assert main([*map(str, command)]) == 0
    captured = capsys.readouterr()
    assert "Trained on rung 3 of 3." in captured.out
    assert "rung 3, the highest" in captured.err
    assert f"{ladder}@1" in captured.err
    data = as_json(capsys, *command)
    assert data["rung"] == 3
    assert {row["steps"] for row in data["programs"]} == {93}
    assert all(one.rung == 3 for one in open_run(ladder).store.confirmations())
    assert "Trained on rung 3" in printed(capsys, "top", ladder, "--confirmed")


def test_each_rung_has_confirmations_of_its_own(ladder: Path, capsys: Capture) -> None:
    command = ["--top", 1, "--seeds", 1, "--programs", "squared_relu"]
    steps = {}
    for rung in (1, 2, 3, 1):
        data = as_json(capsys, "confirm", f"{ladder}@{rung}", *command)
        steps[rung] = {row["steps"] for row in data["programs"]}
    assert steps == {1: {31}, 2: {62}, 3: {93}}
    stored = [one for one in open_run(ladder).store.confirmations() if one.rung < 3]
    assert len(stored) == 2 * 3  # the second time nothing was trained
    assert {one.rung for one in stored} == {1, 2}


def test_a_rung_that_is_not_there_is_refused(ladder: Path, capsys: Capture) -> None:
    assert "has 3 rungs, numbered from 1. Received: 4." in refused(
        capsys, "confirm", f"{ladder}@4"
    )
    config = ladder.parent.parent / "small.yaml"
    assert "3 rungs, numbered from 1" in refused(capsys, "confirm", f"{config}@4")


def test_a_rung_of_a_configuration_is_confirmed_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(TOY + RUNGS, encoding="utf-8")
    command = ["--seeds", 1, "--programs", "squared_relu"]
    for name, steps in (("small.yaml@3", 93), ("./small.yaml@2", 62), ("small.yaml", 31)):
        data = as_json(capsys, "confirm", name, *command)
        assert {row["steps"] for row in data["programs"]} == {steps}
    folders = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert folders == ["confirm-small", "confirm-small@2", "confirm-small@3"]


def test_the_best_are_those_that_stand_best_and_fit(
    toy_config: Callable[..., RunConfig],
) -> None:
    rungs = RUNGS.strip().replace("rungs:", "rungs=", 1)
    config = toy_config("budget.max_candidates=60", rungs)
    run, search = begin(config)

    def script(candidate: Candidate) -> Outcome:
        luck = 0.5 if candidate.text == run.reference else len(candidate.text) % 7 / 7
        gain = luck if candidate.rung == 1 else 1 - luck  # what is good is bad higher up
        return outcome(2.0 - gain)

    drive(run, search, Scripted(script))
    ladder = read_ladder(run)
    assert ladder.digest == search.ladder.digest
    numbers = [entry.individual for entry in best_entries(run, 5)]
    standings = [ladder.standing(number or 0) for number in numbers]
    assert standings == sorted(standings, reverse=True)
    assert numbers != [one for one in run.store.ranked() if one][:5]
    everything = best_entries(run, 60)
    fitting = best_entries(run, 60, rung=3)
    assert set(fitting) < set(everything)
