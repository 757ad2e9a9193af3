"""`primeval confirm`: what it prints and refuses, and that its training is real."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import as_json, printed, refused
from helpers.toys import TOY, primeval

from primeval.dna.library import load_seed
from primeval.evaluators.evaluator import Candidate
from primeval.evaluators.outcome import Outcome
from primeval.evaluators.workers.factory import make_evaluator
from primeval.scripts.cli import main
from primeval.search.config.config import parse_config
from primeval.search.confirm.training import confirming_task, entry_of
from primeval.search.run.folder import open_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished toy search that the commands themselves made and confirmed."""
    folder = tmp_path_factory.mktemp("confirm")
    (folder / "small.yaml").write_text(TOY, encoding="utf-8")
    assert primeval("search", "small.yaml", cwd=folder).returncode == 0
    done = primeval("confirm", "runs/small", "--top", 2, "--seeds", 2, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "output.txt").write_text(done.stdout, encoding="utf-8")
    (folder / "progress.txt").write_text(done.stderr, encoding="utf-8")
    return folder / "runs" / "small"


BASELINES = {"transformer", "squared_relu", "mdha", "primer_ez"}  # they fit the toy scale


def test_a_confirmation_shows_progress_and_ends_with_a_table(
    toy_run: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = (toy_run.parent.parent / "progress.txt").read_text()
    assert len(re.findall(r"^ ?\d+/\d+ .* completed ", progress, re.MULTILINE)) >= 12
    monkeypatch.setenv("COLUMNS", "80")
    shown = printed(capsys, "confirm", toy_run, "--top", 2, "--seeds", 2)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split()[:4] == ["rank", "loss", "bits", "sd"]
    names = {line.split()[-1] for line in lines[3:]}
    assert names >= BASELINES
    assert sum(name.startswith("#") for name in names) == 2
    assert "Starting" not in capsys.readouterr().err


def test_confirm_as_json_has_what_tools_need(toy_run: Path, capsys: Capture) -> None:
    data = as_json(capsys, "confirm", toy_run, "--top", 2, "--seeds", 2)
    assert (data["split"], data["seeds"], data["finished"]) == ("test", 2, True)
    wanted = "name id loss bits_per_byte deviation loss_vs_seed interval pairs seeds failures "
    wanted += "steps step_ratio parameters search_loss search_loss_vs_seed reference runs"
    assert all(set(wanted.split()) <= set(row) for row in data["programs"])
    losses = [row["loss"] for row in data["programs"]]
    assert losses == sorted(losses)
    assert [row["name"] for row in data["programs"] if row["reference"]] == ["transformer"]
    rows = as_json(capsys, "top", toy_run)
    assert len([row for row in rows if row["confirmed"]]) == 3  # the two best and the seed


def test_a_document_holds_the_table_and_what_made_it(
    toy_run: Path, capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / "table.md"
    printed(capsys, "confirm", toy_run, "--top", 2, "--seeds", 2, "--markdown", path)
    text = path.read_text()
    assert f"primeval confirm {toy_run} --top 2 --seeds 2 --markdown {path}" in text
    assert re.search(r"made with: primeval \d.* CPUs: \d", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.count("|") for line in rows}) == 1
    assert len(rows) == 2 + 2 + 4 + ("transformer_pp" in text)


def test_programs_are_confirmed_without_a_search(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "small.yaml").write_text(TOY, encoding="utf-8")
    folder = tmp_path / "there"
    command = ["confirm", tmp_path / "small.yaml", "--run-dir", folder, "--seeds", 3]
    programs = ["--programs", "squared_relu,primer"]
    data = as_json(capsys, *command, *programs)
    names = [row["name"] for row in data["programs"]]
    assert sorted(names) == ["primer", "squared_relu", "transformer"]
    assert open_run(folder).store.asked() == 0
    assert "primer" in printed(capsys, "top", folder)
    count = len(list(open_run(folder).store.confirmations()))
    assert as_json(capsys, *command, *programs) == data
    assert len(list(open_run(folder).store.confirmations())) == count == 9
    other = refused(capsys, *command, "--set", "model.layers=3")
    assert "cannot continue with another model.layers" in other
    assert "--run-dir" in other


MISTAKES = [
    (["RUNX"], "Did you mean"),
    (["tyo"], "Did you mean 'toy'?"),
    (["RUN", "--seeds", "0"], "--seeds is a number from 1"),
    (["RUN", "--top", "-1"], "Received: '-1'"),
    (["RUN", "--programs", "primr"], "Did you mean 'primer'"),
    (["RUN", "--programs", "99999"], "has no individual 99999"),
    (["RUN", "--set", "model.layers=5"], "cannot continue with another model.layers"),
    (["RUN", "--run-dir", "NEW"], "Leave --run-dir out"),
    (["RUN", "--markdown", "NEW/none/table.md"], "--markdown is a file in a folder"),
    (["CONFIG", "--top", "3"], "--top is about the individuals of a run"),
    (["CONFIG", "--run-dir", "NEW", "--programs", "nothing.dna"], "no program file"),
    (["CONFIG", "--run-dir", "NEW", "--set", "sedd=1"], "Did you mean 'seed'?"),
    (
        ["CONFIG", "--run-dir", "NEW", "--set", "model.parameters=[1, 2]"],
        "cannot be trained at this scale",
    ),
    (["CONFIG", "--run-dir", "/proc/none/run"], "The run folder /proc/none/run"),
]


def files(folder: Path) -> list[Path]:
    """All files but those that SQLite keeps while a store is being read."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix[-4:] not in ("-wal", "-shm")
    )


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_clear_message_and_changes_nothing(
    toy_run: Path, capsys: Capture, tmp_path: Path, arguments: list[str], message: str
) -> None:
    root = toy_run.parent.parent
    words = {"RUN": toy_run, "RUNX": f"{toy_run}x", "CONFIG": root / "small.yaml"}
    words["NEW"] = tmp_path / "new"
    filled = [str(words.get(word, word)).replace("NEW/", f"{tmp_path}/") for word in arguments]
    before, count = files(root), len(list(open_run(toy_run).store.confirmations()))
    assert message in refused(capsys, "confirm", *filled)
    assert files(root) == before
    assert not list(tmp_path.iterdir())
    assert len(list(open_run(toy_run).store.confirmations())) == count


# -- real training ------------------------------------------------------------------------

TINY = """\
search: {population_size: 2, tournament_size: 2}
budget: {max_candidates: 2}
candidate: {budget: {steps: 15}, hurdles: 2, timeout: 600, replicates: 1}
model: {layers: 1, length: 16, width: 16}
training: {batch_size: 4, validation_batches: 2, jit: false, warmup_steps: 4}
workers: {evaluator: local, threads: 1}
keep_weights: 0
"""


@pytest.mark.tf
@pytest.mark.slow
def test_real_programs_are_confirmed_on_the_test_split_with_fresh_seeds(
    tmp_path: Path, capsys: Capture
) -> None:
    from primeval.evaluators.training.trial import evaluate
    from primeval.evaluators.training.workbench import Workbench

    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    folder = tmp_path / "run"
    assert main(["search", str(tmp_path / "tiny.yaml"), "--run-dir", str(folder)]) == 0
    command = ["confirm", folder, "--top", 1, "--seeds", 2, "--programs", "transformer"]
    capsys.readouterr()
    data = as_json(capsys, *command)
    assert [row["seeds"] for row in data["programs"]] == [2, 2]
    assert [row["pairs"] for row in data["programs"] if not row["reference"]] == [2]

    run = open_run(folder)
    held = list(run.store.confirmations())
    # each trained with the whole budget
    assert all(len(one.outcome.curve) == 3 for one in held)
    own = {individual.seed for individual in run.store.individuals()} | {run.config.seed}
    assert not own & {seed for one in held for seed in (one.weight_seed, one.data_seed)}
    assert len({(one.seed, one.weight_seed, one.data_seed) for one in held}) == 2
    assert len({one.outcome.loss for one in held}) == 4

    # train again with the same seeds, and evaluate on each split
    one, task = held[0], replace(run.config.task(run.reference), seed=held[0].data_seed)
    candidate = Candidate(0, one.text, one.weight_seed)
    on_test, on_validation = (
        evaluate(Workbench(replace(task, split=split)), candidate)
        for split in ("test", "validation")
    )
    assert on_test.loss == one.outcome.loss != on_validation.loss

    assert as_json(capsys, *command) == data  # and nothing is trained again
    assert len(list(open_run(folder).store.confirmations())) == len(held)


@pytest.mark.tf
@pytest.mark.ray
@pytest.mark.slow
def test_workers_and_this_process_confirm_alike(ray_session: None) -> None:
    config: Any = parse_config(TINY, ["run_dir=none"])
    text = entry_of("transformer", load_seed("transformer"), config).text
    found: dict[str, list[float | None]] = {}
    for kind in ("local", "ray"):
        workers = replace(config.workers, evaluator=kind)
        task = confirming_task(replace(config, workers=workers), text, 1)
        evaluator = make_evaluator(task)
        for data_seed in (None, 5, 6, 5):
            evaluator.submit(Candidate(0, text, 1, data_seed=data_seed))
            results: list[tuple[int, Outcome]] = []
            while not results:
                results = evaluator.wait(30)
            found.setdefault(kind, []).append(results[0][1].loss)
        evaluator.close()
    assert found["local"] == found["ray"]
    assert len(set(found["ray"])) == 3
    assert found["ray"][1] == found["ray"][3]
    assert json.dumps(found)  # all losses are plain numbers


@pytest.mark.tf
def test_recall_is_confirmed_with_an_accuracy_in_place_of_bits(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PRIMEVAL_CACHE", str(tmp_path / "cache"))
    sets = ["workers.evaluator=local", "candidate.budget.steps=2", "training.jit=false"]
    sets += ["model.width=16", "training.batch_size=4", "data.recall.examples=999"]
    sets = [word for one in sets for word in ("--set", one)]
    command = ["confirm", "recall", "--run-dir", tmp_path / "run", "--seeds", 1, *sets]
    shown = printed(capsys, *command, "--programs", "transformer").splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[0].startswith("Test loss in nats per token, and accuracy: means over")
    assert shown[2].split()[:4] == ["rank", "loss", "accuracy", "sd"]
    (row,) = as_json(capsys, *command, "--programs", "transformer")["programs"]
    assert (row["bits_per_byte"], row["runs"][0]["bits_per_byte"]) == (None, None)
    assert row["accuracy"] == row["runs"][0]["accuracy"]
    assert shown[3].split()[2] == f"{row['accuracy']:.3f}"
