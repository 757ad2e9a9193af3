"""The command line and what it prints."""

from __future__ import annotations

import os
import pty
import re
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from helpers.commands import Capture, as_json, printed
from helpers.toys import primeval

from primeval.dna.library import seed_text
from primeval.dna.parsing import parse
from primeval.scripts.cli import main
from primeval.search.run.folder import open_run

HEADERS = ["rank", "id", "loss", "vs", "seed", "status", "steps", "params", "parent", "edit"]


def test_a_search_prints_a_line_per_candidate_and_ends_with_what_to_do_next(
    run_folder: Path,
) -> None:
    output = (run_folder.parent.parent / "output.txt").read_text()
    lines = output.splitlines()
    assert len([line for line in lines if re.match(r" ?\d+/30 ", line)]) == 30
    assert "All 30 candidates are evaluated." in output
    best = json_best(run_folder)
    for command in ("top", "report", "show", "lineage", "export", "resume"):
        assert f"  primeval {command} runs/small" in output
    assert f"primeval export runs/small:{best} winner.keras" in output
    assert f"#{best} against the seed:" in output


def json_best(run_folder: Path) -> int:
    return open_run(run_folder).store.ranked(1)[0]


def test_a_run_folder_holds_the_store_the_settings_and_the_seeds(run_folder: Path) -> None:
    names = {str(path.relative_to(run_folder)) for path in run_folder.rglob("*")}
    expected = {"run.sqlite", "config.yaml", "run.lock", "run.log", "seeds"}
    names -= {"run.sqlite-wal", "run.sqlite-shm"}  # exist while the store is being read
    assert names == {*expected, "seeds/transformer.dna"}
    seed = parse((run_folder / "seeds" / "transformer.dna").read_text())
    assert seed == parse(seed_text("transformer"))


def test_top_as_json_has_what_tools_need(run_folder: Path, capsys: Capture) -> None:
    rows = as_json(capsys, "top", run_folder, "-n", 0)
    assert len(rows) == 30
    wanted = (
        "id status fitness loss bits_per_byte parent edit parameters steps step_ms hurdle "
        "step_ratio fingerprint loss_vs_seed"
    )
    assert all(set(wanted.split()) <= set(row) for row in rows)
    fitnesses = [row["fitness"] for row in rows]
    assert fitnesses == sorted(fitnesses, reverse=True)
    (seed,) = [row for row in rows if row["parent"] is None]
    assert (seed["loss_vs_seed"], seed["edit"]) == (0, "seed transformer")
    assert all(100_000 <= row["parameters"] <= 140_000 for row in rows)


def test_stopped_individuals_are_compared_with_the_seed_where_they_stopped(
    run_folder: Path, capsys: Capture
) -> None:
    rows = as_json(capsys, "top", run_folder, "-n", 0)
    seed = next(row for row in rows if row["parent"] is None)
    stopped = [row for row in rows if row["status"] == "stopped"]
    assert stopped
    for row in stopped:
        at_the_hurdle = seed["curve"][row["hurdle"]]["loss"]
        assert row["loss_vs_seed"] == pytest.approx(row["loss"] - at_the_hurdle)


