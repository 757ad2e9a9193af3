"""Terminal output: it fits any width, needs no colour, and works while a search runs."""

from __future__ import annotations

import os
import pty
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.strategies import SEEDS
from helpers.toys import begin

from primeval.dna.parsing import parse
from primeval.dna.writing.code_difference import code_difference
from primeval.dna.writing.facts import Facts
from primeval.evaluators.workers.factory import make_evaluator
from primeval.scripts import cli
from primeval.scripts.cli import main
from primeval.scripts.tables import terminal
from primeval.search.config.config import load_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive

Capture = pytest.CaptureFixture[str]
COLORED = "\x1b["


@pytest.fixture
def folder(toy_config: Callable[..., RunConfig]) -> Path:
    run, search = begin(toy_config("budget.max_candidates=25"))
    drive(run, search, make_evaluator(run.config.task(run.reference)))
    run.close()
    return run.folder


def test_top_and_show_start_quickly(folder: Path, tmp_path: Path) -> None:
    # compile the files once, as an installation does
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for command in (["top", str(folder)], ["show", f"{folder}:1", "--diff"]):
        taken = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run = [sys.executable, "-m", "primeval.scripts.cli", *command]
            subprocess.run(run, check=True, stdout=subprocess.DEVNULL, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert min(taken) < 0.4  # CPU seconds; as many on the clock if the machine is idle


def test_help_lists_every_command(capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, (_, line) in cli.COMMANDS.items():
        assert f" {name} {line}" in shown


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_its_arguments(capsys: Capture, name: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: primeval {name} ")
    assert len(shown.split("options:")[1].splitlines()) > 2  # more than --help


@pytest.mark.parametrize("command", ["top", "lineage", "show", "diff"])
def test_colour_is_on_demand_and_adds_no_text(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    arguments = {
        "top": ["top", str(folder)],
        "lineage": ["lineage", f"{folder}:24"],
        "show": ["show", f"{folder}:24"],
        "diff": ["show", f"{folder}:24", "--diff", "--code"],
    }[command]
    assert main(arguments) == 0
    plain = capsys.readouterr().out
    assert COLORED not in plain
    assert main([*arguments, "--color", "always"]) == 0
    colored = capsys.readouterr().out
    assert COLORED in colored
    assert re.sub(r"\x1b\[\d*m", "", colored) == plain


@pytest.mark.parametrize("columns", [40, 60, 80, 132])
@pytest.mark.parametrize("command", [["top", "-n", "25"], ["lineage"], ["top", "--ledger"]])
def test_tables_fit_the_terminal(
    folder: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    command: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    target = f"{folder}:24" if command == ["lineage"] else str(folder)
    assert main([command[0], target, *command[1:]]) == 0
    lines = capsys.readouterr().out.splitlines()
    header = next(at for at, line in enumerate(lines) if re.search(r"\b(id|tried)\b", line))
    table = [line for line in lines[header:] if "sum of the gains" not in line]
    if command == ["top", "--ledger"]:
        table = [line for line in table if line and "failed" not in line]
    assert max(map(len, table)) <= max(columns, 62 if "--ledger" in command else 46)


def test_a_narrow_table_loses_its_spare_columns_first(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "34")
    rows = [["1", "2.5000", "yes", "a rather long text that needs room"]]
    terminal.print_table(("id", "loss", "spare", "text"), rows, {"text"}, ("spare",))
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "loss", "text"]
    assert row == " 1 2.5000 a rather long text tha…"
    monkeypatch.setenv("COLUMNS", "100")
    terminal.print_table(("id", "loss", "spare", "text"), rows, {"text"}, ("spare",))
    assert "spare" in capsys.readouterr().out


def test_a_watched_ranking_is_redrawn_in_place(folder: Path) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "primeval.scripts.cli", "top", str(folder), "--watch"]
    environment = os.environ | {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    subprocess.run(command, stdout=slave, check=True, env=environment)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert shown.startswith("\x1b[H\x1b[2J")
    assert shown.endswith("\x1b[J")
    rows = re.findall(r"^ *\d+ +\d+ +\d\.\d{4} ", re.sub(r"\x1b\[[\dA-Z]*m?", "", shown), re.M)
    assert len(rows) == 18  # as many rows as the terminal has room for


# -- differences as code ------------------------------------------------------------------


def lines(old: str, new: str) -> dict[str, list[str]]:
    scale = load_config("quickstart").scale
    found = code_difference(Facts(SEEDS[old], scale), Facts(SEEDS[new], scale))
    return {sign: [line.text.strip() for line in found if line.sign == sign] for sign in "+-@"}


def test_the_code_of_an_edit_differs_where_the_program_does() -> None:
    assert lines("transformer", "squared_relu") == {
        "@": ["in s9_relu"],
        "-": ["return c"],
        "+": ["d = tf.math.square(c)", "return d"],
    }
    assert lines("transformer", "transformer") == {"@": [], "-": [], "+": []}


def test_an_inserted_line_renames_nothing_after_it() -> None:
    head = "width 4\nS0 main(a, b):\n c = ABS a\n"
    old = parse(f"{head} d = SQUARE c\n e = SIN d\n f = ADD e a\n")
    new = parse(f"{head} d = TANH c\n e = SQUARE d\n f = SIN e\n g = ADD f a\n")
    scale = load_config("quickstart").scale
    found = code_difference(Facts(old, scale), Facts(new, scale))
    changed = [(line.sign, line.text.strip()) for line in found if line.sign in "+-"]
    assert changed == [
        ("-", "d = tf.math.square(c)"),
        ("+", "g = tf.tanh(c)"),
        ("+", "d = tf.math.square(g)"),
    ]


def test_a_program_that_costs_more_is_compared_at_its_own_width() -> None:
    found = lines("transformer", "primer_ez")
    assert not [line for line in found["-"] if "weight(" in line]
    assert any("taps(" in line for line in found["+"])
