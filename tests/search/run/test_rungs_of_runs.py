"""Runs with rungs are resumed, killed, injected into and replayed like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.commands import printed, refused
from helpers.toys import LADDER, TOY, PowerCutError, Scripted, begin, dying, history, toy_script

from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome
from primeval.scripts.cli import main
from primeval.search.config.settings import RunConfig
from primeval.search.drive.injections import inject
from primeval.search.drive.ladder import read_ladder
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay, verify
from primeval.search.run.folder import Run, open_run, reopen_run

Make = Callable[..., RunConfig]
Capture = pytest.CaptureFixture[str]
NOISY = "workers.evaluator=local"  # scripted, but with replicates


def rungs_of(run: Run) -> list[int]:
    return [one.rung for one in run.store.individuals()]


def agrees(folder: Path) -> None:
    """Check that every individual follows, from the seeds or from the store, to one state."""
    run = open_run(folder)
    digests = {replay(run, derive).digest for derive in (0, 25, run.store.asked())}
    assert len(digests) == 1
    search = replay(run, 0)
    ladder = read_ladder(run)
    assert ladder.digest == search.ladder.digest
    living = {search.known.original(one.individual.id) for one in search.population}
    assert all(ladder.standing(one) == search.ladder.standing(one) for one in living)


# -- a ladder from the start ------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 5])
def test_a_run_with_rungs_replays_to_the_last_hash(toy_config: Make, capacity: int) -> None:
    config = toy_config(NOISY, LADDER, "budget.max_candidates=90")
    run, search = begin(config)
    drive(run, search, Scripted(toy_script(config), capacity, seed=3))
    assert {1, 2, 3} == set(rungs_of(run))
    assert verify(run) == 90
    run.close()
    agrees(run.folder)


def test_a_program_that_a_rung_refuses_is_forgotten_and_refused_again(toy_config: Make) -> None:
    """It leaves no trace in the store, so nothing may depend on when it was noticed."""
    for last in (40, 60, 80):
        config = toy_config(LADDER, f"budget.max_candidates={last}", run_dir=f"run{last}")
        run, search = begin(config)
        drive(run, search, Scripted(toy_script(config), 3, seed=last))
        run.close()
        agrees(run.folder)


def test_deaths_lose_nothing_and_the_run_is_the_same(toy_config: Make) -> None:
    sets = [NOISY, LADDER, "budget.max_candidates=60"]
    config = toy_config(*sets, run_dir="whole")
    run, search = begin(config)
    drive(run, search, Scripted(toy_script(config)))
    whole, digest = history(run), search.digest
    config = toy_config(*sets, run_dir="died")
    run, search = begin(config)
    for after in (3, 17, 11, 2, 9):
        with pytest.raises(PowerCutError):
            drive(run, search, dying(config, after))
        before = history(run)
        run.close()
        run = reopen_run(config.run_dir)
        assert history(run) == before
        search = replay(run)
    drive(run, search, Scripted(toy_script(config)))
    assert (history(run), search.digest) == (whole, digest)
    assert verify(run) == 60


def test_an_injected_program_is_promoted(toy_config: Make) -> None:
    config = toy_config(NOISY, LADDER, "budget.max_candidates=40")
    run, search = begin(config)
    drive(run, search, Scripted(toy_script(config)))
    run.close()
    inject(open_run(run.folder, write=True), {"squared_relu": load_seed("squared_relu")})
    run = reopen_run(run.folder, ["budget.max_candidates=80"])
    script = toy_script(run.config)

    def kind(candidate: Candidate) -> Outcome:
        found = script(candidate)
        same = candidate.text == open_run(run.folder).store.individual(40).text  # type: ignore[union-attr]
        return found if not same else Outcome(found.status, 1.0, curve=found.curve)

    search = replay(run)
    drive(run, search, Scripted(kind))
    first = run.store.individual(40)
    assert first is not None
    assert run.store.injected_name(40) == "squared_relu"
    trials = [one for one in run.store.individuals() if one.of == 40]
    assert {one.rung for one in trials} >= {2}
    assert trials[0].text == first.text
    assert search.ladder.standing(40).proved > 1
    run.close()
    agrees(run.folder)


# -- a rung that comes later ------------------------------------------------------------------


def ladder_of(*rungs: str) -> list[str]:
    return ["--set", f"rungs=[{', '.join(rungs)}]"]


SECOND = "{promote: 0.3, model: {parameters: [120_000, 122_000]}}"
THIRD = "{promote: 0.5, candidate: {budget: {steps: 62}}}"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """The folder of a finished toy run without rungs."""
    (tmp_path / "small.yaml").write_text(TOY, encoding="utf-8")
    folder = tmp_path / "run"
    assert main(["search", str(tmp_path / "small.yaml"), "--run-dir", str(folder)]) == 0
    return folder


def resumed(folder: Path, candidates: int, *arguments: str) -> list[int]:
    more = ["--set", f"budget.max_candidates={candidates}"]
    assert main(["resume", str(folder), *more, *arguments]) == 0
    return rungs_of(open_run(folder))


def test_rungs_are_added_to_a_run_one_by_one(plain: Path, capsys: Capture) -> None:
    assert set(rungs_of(open_run(plain))) == {1}
    rungs = resumed(plain, 70, *ladder_of(SECOND))
    assert set(rungs[30:]) == {1, 2}
    promoted = [one.of for one in open_run(plain).store.individuals() if one.rung == 2]
    assert any(0 < of < 30 for of in promoted if of is not None)  # from before there was a rung
    rungs = resumed(plain, 110, *ladder_of(SECOND, THIRD))
    assert set(rungs[:70]) == {1, 2}
    assert set(rungs[70:]) == {1, 2, 3}
    resumed(plain, 120, "--set", "rungs.2.promote=5", "--set", "rungs.3.candidate.timeout=9m")
    assert "all 120 individuals follow" in printed(capsys, "replay", plain)
    agrees(plain)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (ladder_of("{promote: 0.3}", THIRD), "continue with another rungs.2.model.param"),
        (["--set", "rungs=[]"], "A run keeps its rungs. It has 2, and would have 1."),
        (["--set", "rungs.2.candidate.hurdles=1"], "another rungs.2.candidate.hurdles"),
        (ladder_of(SECOND, "{model: {parameters: [1, 2]}}"), "at the scale of rung 3"),
    ],
)
def test_a_rung_that_is_there_stays_as_it_is(
    plain: Path, capsys: Capture, sets: list[str], message: str
) -> None:
    resumed(plain, 40, *ladder_of(SECOND))
    before = open_run(plain).store.events()
    capsys.readouterr()
    assert message in refused(capsys, "resume", plain, *sets)
    assert open_run(plain).store.events() == before


def test_a_rung_without_its_text_is_not_taken_up(
    toy_config: Make, capsys: Capture, tmp_path: Path
) -> None:
    run, search = begin(toy_config(NOISY, "budget.max_candidates=3"))
    drive(run, search, Scripted(toy_script(run.config)))
    run.close()
    rung = ladder_of(f"{{data: {{files: [{tmp_path}/none.txt]}}}}")
    assert "none.txt" in refused(capsys, "resume", run.folder, *rung)
    assert [event.kind for event in open_run(run.folder).store.events()][-1] == "stopped"
    assert open_run(run.folder).config.rungs == ()
