"""A rehearsal trains the seed and some children on every rung, and measures each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.toys import LADDER, Scripted, outcome

from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome
from primeval.scripts.cli import main
from primeval.scripts.tables.check import print_check
from primeval.search.config.config import parse_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.starting import costs_on_rungs
from primeval.search.forecast.forecast import forecast
from primeval.search.forecast.rehearsal import Rehearsal, RehearsalError, rehearse

Make = Callable[..., RunConfig]
Script = Callable[[Candidate], Outcome]
SEEDS = {"transformer": load_seed("transformer")}
REAL = "workers={evaluator: local, threads: 1}"  # as far as a rehearsal can tell


def timed(candidate: Candidate) -> Outcome:
    """An outcome that takes seconds: more on higher rungs; children are calibrated."""
    took = {"train": 5.0 * candidate.rung, "evaluate": 1.0, "compile": 2.0 * candidate.rung}
    if candidate.id:
        took |= {"calibrate": 1.0, "reference": 7.0}
    return replace(outcome(2.0), seconds=took)


def rehearsed(config: RunConfig, folder: Path, script: Script) -> tuple[Rehearsal, Scripted]:
    costs = costs_on_rungs(config, "transformer", build_graph(SEEDS["transformer"]))
    evaluator = Scripted(script)
    return rehearse(config, SEEDS, costs, folder, 0, lambda task: evaluator), evaluator


def test_every_rung_is_measured_in_one_rehearsal(toy_config: Make, tmp_path: Path) -> None:
    found, evaluator = rehearsed(toy_config(REAL, LADDER), tmp_path, timed)
    seed = evaluator.submitted[0].text
    on_rungs = [(one.rung, one.text == seed) for one in evaluator.submitted]
    assert on_rungs[:4] == [(1, True), (2, True), (3, True), (1, False)]
    assert {(2, False), (3, False)} < set(on_rungs)  # of the child, or one that fits
    assert found.candidates == len(on_rungs) <= 9
    paces = found.measured.rungs
    assert [pace.step for pace in paces] == [1.0, 2.0, 3.0]  # of five
    assert [pace.overhead for pace in paces] == [2 + 1, 4 + 1, 6 + 1]
    assert [pace.reference for pace in paces] == [7.0] * 3
    assert [pace.validation for pace in paces] == [1 / 5] * 3
    assert len(found.shares) == 3


def test_a_child_that_fails_is_replaced(toy_config: Make, tmp_path: Path) -> None:
    def script(candidate: Candidate) -> Outcome:
        return outcome(None) if candidate.id in (3, 4) else timed(candidate)

    rungs = "rungs=[{candidate: {hurdles: 1}}, {candidate: {hurdles: 2}}]"
    found, evaluator = rehearsed(toy_config(REAL, rungs), tmp_path, script)
    assert [one.rung for one in evaluator.submitted] == [1, 2, 3, 1, 1, 1, 2, 3]
    assert [pace.overhead for pace in found.measured.rungs] == [3, 5, 7]


def test_without_rungs_the_seed_is_tried_once_and_a_child_follows(
    toy_config: Make, tmp_path: Path
) -> None:
    _, evaluator = rehearsed(toy_config(REAL), tmp_path, timed)
    assert [one.rung for one in evaluator.submitted] == [1, 1]
    assert len({one.text for one in evaluator.submitted}) == 2  # no replicate


def test_a_seed_that_fails_on_a_rung_is_reported_with_its_settings(
    toy_config: Make, tmp_path: Path
) -> None:
    def script(candidate: Candidate) -> Outcome:
        return outcome(None) if candidate.rung == 2 else timed(candidate)

    message = r"on rung 2 \(diverged\).* Lower rungs\.2\.training\.learning_rate"
    with pytest.raises(RehearsalError, match=message):
        rehearsed(toy_config(REAL, LADDER), tmp_path, script)


def test_check_prints_a_line_for_each_rung(
    toy_config: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["budget.max_candidates=1000", "candidate.hurdles=1"]
    config = replace(toy_config(REAL, LADDER, *sets), run_dir="runs/mine")
    tried, _ = rehearsed(config, tmp_path, timed)
    costs = costs_on_rungs(config, "transformer", build_graph(SEEDS["transformer"]))
    foreseen = forecast(config, costs, tried.measured)
    print_check("mine", config, {"transformer": costs[0]}, costs, (tried, foreseen))
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("Note: ")) <= 80
    first = next(at for at, line in enumerate(lines) if line.startswith("rung a step"))
    assert [line.split()[0] for line in lines[first + 1 : first + 4]] == ["1", "2", "3"]
    text = " ".join(" ".join(lines).split())
    assert "noise, rung 2 the seed is trained 3 times more, " in text
    assert "standard deviations of the seed's loss" in text


def test_the_seed_must_fit_every_rung(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["--set", "rungs=[{model: {parameters: [1, 2]}}]"]
    assert main(["check", str(config_file), *sets]) == 2
    message = capsys.readouterr().err
    assert "cannot be trained at the scale of rung 2" in message
    assert "rungs.2.model section" in message


@pytest.mark.tf
@pytest.mark.slow
def test_a_run_takes_what_is_foretold_on_each_rung(tmp_path: Path) -> None:
    from forecast import TINY, compare

    sets = ["budget={max_candidates: 14}", "candidate.hurdles=0", f"run_dir={tmp_path / 'run'}"]
    _, rungs = compare(parse_config(TINY, sets))
    for one in rungs:
        foreseen, found = one.each
        # other work on this machine may come and go between the two
        assert 1 / 4 < found / foreseen < 4
    assert abs(rungs[0].trainings[0] - rungs[0].trainings[1]) <= 5
