"""Users' primitives: registration, promises, restricted vocabularies, banks of other sizes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.places import DOCS
from helpers.toys import TOY, primeval

from primeval.dna.bank import with_bank
from primeval.dna.check import ProgramError
from primeval.dna.cost import Scale
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Status
from primeval.evaluators.settings import WorkerSettings
from primeval.primitives import user
from primeval.primitives.primitive import Primitive
from primeval.primitives.user import PrimitiveError, load_modules, register
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.algorithm.evolution import Search
from primeval.search.config.config import parse_config
from primeval.search.config.settings import LanguageSettings, SearchSettings
from primeval.search.drive.starting import check_seeds, load_seeds
from primeval.search.errors import ConfigError

GUIDE = DOCS / "primitives.md"
TRANSFORMER = load_seed("transformer")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """The example of the documentation."""
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    path = tmp_path / "my_primitives.py"
    path.write_text(code[1], encoding="utf-8")
    return path


def row(name: str = "MINE", rule: str = "elementwise", **fields: object) -> Primitive:
    values: dict[str, object] = {"reads": ("input1",), "maps_to": "", **fields}
    return Primitive(name, rule=rule, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (row("mine"), "capital letters"),
        (row("S1"), "capital letters"),
        (row("INPUT"), "capital letters"),
        (row("BRANCH_2_INPUT_1"), "capital letters"),
        (row("ADD"), "exists already"),
        (row(rule="convolution"), "has one of the rules elementwise"),
        (
            row(rule="reduction", reads=("input1", "input2")),
            r"reads input1 or input1\+constant",
        ),
        (row(reads=("input1", "dim")), "reads input1 or"),
    ],
)
def test_an_illegal_row_is_refused(wrong: Primitive, problem: str) -> None:
    with pytest.raises(PrimitiveError, match=problem):
        register(wrong, kernel=lambda x: x)


def test_a_registered_primitive_is_in_the_language_without_tensorflow(module: Path) -> None:
    code = (
        "import sys\n"
        "from primeval.primitives.user import load_modules\n"
        f"load_modules([{str(module)!r}])\n"
        "from primeval.dna.graph import build_graph\n"
        "from primeval.dna.parsing import parse\n"
        "from primeval.dna.printing import format_program\n"
        "p = parse('S0 main(a, b):\\n  c = SOFTPLUS a\\n  d = L2_NORM c\\n')\n"
        "assert parse(format_program(p)) == p\n"
        "print([node.op for node in build_graph(p).nodes])\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['INPUT', 'SOFTPLUS', 'L2_NORM']"


def test_a_module_is_imported_once(module: Path) -> None:
    load_modules([str(module)])
    load_modules([str(module)])
    assert "SOFTPLUS" in PRIMITIVES


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 / 0", "could not be imported: ZeroDivisionError"),
        ("x = 1", "registered no primitive"),
        (None, "there is no such file"),
    ],
)
def test_a_module_that_does_not_work_is_named(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"language.modules: .*broken.py: .*{problem}"):
        parse_config(f"{TOY}language: {{modules: ['{path}']}}")


def test_an_unknown_primitive_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"line 7: language.primitives: .*SQUAR.*SQUARE"):
        parse_config(f"{TOY}language: {{primitives: [ADD, SQUAR]}}")


def _peek(x):  # type: ignore[no-untyped-def]
    from keras import ops

    return ops.flip(ops.cumsum(ops.flip(x, axis=-2), axis=-2), axis=-2)


def _numpy(x):  # type: ignore[no-untyped-def]
    import numpy as np
    import tensorflow as tf

    return tf.constant(np.tanh(np.asarray(x)))


def _ops(call: Callable[..., object]) -> Callable[..., object]:
    """A kernel that gets `keras.ops` first."""

    def kernel(*arguments: object) -> object:
        from keras import ops

        return call(ops, *arguments)

    return kernel


@pytest.mark.tf
@pytest.mark.parametrize(
    ("primitive", "kernel", "promise"),
    [
        (row(rule="cumulative"), _peek, "no later position"),
        (row(), _ops(lambda ops, x: ops.softmax(x)), "entry at its place only"),
        (row(), _ops(lambda ops, x: ops.log(x)), "stays finite, and on zeros"),
        (row(), _ops(lambda ops, x: ops.exp(2 * x)), "stays finite, and on large numbers"),
        (row(), _ops(lambda ops, x: x[..., :1]), "its rule promises"),
        (row(rule="reduction"), _ops(lambda ops, x: ops.sum(x, axis=-1)), "its rule promises"),
        (row(rule="rowwise"), _ops(lambda ops, x: ops.cumsum(x, axis=-2)), "own position"),
        (row(zero_if=frozenset({"z"})), _ops(lambda ops, x: ops.cos(x)), "zero_if"),
        (
            row(reads=("input1", "input2"), commutative=True),
            _ops(lambda ops, x, y: x - y),
            "commutative",
        ),
        (row(), _numpy, "gradient"),
        (row(), _ops(lambda ops, x: ops.nonsense(x)), "its kernel fails: AttributeError"),
    ],
)
def test_a_broken_promise_is_named(
    primitive: Primitive, kernel: Callable[..., object], promise: str
) -> None:
    from primeval.primitives.promises import hold_all

    register(primitive, kernel=kernel)
    with pytest.raises(PrimitiveError, match=promise):
        hold_all()


@pytest.mark.tf
@pytest.mark.parametrize(
    ("name", "rule"),
    [("TANH", "elementwise"), ("SQUARE", "elementwise"), ("SIGN", "elementwise"),
     ("MAX", "elementwise"), ("MULTIPLY", "elementwise"), ("RED_SUM", "reduction"),
     ("RED_MAX", "reduction"), ("CUM_SUM", "cumulative")],
)  # fmt: skip
def test_built_in_primitives_keep_the_promises(name: str, rule: str) -> None:
    from primeval.primitives.kernels import PURE
    from primeval.primitives.promises import hold

    assert PRIMITIVES[name].rule == rule
    hold(PRIMITIVES[name], PURE[name])


@pytest.mark.tf
def test_the_documented_primitives_train_in_a_layer(module: Path) -> None:
    import numpy as np
    from helpers.blocks import LENGTH, assert_causal, make_block

    load_modules([str(module)])
    scores = "c = T_MAT_MUL a a\n d = L2_NORM c\n e = MAT_MUL d a"
    lines = f"{scores}\n f = SOFTPLUS e\n g = LEAKY f const1\n"
    graph = build_graph(parse(f"constants 0 2\nS0 main(a, b):\n {lines}"))
    block, width = make_block(graph)
    rng = np.random.default_rng(0)
    assert assert_causal(block, rng.normal(size=(2, LENGTH, width)).astype("float32"), rng)


def _soft_seed() -> str:
    seed = format_program(TRANSFORMER)
    return seed.replace("  c = MAX a const0\n", "  c = SOFTPLUS a\n  d = L2_NORM c\n")


@pytest.mark.tf
def test_the_documented_primitives_are_exported_as_stock_operations(
    module: Path, tmp_path: Path
) -> None:
    from primeval.evaluators.export.export import export_program

    load_modules([str(module)])
    folder = tmp_path / "out"
    folder.mkdir()
    scale = Scale(1, 16, 8, width=16)
    assert export_program(parse(_soft_seed()), scale, folder / "soft.keras").difference <= 1e-5


@pytest.mark.tf
@pytest.mark.ray
@pytest.mark.slow
def test_ray_workers_import_the_modules(module: Path, ray_session: None) -> None:
    from helpers.training import outcomes, task

    from primeval.evaluators.workers.ray_pool import RayEvaluator

    workers = WorkerSettings(count=1)
    pool = RayEvaluator(replace(task("steps", 4), workers=workers, modules=(str(module),)))
    try:
        outcome = outcomes(pool, Candidate(0, _soft_seed(), 1))[0]
    finally:
        pool.close()
    assert outcome.status is Status.COMPLETED, outcome.message


def test_a_search_with_a_module_runs_and_is_read(module: Path, tmp_path: Path) -> None:
    """The whole way: search, top, show, resume, on a program with a user's primitive."""
    (tmp_path / "soft.dna").write_text(_soft_seed(), encoding="utf-8")
    config = tmp_path / "mine.yaml"
    language = "language: {modules: [my_primitives.py]}\n"
    text = TOY.replace("search: {", "search: {seeds: [soft.dna], ")
    config.write_text(text + language, encoding="utf-8")
    done = primeval("search", config, "--run-dir", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(primeval("top", "run", "-n", "0", "--json", cwd=tmp_path).stdout)
    assert len(rows) == 30
    shown = primeval("show", "run:0", cwd=tmp_path)
    assert "c = SOFTPLUS a" in shown.stdout, shown.stderr
    resumed = primeval("resume", "run", "--set", "budget.max_candidates=35", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr


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


def test_a_restricted_search_draws_what_is_listed() -> None:
    used = {line.op for _, _, line in TRANSFORMER.instructions() if not line.is_call}
    vocabulary = user.restricted([*map(str, used), "SQUARE"])
    search = Search(SearchSettings(), [TRANSFORMER], vocabulary=vocabulary)
    search.ask()
    operations = {
        line.op
        for _ in range(100)
        for _, _, line in search.ask().program.instructions()
        if not line.is_call
    }
    assert operations <= {*used, "SQUARE"}


def test_a_seed_outside_the_vocabulary_is_refused() -> None:
    config = parse_config(f"{TOY}language: {{primitives: [ADD, CONV_1X1]}}")
    with pytest.raises(ConfigError, match=r"transformer cannot start .*language\.primitives"):
        check_seeds(config, {"transformer": TRANSFORMER})


def test_a_larger_bank_is_filled_up_and_means_the_same() -> None:
    program = with_bank(TRANSFORMER, 4, 8)
    assert program.bank.constants == (0.0, 0.125, 0.0, 0.0)
    assert program.bank.dims[6:] == (program.bank.width,) * 2
    assert build_graph(program).fingerprint == build_graph(TRANSFORMER).fingerprint
    assert parse(format_program(program)) == program


def test_a_smaller_bank_loses_what_nobody_reads() -> None:
    program = with_bank(TRANSFORMER, None, 4)
    assert len(program.bank.dims) == 4
    assert build_graph(program).fingerprint == build_graph(TRANSFORMER).fingerprint


def test_a_bank_too_small_for_a_seed_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"transformer cannot start .*reads const1"):
        load_seeds(["transformer"], LanguageSettings(constants=1))
