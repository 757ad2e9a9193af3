"""Programs given to a running or stopped search are recorded, evaluated and become members."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.drivers import told, wait_for
from helpers.processes import start
from helpers.toys import (
    PowerCutError,
    Scripted,
    begin,
    dying,
    finish,
    outcome,
    primeval,
    toy_script,
)

from primeval.dna.library import load_seed, seed_text
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome
from primeval.scripts.cli import main
from primeval.search.config.settings import RunConfig
from primeval.search.drive.injections import inject
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay, verify
from primeval.search.errors import RunError
from primeval.search.run.folder import Run, open_run, reopen_run
from primeval.search.views.ledger import ledger
from primeval.search.views.lineage import lineage
from primeval.search.views.ranking import ranking

Make = Callable[..., RunConfig]
PRIMER = load_seed("primer_ez")


def injected(run: Run) -> list[tuple[int, int | None]]:
    """From the events: which injection became which individual."""
    events = [event.data for event in run.store.events() if event.kind == "injected"]
    return [(data["seq"], data["id"]) for data in events]


def stopped(toy_config: Make, *sets: str) -> Run:
    """A run of twelve individuals that can be resumed."""
    config = toy_config("budget.max_candidates=12", *sets)
    run, search = begin(config)
    drive(run, search, Scripted(toy_script(config)))
    run.close()
    return run


def test_a_resumed_search_takes_an_injected_program_first(toy_config: Make) -> None:
    folder = stopped(toy_config).folder
    inject(open_run(folder, write=True), {"primer_ez": PRIMER})
    assert open_run(folder).store.asked() == 12
    run = finish(folder, "budget.max_candidates=20")
    one = run.store.individual(12)
    assert one is not None
    assert one.program() == PRIMER
    assert (one.parent, one.edit) == (None, None)
    assert one.thresholds == run.store.individual(13).thresholds  # type: ignore[union-attr]
    assert run.store.outcome(12) is not None
    assert injected(run) == [(1, 12)]
    assert run.store.asked() == 20


def test_an_injected_program_is_a_member_and_has_children(toy_config: Make) -> None:
    folder = stopped(toy_config).folder
    inject(open_run(folder, write=True), {"primer_ez": PRIMER})
    run = reopen_run(folder, ["budget.max_candidates=40"])
    good = toy_script(run.config)

    def script(candidate: Candidate) -> Outcome:
        return outcome(0.5) if candidate.id == 12 else good(candidate)

    drive(run, replay(run), Scripted(script))
    assert any(one.parent == 12 for one in run.store.individuals())
    assert ranking(run, 1).rows[0].id == 12
    child = next(one.id for one in run.store.individuals() if one.parent == 12)
    assert [row.id for row in lineage(run, child)] == [12, child]


def test_an_injected_program_is_shown_under_its_name(toy_config: Make) -> None:
    folder = stopped(toy_config).folder
    inject(open_run(folder, write=True), {"my.dna": PRIMER})
    run = finish(folder, "budget.max_candidates=20")
    row = next(row for row in ranking(run).rows if row.id == 12)
    assert row.edit == "injected my.dna"
    (kinds,) = (row for row in ledger(run).mutations if row.kind == "injected")
    assert (kinds.new, kinds.evaluated) == (1, 1)


def test_a_run_with_injections_replays(toy_config: Make) -> None:
    folder = stopped(toy_config).folder
    programs = {"primer_ez": PRIMER, "mdha": load_seed("mdha")}
    inject(open_run(folder, write=True), programs)
    run = reopen_run(folder, ["budget.max_candidates=30"])
    drive(run, replay(run), Scripted(toy_script(run.config), capacity=8, seed=2))
    assert [number for number, _ in injected(run)] == [1, 2]
    assert verify(run) == 30


def test_each_is_taken_once_also_if_the_driver_dies(toy_config: Make) -> None:
    folder = stopped(toy_config).folder
    programs = {name: load_seed(name) for name in ("primer_ez", "mdha", "squared_relu")}
    inject(open_run(folder, write=True), programs)
    for after in (0, 1):
        run = reopen_run(folder, ["budget.max_candidates=30"])
        with pytest.raises(PowerCutError):
            drive(run, replay(run), dying(run.config, after))
        run.close()
    run = finish(folder, "budget.max_candidates=30")
    assert [seq for seq, _ in injected(run)] == [1, 2, 3]
    texts = [one.program() for one in run.store.individuals()]
    assert [texts.count(program) for program in programs.values()] == [1, 1, 1]


def test_seeds_come_first(toy_config: Make) -> None:
    run, search = begin(toy_config())
    inject(open_run(run.folder, write=True), {"primer_ez": PRIMER})
    drive(run, search, Scripted(toy_script(run.config)))
    assert injected(run) == [(1, 1)]


def test_what_is_known_is_evaluated_again_and_averaged(toy_config: Make) -> None:
    folder = stopped(toy_config).folder
    same = inject(open_run(folder, write=True), {"transformer": load_seed("transformer")})
    assert same == {"transformer": 0}
    run = reopen_run(folder, ["budget.max_candidates=13"])
    drive(run, replay(run), Scripted(lambda candidate: outcome(1.0)))
    assert run.store.outcome(12).same_as == 0  # type: ignore[union-attr]
    (seed,) = (row for row in ranking(run).rows if row.id == 0)
    assert (seed.loss, seed.evaluations) == (pytest.approx((2.0 + 0.008 + 1.0) / 2), 2)
    assert verify(run) == 13


def test_what_does_not_fit_is_refused_and_nothing_is_left(toy_config: Make) -> None:
    words = {
        str(one.op)
        for part in load_seed("transformer").subprograms
        for one in part.instructions
    }
    known = ", ".join(sorted(word for word in words if not word.isdecimal()))
    run = stopped(toy_config, f"language.primitives=[{known}]")
    opened = open_run(run.folder, write=True)
    with pytest.raises(RunError, match="primer_ez cannot be injected"):
        inject(opened, {"transformer": load_seed("transformer"), "primer_ez": PRIMER})
    assert opened.store.injection(0) is None


def test_a_running_search_takes_an_injected_program(config_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(config_file, folder, "--set", "budget.max_candidates=100_000")
    wait_for(lambda: told(folder) > 3, every=0.005)
    answer = primeval("inject", folder, "primer_ez", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["running"] is True
    wait_for(lambda: injected(open_run(folder)) != [])
    ((_, number),) = injected(open_run(folder))
    assert number is not None
    wait_for(lambda: open_run(folder).store.outcome(number) is not None)
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert replay(open_run(folder)).asked > number


def test_the_command_says_what_comes_next(config_file: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "my.dna"
    assert primeval("search", config_file, "--run-dir", run).returncode == 0
    file.write_text(seed_text("primer_ez"))
    answer = primeval("inject", run, file, f"{run}:0")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        f"{file} is injected into {run}.",
        f"{run}:0 is injected into {run}. It is individual 0, and is evaluated again.",
        f"To continue: primeval resume {run} --set budget.max_candidates=60",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "primer_ezz"], "Did you mean 'primer_ez"),
        (["RUN", "none.dna"], "no program file"),
        (["RUN/none", "primer_ez"], "There is no run"),
        (["RUN"], "required: PROGRAM"),
    ],
)
def test_a_mistake_is_one_message(
    toy_config: Make,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    folder = str(stopped(toy_config).folder)
    try:
        status = main(["inject", *(one.replace("RUN", folder) for one in arguments)])
    except SystemExit as stop:
        status = int(str(stop.code))
    assert status == 2
    assert message in capsys.readouterr().err
    assert open_run(folder).store.injection(0) is None
