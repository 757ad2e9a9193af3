"""`primeval check`: what it prints about a configuration, its data and this machine."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.toys import TOY, begin

from primeval.dna.cost import Cost, measure
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.evaluators.workers import memory
from primeval.evaluators.workers.factory import make_evaluator
from primeval.scripts.cli import main
from primeval.scripts.tables.check import print_check
from primeval.search.config.config import load_config, parse_config
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.forecast.forecast import Measured, Pace, forecast
from primeval.search.forecast.rehearsal import Rehearsal

Capture = pytest.CaptureFixture[str]

TINY = """\
search: {population_size: 4, tournament_size: 2}
budget: {max_candidates: 100}
candidate: {budget: {steps: 30}, hurdles: 1}
model: {layers: 1, length: 8, width: 8}
training: {batch_size: 2, validation_batches: 2, warmup_steps: 2}
workers: {evaluator: local}
"""
PROSE = b"It is a truth universally acknowledged, that a paragraph must be in want.\n\n" * 40


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that trains in seconds, with its own folder and cache."""
    monkeypatch.setenv("PRIMEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return tmp_path / "tiny.yaml"


def as_json(capture: Capture, *arguments: object) -> Any:
    assert main(["check", *map(str, arguments), "--json"]) == 0
    return json.loads(capture.readouterr().out)


PACE = Pace(step=0.1, overhead=5.0, reference=2.0, validation=0.5, weights=30)
MEASURED = Measured(
    startup=10.0,
    workers=2,
    worker_memory=1_000,
    other_memory=500,
    tokens=70,
    rungs=(PACE,),
)


def test_the_forecast_of_a_toy_run_is_what_the_run_takes(
    config_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    ratios = []
    for attempt in range(3):  # other work may keep this machine busy for a while
        folder = tmp_path / f"run{attempt}"
        sets = ["--set", "budget.max_candidates=150", "--set", f"run_dir={folder}"]
        found = as_json(capsys, config_file, *sets)
        assert not folder.exists()
        config = parse_config(TOY, sets[1::2])
        run, search = begin(config)
        start = time.perf_counter()
        drive(run, search, make_evaluator(config.task(run.reference)))
        ratios.append((time.perf_counter() - start) / found["forecast"]["seconds"])
        run.close()
    assert any(1 / 2 < ratio < 2 for ratio in ratios), ratios
    size = (folder / "run.sqlite").stat().st_size
    assert size / 3 < found["forecast"]["store_bytes"] < size * 3


@pytest.mark.tf
def test_a_real_candidate_is_tried_and_nothing_is_left_of_it(
    tiny: Path, tmp_path: Path, capsys: Capture
) -> None:
    found = as_json(capsys, tiny)
    measured, foreseen = found["measured"], found["forecast"]
    (pace,), (rung,) = measured["rungs"], foreseen["rungs"]
    assert 0 < pace["step"] < 1
    assert pace["overhead"] > pace["step"]
    assert measured["worker_memory"] > 200e6
    assert measured["tokens"] > 3e6
    assert pace["weights"] > 1000
    assert foreseen["per_hour"] == pytest.approx(3600 / (0.8 * rung["mean"]))
    assert found["notes"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "tiny.yaml"]


def test_the_table_fits_a_screen_without_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    config = load_config("quickstart")
    costs = {"transformer": measure(build_graph(load_seed("transformer")), config.scale)}
    measured = replace(MEASURED, worker_memory=1_200_000_000, other_memory=500_000_000)
    on_rungs = list(costs.values())
    tried = Rehearsal((0.25,), 2, measured)
    foreseen = forecast(config, on_rungs, measured)
    print_check("quickstart", config, costs, on_rungs, (tried, foreseen))
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == "quickstart is valid. Tried with 2 candidates and 25% of their budget."
    assert (
        f"a full budget   {foreseen.rungs[0].full:.3g}s: 60s training, 1.5s validating, "
        in text
    )
    assert f"8m 00s, about {foreseen.candidates} candidates, when its time is up" in text
    assert "memory          2.7GB: 2 workers of 1.12GB, 477MB the rest" in lines
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert text.isascii()


def test_a_time_limit_below_a_full_budget_is_pointed_out(capsys: Capture) -> None:
    config = load_config("quickstart", ["candidate.timeout=30s"])
    cost = measure(build_graph(load_seed("transformer")), config.scale)
    tried = Rehearsal((0.25,), 2, MEASURED)
    tried_out = tried, forecast(config, [cost], MEASURED)
    print_check("quickstart", config, {"transformer": cost}, [cost], tried_out)
    assert "candidate.timeout is 30s: the best would be given up" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sets", "hurdle"),
    [
        (["candidate.hurdles=4"], "at step 19 of 600, and training.warmup_steps is 50"),
        (["candidate.hurdles=3"], "Train longer, or set candidate.hurdles to 2."),
        (["candidate.hurdles=2"], None),
        (["candidate.hurdles=2", "training.warmup_steps=250"], "candidate.hurdles to 0."),
        (["candidate.hurdles=0", "training.warmup_steps=250"], None),
        (["candidate.hurdles=4", "candidate.budget={tokens: 614400}"], "at step 19 of 600"),
        # how many steps that is, is not known yet
        (["candidate.hurdles=4", "candidate.budget={seconds: 4}"], None),
        (["candidate.hurdles=4", "workers.evaluator=toy"], None),
    ],
)
def test_hurdles_within_the_warm_up_are_pointed_out(
    sets: list[str], hurdle: str | None, capsys: Capture
) -> None:
    config = load_config("quickstart", sets)
    costs = {"transformer": measure(build_graph(load_seed("transformer")), config.scale)}
    print_check("quickstart", config, costs, list(costs.values()), None)
    text = capsys.readouterr().out
    assert ("The first hurdle is" in text) == (hurdle is not None)
    assert hurdle is None or hurdle in text


@pytest.mark.ray
@pytest.mark.slow
def test_workers_are_tried_together_and_their_memory_is_added_up(
    tiny: Path, capsys: Capture, ray_session: None
) -> None:
    found = as_json(capsys, tiny, "--set", "workers={evaluator: ray, count: 2}")
    measured = found["measured"]
    assert measured["startup"] > 0.5
    assert measured["worker_memory"] > 200e6
    expected = 2 * measured["worker_memory"] + measured["other_memory"]
    assert found["forecast"]["memory"] == expected


@pytest.mark.tf
def test_a_seed_that_cannot_be_trained_is_the_works_failure(
    tiny: Path, capsys: Capture
) -> None:
    wild = ["--set", "training={learning_rate: 1.0e+30, optimizer: sgd, gradient_clip: 0}"]
    assert main(["check", str(tiny), *wild]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "(diverged)" in captured.err
    assert "Lower training.learning_rate" in captured.err


def test_a_model_too_large_for_the_memory_is_refused_before_it_is_tried(
    tiny: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "gpu_count", lambda: 0)
    start = time.monotonic()
    assert main(["check", "paper_t5"]) == 2
    assert time.monotonic() - start < 10
    message = capsys.readouterr().err
    assert "paper_t5 is valid, but too large" in message
    assert "537,061,376 parameters" in message
    assert "--no-train" in message
    assert as_json(capsys, "paper_t5", "--no-train")["forecast"] is None


def test_counted_memory_grows_with_all_that_is_kept() -> None:
    def counted(**changes: Any) -> int:
        config: RunConfig = parse_config("model: {layers: 2, width: 64}")
        model = {key: changes.pop(key) for key in ("layers", "length") if key in changes}
        config = replace(config, model=replace(config.model, **model))
        cost: Cost = measure(build_graph(load_seed("transformer")), config.scale)
        training = replace(config.training, **changes)
        return memory.counted_memory(cost, config.scale, training) - memory.LIBRARIES

    small = counted()
    assert counted(batch_size=320) > 5 * small
    assert counted(layers=20) > 5 * small
    # attention scores grow with the square of the length
    assert counted(length=640) > 10 * small
    assert counted(batch_size=320, accumulation=10) == small
    assert small / 2 < counted(precision="mixed_bfloat16") < small


def test_free_memory_is_no_more_than_the_machine_has() -> None:
    assert 1e6 < memory.free_memory() < 1e15
    assert memory.peak_memory(1 << 30) == 0


@pytest.mark.parametrize("command", ["check", "search"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{files: [empty.txt]}", "empty.txt is empty"),
        ("{files: [line.txt]}", "too short to be split"),
        ("{files: [binary.txt]}", "is not text: byte 1 of it is zero"),
        ("{files: [binary.txt], tokenizer: sentencepiece, vocabulary: 600}", "is not text"),
        ("{files: [cut.gz]}", "is not a complete .gz file"),
        ("{files: [prose.gz]}", "is not a complete .gz file: Not a gzipped file"),
        ("{files: [prosee.txt]}", "Did you mean 'prose.txt' or 'prose.gz'"),
        ("{files: [.]}", "is a folder. Name the files in it"),
        ("{files: [prose.txt], tokenizer: sentencepiece, vocabulary: 6000}", "at most"),
        ("{files: [prose.txt], vocabulary: 300}", "bytes have 256 tokens"),
        ("{cache_dir: prose.txt}", "Set data.cache_dir"),
    ],
)
def test_the_command_reports_a_mistake_in_the_data_before_workers_start(
    tiny: Path, tmp_path: Path, capsys: Capture, command: str, data: str, message: str
) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "line.txt").write_bytes(b"hi\n")
    (tmp_path / "binary.txt").write_bytes(b"\1\0\2" * 999)
    (tmp_path / "prose.txt").write_bytes(PROSE)
    (tmp_path / "prose.gz").write_bytes(PROSE)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(PROSE)[:-9])
    sets = [f"data={data}", "workers.evaluator=ray", "run_dir=new"]
    arguments = [part for one in sets for part in ("--set", one)]
    assert main([command, str(tiny), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Starting" not in captured.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.batch_size=4000", "train split is too small: its 2,704 tokens are 337"),
        ("training.validation_batches=90", "validation split is too small: its 151 tokens"),
        ("model.length=2800", "0 windows of model.length 2,800"),
    ],
)
def test_text_too_short_for_the_batches_is_reported_before_workers_start(
    tiny: Path, tmp_path: Path, capsys: Capture, setting: str, message: str
) -> None:
    (tmp_path / "prose.txt").write_bytes(PROSE)
    sets = ["--set", "data={files: [prose.txt]}", "--set", setting]
    assert main(["search", str(tiny), *sets, "--set", "workers.evaluator=ray"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_files_are_looked_for_even_if_nothing_is_trained(tiny: Path, capsys: Capture) -> None:
    assert main(["check", str(tiny), "--no-train", "--set", "data={files: [no.txt]}"]) == 2
    assert "there is no" in capsys.readouterr().err


def test_a_run_can_be_read_where_its_text_is_not(
    tiny: Path, tmp_path: Path, capsys: Capture
) -> None:
    text = tmp_path / "prose.txt"
    text.write_bytes(PROSE)
    sets = ["data={files: [prose.txt]}", "workers.evaluator=toy", "budget.max_candidates=3"]
    arguments = [part for one in sets for part in ("--set", one)]
    assert main(["search", str(tiny), *arguments, "--run-dir", "run"]) == 0
    text.unlink()
    assert main(["top", "run"]) == 0
    assert "3 evaluated" in capsys.readouterr().out
