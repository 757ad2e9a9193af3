"""Each mistake of a user gets one clear message and exit status 2, and changes nothing."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from helpers.commands import Capture, refused
from helpers.toys import primeval

from primeval.search.run.folder import open_run

RECALL = ("--set", "data.source=recall")
MISTAKES = [
    (["serch", "toy"], "Did you mean 'search'?"),
    (["search", "quikstart"], "Did you mean 'quickstart'?"),
    (["search", "CONFIG", "--set", "sedd=3"], "Did you mean 'seed'?"),
    (["search", "CONFIG", "--set", "search.seeds=[transfomer]"], "Did you mean 'transformer'"),
    (["search", "CONFIG", "--set", "search.seeds=[none.dna]"], "no program file"),
    (["search", "CONFIG", "--set", "search.seeds=[transformer, transformer]"], "mean the same"),
    (["search", "CONFIG", "--set", "model.width=63"], "cannot be trained at this scale"),
    (
        ["search", "CONFIG", "--run-dir", "RUN"],
        "holds a run already. To continue it: primeval",
    ),
    (["search", "CONFIG", "--run-dir", "/proc/none/run"], "The run folder /proc/none/run"),
    (["search", "CONFIG", "--run-dir", "CONFIG"], "is not a folder"),
    (["resume", "RUNS/smal"], "Did you mean"),
    (["resume", "RUN", "--set", "seed=9"], "cannot continue with another seed"),
    (["resume", "RUN", "--set", "budget.max_candidate=9"], "Did you mean 'max_candidates'?"),
    (["top", "RUNS"], "holds no run"),
    (["top", "RUNS/smal"], "Did you mean"),
    (["top", "RUN", "-n", "many"], "Received: 'many'"),
    (["show", "transfomer"], "Did you mean 'transformer'"),
    (["show", "RUN:99999"], "has no individual 99999: it has 0 to"),
    (["show", "RUN:best"], "Received:"),
    (["show", "RUNS/smal:3"], "Did you mean"),
    (["show", "RUN:0", "--diff", "parent"], "is a seed: it has no parent"),
    (["show", "transformer", "--diff", "parent"], "Only an individual of a run"),
    (["show", "transformer", "--config", "quik"], "There is no configuration"),
    (["show", "BROKEN"], "line 4"),
    (["lineage", "RUN"], "An individual is written RUN:ID"),
    (["lineage", "transformer"], "An individual is written RUN:ID"),
    (["check", "CONFIG", "--set", "model.parameters=[1, 2]"], "cannot be trained"),
    (["search", "CONFIG", "--set", "data.source=recal"], "Did you mean 'recall'?"),
    (["check", "CONFIG", *RECALL, "--set", "data.recall.pair=3"], "Did you mean 'pairs'?"),
    (["check", "CONFIG", *RECALL, "--set", "data.recall.pairs=99"], "take 395 tokens"),
    (["check", "CONFIG", *RECALL, "--set", "data.vocabulary=9"], "least 17 tokens"),
    (
        ["check", "CONFIG", *RECALL, "--set", "data.tokenizer=a.model"],
        "tokenizer is about text",
    ),
    (["check", "CONFIG", *RECALL, "--set", "model.length=30"], "31 tokens, and model.length"),
    (["check", "CONFIG", *RECALL, "--set", "data.recall.queries=9"], "8 pairs. Received: 9"),
    (["check", "CONFIG", "--set", "data.recall.pairs=9"], "is the task of data.source recall"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_clear_message_and_changes_nothing(
    run_folder: Path, capsys: Capture, tmp_path: Path, arguments: list[str], message: str
) -> None:
    config = run_folder.parent.parent / "small.yaml"
    broken = tmp_path / "broken.dna"
    broken.write_text("width 4\n\nS0 main(a, b):\n  c = ADD a z\n")
    words = {"CONFIG": config, "RUNS": run_folder.parent, "RUN": run_folder, "BROKEN": broken}
    filled = arguments
    for word, path in words.items():
        pattern = re.compile(rf"^{word}(?=$|[:/])")
        filled = [pattern.sub(str(path), argument) for argument in filled]
    if filled[0] in ("search", "check") and "--run-dir" not in filled:
        filled = [*filled, "--set", f"run_dir={tmp_path / 'new'}"]
    events = len(open_run(run_folder).store.events())
    before = sorted(run_folder.parent.parent.rglob("*"))
    assert message in refused(capsys, *filled)
    assert sorted(run_folder.parent.parent.rglob("*")) == before
    assert not (tmp_path / "new").exists()
    assert len(open_run(run_folder).store.events()) == events


def test_a_damaged_store_is_one_clear_message(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "run.sqlite").write_bytes(b"not a database" * 99)
    for command in ("top", "resume"):
        result = primeval(command, folder)
        assert result.returncode == 2
        assert "cannot be read as a run store" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "damage", ["DELETE FROM meta", "UPDATE outcomes SET outcome = 'nonsense'"]
)
def test_a_damaged_row_is_one_clear_message(
    damage: str, run_folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(run_folder, folder)
    connection = sqlite3.connect(folder / "run.sqlite")
    connection.execute(damage)
    connection.commit()
    connection.close()
    for command in (("report", folder), ("resume", folder), ("lineage", f"{folder}:1")):
        said = refused(capsys, *command)
        assert "run.sqlite cannot be read as a run store: a row is damaged" in said


def test_a_folder_is_no_program(run_folder: Path, capsys: Capture) -> None:
    assert f"is written RUN:ID, as in {run_folder}:17" in refused(capsys, "show", run_folder)
