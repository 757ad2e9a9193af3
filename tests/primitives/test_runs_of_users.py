"""Runs with users' primitives: trained, read, exported; also without their modules."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.modules import GUIDE, MINE, SOFT, documented_module, write_module
from helpers.toys import TOY, primeval

from primeval.dna.cost import Scale
from primeval.dna.graph import build_graph
from primeval.dna.parsing import parse
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Status
from primeval.evaluators.settings import WorkerSettings
from primeval.primitives.language import make_language
from primeval.primitives.primitive import Vocabulary
from primeval.scripts.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return documented_module(tmp_path)


@pytest.fixture
def documented(module: Path) -> Vocabulary:
    return make_language([str(module)]).vocabulary


@pytest.mark.tf
def test_the_documented_primitives_train_in_a_layer(documented: Vocabulary) -> None:
    from helpers.blocks import LENGTH, assert_causal, make_block

    scores = "c = T_MAT_MUL a a\n d = L2_NORM c\n e = MAT_MUL d a"
    lines = f"{scores}\n f = SOFTPLUS e\n g = LEAKY f const1\n"
    program = parse(f"constants 0 2\nS0 main(a, b):\n {lines}", vocabulary=documented)
    block, width = make_block(build_graph(program))
    rng = np.random.default_rng(0)
    assert assert_causal(block, rng.normal(size=(2, LENGTH, width)).astype("float32"), rng)


@pytest.mark.tf
def test_the_documented_primitives_are_exported_as_stock_operations(
    documented: Vocabulary, tmp_path: Path
) -> None:
    from primeval.evaluators.export.export import export_program

    program = parse(SOFT, vocabulary=documented)
    done = export_program(program, Scale(1, 16, 8, width=16), tmp_path / "soft.keras")
    assert done.difference <= 1e-5


@pytest.mark.tf
def test_the_documented_python_works(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(module.parent)
    _, code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "guide.py", "exec"), names)
    x = np.zeros((1, 8, 16), "float32")
    np.testing.assert_allclose(names["layer"](x), np.full(x.shape, np.log(2.0)), rtol=1e-5)


@pytest.mark.tf
def test_a_subclass_of_the_block_brings_primitives_and_is_saved_and_loaded(
    documented: Vocabulary, tmp_path: Path
) -> None:
    import keras

    from primeval.evaluators import ProgramBlock

    class Mine(ProgramBlock):
        vocabulary = documented

    inputs = keras.Input((8, 16))
    model = keras.Model(inputs, Mine(SOFT)(inputs))
    model.save(tmp_path / "soft.keras")
    found = keras.models.load_model(tmp_path / "soft.keras", custom_objects={"Mine": Mine})
    x = np.random.default_rng(0).normal(size=(2, 8, 16)).astype("float32")
    np.testing.assert_allclose(found(x), model(x), rtol=1e-5)


@pytest.mark.tf
@pytest.mark.ray
@pytest.mark.slow
def test_ray_workers_import_the_modules(module: Path, ray_session: None) -> None:
    from helpers.training import outcomes, task

    from primeval.evaluators.workers.ray_pool import RayEvaluator

    workers = WorkerSettings(count=1)
    pool = RayEvaluator(replace(task("steps", 4), workers=workers, modules=(str(module),)))
    try:
        outcome = outcomes(pool, Candidate(0, SOFT, 1))[0]
    finally:
        pool.close()
    assert outcome.status is Status.COMPLETED, outcome.message


def searched(folder: Path, seed: str, module: str) -> Path:
    """A finished toy run of a seed that needs a module, both beside it."""
    (folder / "mine.dna").write_text(seed, encoding="utf-8")
    text = TOY.replace("search: {", "search: {seeds: [mine.dna], ")
    config = folder / "mine.yaml"
    config.write_text(f"{text}language: {{modules: [{module}]}}\n", encoding="utf-8")
    done = primeval("search", config, "--run-dir", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_a_search_with_a_module_runs_and_is_read(module: Path, tmp_path: Path) -> None:
    """The whole way: search, top, show, inject, resume, on programs with a user's primitive."""
    run = searched(tmp_path, SOFT, module.name)
    rows = json.loads(primeval("top", run, "-n", "0", "--json").stdout)
    assert len(rows) == 30
    for arguments, part in (
        (("show", f"{run}:0"), "c = SOFTPLUS a"),
        (("show", f"{run}:0", "--resolved"), "SOFTPLUS"),
        (("show", f"{run}:0", "--diff", "transformer"), "+   c = SOFTPLUS a"),
        (("show", f"{run}:29", "--diff", "parent"), "# difference to"),
        (("inject", run, tmp_path / "mine.dna"), "is injected"),
        (("report", run), "30 candidates"),
        (("resume", run, "--set", "budget.max_candidates=35"), "All 35 candidates"),
        (("replay", run), "all 35 individuals follow"),
    ):
        done = primeval(*arguments)
        assert done.returncode == 0, done.stderr
        assert part in done.stdout


