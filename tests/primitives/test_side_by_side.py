"""Two runs in one process whose modules give one name to different primitives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.modules import MINE, write_module

from primeval.dna.graph import recent_graph
from primeval.dna.parsing import parse
from primeval.evaluators.outcome import Outcome, Status
from primeval.evaluators.workers.factory import make_evaluator
from primeval.scripts.cli import main
from primeval.search.config.config import parse_config
from primeval.search.drive.loop import drive
from primeval.search.drive.replay import replay
from primeval.search.drive.starting import load_seeds, make_search
from primeval.search.run.folder import Run, create_run, reopen_run
from primeval.search.run.programs import find_program

# TANH under another name, and a primitive that sees all channels of a position.
TANH, NORM = "ops.tanh(x)", "x / (1.0 + ops.sum(ops.square(x), axis=-1, keepdims=True))"
LOCAL = """\
search: {population_size: 2, tournament_size: 2}
budget: {max_candidates: 2}
candidate: {budget: {steps: 8}, hurdles: 1, replicates: 1}
model: {width: 16, length: 16, layers: 1}
training: {batch_size: 4, validation_batches: 2, jit: false, warmup_steps: 4}
workers: {evaluator: local, count: 1}
"""


def begin(folder: Path, formula: str, rule: str = "elementwise") -> Run:
    """A run of one seed, whose primitive MINE has this formula and this rule."""
    folder.mkdir()
    module = write_module(folder / "mine.py", formula, rule)
    (folder / "mine.dna").write_text(MINE, encoding="utf-8")
    settings = f"language: {{modules: ['{module}']}}\nrun_dir: '{folder / 'run'}'\n"
    config = parse_config(f"{LOCAL}{settings}")
    language = config.make_language()
    seeds = load_seeds([str(folder / "mine.dna")], config.language, language.vocabulary)
    return create_run(config, seeds)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[tuple[Run, Run]]:
    """Both open, with individual 0 asked for and not yet evaluated."""
    both = (begin(tmp_path / "a", TANH), begin(tmp_path / "b", NORM, "rowwise"))
    for run in both:
        search = make_search(run.config, list(run.store.seeds.values()), run.language)
        run.store.append_individual(search.ask(), 0.0)
    yield both
    for run in both:
        run.close()


def test_each_shows_its_own_primitive(
    runs: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        for run, formula in zip(runs, (TANH, NORM), strict=True):
            assert main(["show", f"{run.folder}:0", "--code"]) == 0
            assert f"= {formula}\n" in capsys.readouterr().out.replace(" a)", " x)")


def test_each_is_typed_by_its_own_rule(runs: tuple[Run, Run]) -> None:
    for _ in range(2):
        rules = [
            node.primitive.rule
            for run in runs
            for node in recent_graph(find_program(f"{run.folder}:0").program).nodes
            if node.op == "MINE" and node.primitive is not None
        ]
        assert rules == ["elementwise", "rowwise"]


@pytest.mark.tf
def test_each_computes_the_numbers_of_its_own_kernel(runs: tuple[Run, Run]) -> None:
    """In turn, twice: MINE of one run is TANH, and that of the other is the formula."""
    from primeval.evaluators.lowering.walk import run_graph

    def weigh(*_: object) -> object:
        raise AssertionError("nothing here owns weights")

    x = np.random.default_rng(0).normal(size=(2, 16, 16)).astype("float32")
    for _ in range(2):
        for run, expected in zip(runs, (np.tanh, norm), strict=True):
            program = parse("S0 main(a, b):\n  c = MINE a\n", "text", run.language.vocabulary)
            found = np.asarray(run_graph(recent_graph(program), x, weigh))
            np.testing.assert_allclose(found, expected(x), rtol=1e-5, atol=1e-6)


def norm(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / (1.0 + np.square(x).sum(axis=-1, keepdims=True)))


@pytest.mark.tf
def test_each_trains_to_what_it_trains_to_alone(runs: tuple[Run, Run], tmp_path: Path) -> None:
    """Both are open while each is resumed; that of TANH comes out as the built-in TANH does."""
    (tmp_path / "tanh.dna").write_text(MINE.replace("MINE", "TANH"), encoding="utf-8")
    config = parse_config(f"{LOCAL}run_dir: '{tmp_path / 'c'}'\n")
    alone = create_run(config, load_seeds([str(tmp_path / "tanh.dna")]))
    for run in (*runs, alone):
        run.close()
    opened = [reopen_run(run.folder) for run in (*runs, alone)]
    ready = [make_evaluator(run.config.task(run.reference)) for run in opened]
    for run, evaluator in zip(opened, ready, strict=True):
        drive(run, replay(run), evaluator)
    ours, others, built_in = (_outcome(run) for run in opened)
    assert ours.loss == built_in.loss
    assert others.loss != ours.loss
    for run in opened:
        run.close()


def _outcome(run: Run) -> Outcome:
    outcome = run.store.outcome(0)
    assert outcome is not None
    assert outcome.status is Status.COMPLETED, outcome.message
    return outcome


def test_a_program_of_one_is_injected_into_the_other_as_text(
    runs: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    """There it means what it means there."""
    one, other = runs
    assert main(["inject", str(other.folder), f"{one.folder}:0"]) == 0
    assert "It is individual 0, and is evaluated again" in capsys.readouterr().out


def test_a_program_of_primitives_that_a_run_lacks_cannot_be_injected(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.dna").write_text(MINE.replace("MINE", "SQUARE"), encoding="utf-8")
    config = parse_config(f"{LOCAL}run_dir: '{tmp_path / 'plain'}'\n")
    plain = create_run(config, load_seeds([str(tmp_path / "mine.dna")]))
    plain.close()
    assert main(["inject", str(plain.folder), f"{runs[0].folder}:0"]) == 2
    assert "There is no primitive called 'MINE'" in capsys.readouterr().err
    assert plain.folder.exists()