def test_top_is_readable_at_80_columns(
    run_folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = printed(capsys, "top", run_folder, "-n", 30)
    table, note = output.splitlines()[1:-1], output.splitlines()[-1]
    assert note.startswith("Noise: not known, as toy trains nothing.")
    assert len(note) <= 80
    assert len(table) == 31
    assert max(map(len, table)) <= 80
    assert table[0].split() == HEADERS


def test_top_cuts_no_text_in_a_pipe(
    run_folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = as_json(capsys, "top", run_folder)
    assert len(rows) == 30
    lines = printed(capsys, "top", run_folder).splitlines()[2:-1]
    assert [line.endswith(row["edit"]) for line, row in zip(lines, rows, strict=False)] == [
        True
    ] * 10


def test_a_store_may_be_named_by_its_file(run_folder: Path, capsys: Capture) -> None:
    assert printed(capsys, "top", run_folder / "run.sqlite") == printed(
        capsys, "top", run_folder
    )


def test_show_prints_a_program_that_can_be_read_again(
    run_folder: Path, capsys: Capture
) -> None:
    best = json_best(run_folder)
    text = printed(capsys, "show", f"{run_folder}:{best}")
    individual = open_run(run_folder).store.individual(best)
    assert individual is not None
    assert parse(text) == individual.program()
    assert "parameters" in text


def test_diff_is_against_the_seed_the_parent_or_anything(
    run_folder: Path, capsys: Capture
) -> None:
    best = f"{run_folder}:{json_best(run_folder)}"
    against_seed = printed(capsys, "show", best, "--diff")
    assert "difference to its seed" in against_seed
    assert re.search(r"^[+-] ", against_seed, re.MULTILINE)
    assert "\x1b[" not in against_seed
    assert f"difference to {run_folder}:" in printed(capsys, "show", best, "--diff", "parent")
    assert (
        against_seed.splitlines()[6:]
        == (printed(capsys, "show", best, "--diff", "transformer").splitlines()[6:])
    )
    assert "# none" in printed(capsys, "show", "transformer", "--diff")


def test_a_difference_is_coloured_only_on_demand(run_folder: Path, capsys: Capture) -> None:
    best = f"{run_folder}:{json_best(run_folder)}"
    colored = printed(capsys, "show", best, "--diff", "--color", "always")
    assert re.search(r"^\x1b\[3[12]m[+-] .*\x1b\[0m$", colored, re.MULTILINE)


def test_show_as_json_has_costs_instructions_and_differences(
    run_folder: Path, capsys: Capture
) -> None:
    best = f"{run_folder}:{json_best(run_folder)}"
    data = as_json(capsys, "show", best, "--resolved", "--diff", "parent")
    assert data["parameters"] == data["individual"]["parameters"]
    assert data["instructions"][0]["op"] == "INPUT_1"
    assert {line["sign"] for line in data["diff"]["lines"]} <= set(" +-@")
    assert as_json(capsys, "show", "transformer")["parameters"] is None
    at_scale = as_json(capsys, "show", "transformer", "--config", "paper_lm1b")
    assert (at_scale["unit"], at_scale["model_width"]) == (128, 512)


def test_show_resolved_is_a_table(capsys: Capture) -> None:
    lines = printed(capsys, "show", "transformer", "--resolved").splitlines()
    assert any(line.split()[:2] == ["0", "INPUT_1"] for line in lines)


def test_a_program_without_a_meaning_is_shown_with_the_reason(
    tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "scores.dna"
    path.write_text("width 4\n\nS0 main(a, b):\n  c = T_MAT_MUL a b\n")
    assert "has no meaning" in printed(capsys, "show", path)


def test_lineage_goes_from_the_seed_to_the_individual(
    run_folder: Path, capsys: Capture
) -> None:
    best = json_best(run_folder)
    rows = as_json(capsys, "lineage", f"{run_folder}:{best}")
    assert rows[0]["parent"] is None
    assert rows[-1]["id"] == best
    assert all(after["parent"] == before["id"] for before, after in pairwise(rows))
    assert printed(capsys, "lineage", f"{run_folder}:{best}").count("\n") == len(rows) + 4


def test_built_in_programs_and_primitives_are_listed(capsys: Capture) -> None:
    assert as_json(capsys, "seeds")[0]["name"] == "transformer"
    assert len(as_json(capsys, "primitives")) == 39
    assert "transformer" in printed(capsys, "seeds")
    assert "DCONV_3X1" in printed(capsys, "primitives")


def test_check_counts_the_seed_and_writes_nothing(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Nothing was trained" in printed(capsys, "check", "quickstart", "--no-train")
    (row,) = as_json(capsys, "check", "quickstart", "--no-train")["seeds"]
    assert (row["width"], row["parameters"]) == (64, 86_720)
    assert list(tmp_path.iterdir()) == []


def test_resume_extends_the_budget(run_folder: Path) -> None:
    again = primeval("resume", run_folder)
    assert again.returncode == 0
    assert "All 30 candidates" in again.stdout
    more = primeval("resume", run_folder, "--set", "budget.max_candidates=32")
    assert more.returncode == 0, more.stderr
    assert "30 evaluated already" in more.stdout
    assert open_run(run_folder).store.told() == 32
    assert "max_candidates: 32" in (run_folder / "config.yaml").read_text()
    replayed = primeval("replay", run_folder)
    assert "all 32 individuals follow" in replayed.stdout
    assert re.search(r"^[0-9a-f]{64}$", replayed.stdout, re.MULTILINE), "the population"


def test_a_run_that_cannot_be_derived_again_continues_only_with_unverified(
    config_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert primeval("search", config_file, "--run-dir", run).returncode == 0
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute("UPDATE individuals SET seed = 4 WHERE id = 20")
    more = ["--set", "budget.max_candidates=31"]
    refused = primeval("resume", run, *more)
    assert refused.returncode == 1
    assert "Individual 20 does not follow" in refused.stderr
    assert f"primeval resume {run} --unverified" in refused.stderr
    assert primeval("resume", run, "--unverified").returncode == 0
    assert open_run(run).store.told() == 31


def test_a_pipe_that_is_closed_early_is_no_error(run_folder: Path) -> None:
    command = f"{sys.executable} -m primeval.scripts.cli primitives | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr


def test_version_and_help_exit_with_success(capsys: Capture) -> None:
    for flag, text in (("--version", "primeval 0"), ("--help", "search")):
        with pytest.raises(SystemExit, match="0"):
            main([flag])
        assert text in capsys.readouterr().out


def test_on_a_terminal_a_search_draws_a_picture(config_file: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "primeval.scripts.cli", "search", str(config_file)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        [*command, "--run-dir", str(tmp_path / "run")],
        stdout=slave,
        stderr=slave,
        env=environment,
    )
    os.close(slave)
    output = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # the process closed the other end
            break
        if not chunk:
            break
        output += chunk
    os.close(master)
    assert process.wait(timeout=20) == 0
    text = output.decode(errors="replace")
    assert "best so far: #" in text
    assert "/30 candidates" in text
    assert "an hour" in text
    assert "primeval lineage" in text
