"""A language: what makes one, what it refuses, and that it changes nothing outside itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers.modules import documented_module, row, write_module
from helpers.toys import TOY

from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.primitives.language import Language, make_language
from primeval.primitives.primitive import Primitive
from primeval.primitives.user import PrimitiveError, register
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.algorithm.evolution import Search
from primeval.search.config.config import load_config, parse_config
from primeval.search.config.settings import SearchSettings
from primeval.search.drive.starting import check_seeds
from primeval.search.errors import ConfigError

TRANSFORMER = load_seed("transformer")


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
        Language().with_primitive(wrong, kernel=lambda x: x)


def test_a_primitive_is_added_to_a_new_language_and_to_no_other() -> None:
    before = Language()
    after = before.with_primitive(row(), kernel=abs, code="abs({a})")
    assert "MINE" in after.vocabulary
    assert "MINE" in after.drawn
    assert (after.vocabulary["MINE"].kernel, after.vocabulary["MINE"].code) == (abs, "abs({a})")
    assert "MINE" not in before.vocabulary
    assert len(PRIMITIVES) == 39


def test_registering_outside_of_a_load_says_what_to_do_instead() -> None:
    with pytest.raises(PrimitiveError, match=r"MINE: .*make_language\(\[MODULE\]\)"):
        register(row(), kernel=abs)


def test_reading_a_configuration_imports_nothing(tmp_path: Path) -> None:
    """Nor does it change the vocabulary: the module would create a file if it were run."""
    (tmp_path / "trap.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\n"
        "from primeval.primitives.user import Primitive, register\n"
        "register(Primitive('MINE', ('input1',), 'elementwise', ''), kernel=abs)\n",
        encoding="utf-8",
    )
    file = tmp_path / "trap.yaml"
    file.write_text(f"{TOY}language: {{modules: ['{tmp_path}/trap.py']}}", encoding="utf-8")
    config = load_config(str(file))
    assert not (tmp_path / "ran").exists()
    assert "MINE" in config.make_language().vocabulary
    assert (tmp_path / "ran").exists()
    assert "MINE" not in PRIMITIVES


def test_paths_of_modules_are_absolute_and_dotted_names_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = parse_config(f"{TOY}language: {{modules: [mine.py, some.package.ops]}}")
    assert config.language.modules == (str(tmp_path / "mine.py"), "some.package.ops")


def test_programs_are_read_without_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from primeval.primitives.language import make_language\n"
        f"words = make_language([{str(documented_module(tmp_path))!r}]).vocabulary\n"
        "from primeval.dna.graph import build_graph\n"
        "from primeval.dna.parsing import parse\n"
        "from primeval.dna.printing import format_program\n"
        "text = 'S0 main(a, b):\\n  c = SOFTPLUS a\\n  d = L2_NORM c\\n'\n"
        "p = parse(text, vocabulary=words)\n"
        "assert parse(format_program(p), vocabulary=words) == p\n"
        "print([node.op for node in build_graph(p).nodes])\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['INPUT', 'SOFTPLUS', 'L2_NORM']"


def test_a_module_is_imported_once_and_again_when_its_file_has_changed(tmp_path: Path) -> None:
    path = write_module(tmp_path / "mine.py", "ops.tanh(x)")
    first, again = make_language([str(path)]), make_language([str(path)])
    assert first.vocabulary is again.vocabulary
    write_module(path, "ops.tanh(x)", rule="rowwise")
    changed = make_language([str(path)]).vocabulary["MINE"]
    assert (first.vocabulary["MINE"].rule, changed.rule) == ("elementwise", "rowwise")


def test_a_dotted_name_works_even_if_its_module_was_imported_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module(tmp_path / "dotted_ops.py", "ops.tanh(x)")
    monkeypatch.syspath_prepend(str(tmp_path))
    one = make_language(["dotted_ops"]).vocabulary
    assert "dotted_ops" in sys.modules
    both = make_language(["dotted_ops"], ["ADD", "MINE"])
    assert both.vocabulary is one
    assert list(both.drawn) == ["ADD", "MINE"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1 / 0", "could not be imported: ZeroDivisionError"),
        ("x = 1", "registered no primitive"),
        ("def f(:", "could not be imported: SyntaxError"),
        (None, "there is no such file"),
    ],
)
def test_a_module_that_does_not_work_is_named(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    config = parse_config(f"{TOY}language: {{modules: ['{path}']}}")
    with pytest.raises(PrimitiveError, match=f"language.modules: .*broken.py: .*{problem}"):
        config.make_language()


def test_two_modules_of_one_run_cannot_share_a_name(tmp_path: Path) -> None:
    modules = [str(write_module(tmp_path / f"{at}.py", "ops.tanh(x)")) for at in range(2)]
    with pytest.raises(PrimitiveError, match=r"1\.py: A primitive called 'MINE' exists"):
        make_language(modules)


def test_an_unknown_primitive_is_named_with_the_nearest() -> None:
    config = parse_config(f"{TOY}language: {{primitives: [ADD, SQUAR]}}")
    with pytest.raises(PrimitiveError, match=r"language.primitives: .*SQUAR.*SQUARE"):
        config.make_language()


def test_programs_of_two_languages_differ_even_if_their_texts_are_equal(
    tmp_path: Path,
) -> None:
    """So no cache of programs can mix them up."""
    text = "S0 main(a, b):\n  c = MINE a\n"
    programs = [
        parse(text, vocabulary=make_language([str(module)]).vocabulary)
        for module in (
            write_module(tmp_path / "one.py", "ops.tanh(x)"),
            write_module(tmp_path / "other.py", "x", rule="rowwise"),
        )
    ]
    assert format_program(programs[0]) == format_program(programs[1])
    assert programs[0] != programs[1]
    rows = [build_graph(program).nodes[-1].primitive for program in programs]
    assert [found.rule for found in rows if found] == ["elementwise", "rowwise"]


def test_a_restricted_search_draws_what_is_listed() -> None:
    used = {str(line.op) for _, _, line in TRANSFORMER.instructions() if not line.is_call}
    drawn = make_language(primitives=[*used, "SQUARE"]).drawn
    search = Search(SearchSettings(), [TRANSFORMER], vocabulary=drawn)
    search.ask()
    operations = {
        line.op
        for _ in range(100)
        for _, _, line in search.ask().program().instructions()
        if not line.is_call
    }
    assert "SQUARE" in operations
    assert operations <= {*used, "SQUARE"}


def test_a_seed_outside_the_vocabulary_is_refused() -> None:
    config = parse_config(f"{TOY}language: {{primitives: [ADD, CONV_1X1]}}")
    with pytest.raises(ConfigError, match=r"transformer cannot start .*language\.primitives"):
        check_seeds(config, {"transformer": TRANSFORMER}, config.make_language())