@pytest.fixture(scope="module")
def without_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose module is gone."""
    folder = tmp_path_factory.mktemp("gone")
    module = write_module(folder / "mine.py", "ops.tanh(x)")
    run = searched(folder, MINE, module.name)
    module.unlink()
    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ("top", "RUN"),
        ("top", "RUN", "--json"),
        ("top", "RUN", "--ledger"),
        ("top", "RUN", "--confirmed"),
        ("lineage", "RUN:29"),
    ],
)
def test_rankings_need_no_module(
    arguments: tuple[str, ...], without_module: Path, capsys: Capture
) -> None:
    assert main([one.replace("RUN", str(without_module)) for one in arguments]) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert not printed.err


def test_a_program_is_shown_as_text_without_its_module(
    without_module: Path, capsys: Capture
) -> None:
    assert main(["show", f"{without_module}:0"]) == 0
    printed = capsys.readouterr()
    assert "# completed, loss " in printed.out
    assert "  c = MINE a\n" in printed.out
    assert printed.err.startswith("Costs and the graph are left out. The primitives of ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file. Put it there, or correct the path."),
        ("1 / 0", "this module could not be imported: ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "RUN:0", "--code"),
        ("show", "RUN:0", "--json"),
        ("show", "transformer", "--diff", "RUN:0"),
        ("report", "RUN", "-o", "OUT.html"),
        ("export", "RUN:0", "OUT.keras"),
        ("resume", "RUN", "--set", "budget.max_candidates=40"),
        ("replay", "RUN"),
        ("confirm", "RUN"),
        ("inject", "RUN", "transformer"),
    ],
)
def test_what_needs_programs_names_the_module_and_changes_nothing(
    arguments: tuple[str, ...],
    content: str | None,
    problem: str,
    without_module: Path,
    capsys: Capture,
    tmp_path: Path,
) -> None:
    module = without_module.parent / "mine.py"
    if content is not None:
        module.write_text(content, encoding="utf-8")
    store = without_module / "run.sqlite"
    events = _events(store)
    given = [one.replace("RUN", str(without_module)) for one in arguments]
    try:
        assert main([one.replace("OUT", str(tmp_path / "out")) for one in given]) == 2
    finally:
        module.unlink(missing_ok=True)
    (message,) = capsys.readouterr().err.splitlines()
    assert f"language.modules: {module}: {problem}" in message
    assert "The run needs the modules as they were." in message
    assert _events(store) == events
    assert not list(tmp_path.iterdir())


def _events(store: Path) -> object:
    import sqlite3

    with sqlite3.connect(store) as connection:
        tables = ("events", "injections", "individuals")
        return [connection.execute(f"SELECT count(*) FROM {one}").fetchall() for one in tables]


def test_a_broken_promise_stops_a_search_before_it_starts(tmp_path: Path) -> None:
    code = (
        "from primeval.primitives.user import Primitive, register\n"
        "def peek(x):\n    from keras import ops\n"
        "    return ops.flip(ops.cumsum(ops.flip(x, axis=-2), axis=-2), axis=-2)\n"
        "register(Primitive('PEEK', ('input1',), 'cumulative', ''), kernel=peek)\n"
    )
    (tmp_path / "peek.py").write_text(code, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(f"{TOY}language: {{modules: [peek.py]}}\n", "utf-8")
    done = primeval("search", "mine.yaml", "--run-dir", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert "PEEK breaks a promise" in done.stderr
    assert done.stderr.strip().splitlines()[-1] in GUIDE.read_text(encoding="utf-8")
    assert not (tmp_path / "run").exists()
