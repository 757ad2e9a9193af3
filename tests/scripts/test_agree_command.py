"""`primeval agree`: what it compares, shows and refuses, and that its training is real."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest
from helpers.commands import as_json, printed, refused
from helpers.toys import TOY

from primeval.dna.library import built_in_names, load_seed, panel_names, seed_names
from primeval.evaluators.outcome import Outcome, Status
from primeval.scripts.cli import main
from primeval.scripts.drawing.scatter import draw_scatter
from primeval.scripts.tables.agreement import print_agreement
from primeval.search.confirm.figures import Confirmed
from primeval.search.run.folder import open_run
from primeval.search.views.agreement import Agreement, Side, agreement

Capture = pytest.CaptureFixture[str]

LARGER = TOY.replace("steps: 31", "steps: 62").replace("model: {", "model: {layers: 4, ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two configurations of the toy evaluator."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(TOY, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(LARGER, encoding="utf-8")
    return tmp_path


def trained(folder: Path, name: str) -> int:
    return len(list(open_run(folder / "runs" / f"confirm-{name}").store.confirmations()))


def test_the_panel_is_ranked_and_nothing_is_trained_twice(
    folder: Path, capsys: Capture
) -> None:
    as_json(capsys, "confirm", "a.yaml", "--programs", "tanh,mdha", "--seeds", 1)
    data = as_json(capsys, "agree", "a.yaml", "b.yaml")
    names = {one["name"] for one in data["programs"]}
    assert names < set(built_in_names())  # some do not fit these scales
    assert len(names) > 15
    assert (data["seeds"], data["finished"]) == (2, True)
    assert data["spearman"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert set(data["kendall"]) == {"value", "low", "high"}
    assert [data[side]["configuration"] for side in "ab"] == ["a.yaml", "b.yaml"]
    assert data["a"]["trainings"] == 2 * len(names) == trained(folder, "a")
    first = data["programs"][0]
    assert first["name"] == "transformer"
    assert first["a"]["losses"] == [first["a"]["loss"]] * 2
    assert as_json(capsys, "agree", "a.yaml", "b.yaml") == data
    assert trained(folder, "a") == trained(folder, "b") == 2 * len(names)


def test_what_does_not_fit_one_scale_is_left_out_and_said(
    folder: Path, capsys: Capture
) -> None:
    one = ["agree", "a.yaml", "b.yaml", "--programs", "tanh,local,mdha", "--json"]
    assert main(one) == 0
    said = capsys.readouterr()
    names = [one["name"] for one in json.loads(said.out)["programs"]]
    assert names == ["transformer", "tanh", "mdha"]
    assert "local is left out, as it does not fit b.yaml" in said.err


def test_panel_programs_have_names_everywhere(folder: Path, capsys: Capture) -> None:
    assert "difference to transformer" in printed(capsys, "show", "tanh", "--diff")
    search = ["search.seeds=[transformer, local]", "budget.max_candidates=3"]
    printed(capsys, "search", "a.yaml", *(word for one in search for word in ("--set", one)))
    assert list(open_run(folder / "runs" / "a").store.seeds) == ["transformer", "local"]


MISTAKES = [
    (["a.yaml", "a.yaml"], "a.yaml and a.yaml train alike"),
    (["a.yaml", "none.yaml"], "There is no configuration"),
    (["a.yaml", "b.yaml", "--programs", "tanh"], "A ranking takes 3 programs or more"),
    (["a.yaml", "b.yaml", "--programs", "tahn,mdha"], "Did you mean 'tanh'"),
    (["a.yaml", "b.yaml", "--seeds", "0"], "--seeds is a number from 1"),
    (["a.yaml", "b.yaml", "--figure", "none/x.svg"], "--figure is a file in a folder"),
    (["a.yaml", "b.yaml", "--figure", "x.pdf"], "ends in .svg or .png"),
    (["a.yaml", "b.yaml", "--set", "run_dir=x"], "would both keep their results in"),
    (["a.yaml", "c/a.yaml"], "would both keep their results in"),
    (["a.yaml", "d.yaml"], "Give both the same one"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_clear_message_and_changes_nothing(
    folder: Path, capsys: Capture, arguments: list[str], message: str
) -> None:
    (folder / "c").mkdir()
    (folder / "c" / "a.yaml").write_text(LARGER, encoding="utf-8")
    other = LARGER.replace("search: {", "search: {seeds: [primer], ")
    (folder / "d.yaml").write_text(other, encoding="utf-8")
    before = sorted(folder.rglob("*"))
    assert message in refused(capsys, "agree", *arguments)
    assert sorted(folder.rglob("*")) == before


# -- what is shown ------------------------------------------------------------------------


def made_up() -> Agreement:
    """`worst` fails under B; `local` is best under A and worst of the others under B."""
    losses = {
        "transformer": (2.0, 1.5),
        "good & <better>": (1.9, 1.4),
        "local": (1.5, 2.0),
        "worst": (2.5, math.inf),
    }
    sides = []
    for at, name in enumerate(("small", "large@2")):
        programs = []
        for program, both in losses.items():
            outcomes = {
                seed: Outcome(
                    Status.COMPLETED if math.isfinite(both[at]) else Status.DIVERGED,
                    loss=both[at] + 0.001 * seed if math.isfinite(both[at]) else None,
                    seconds={"train": 60.0 * (1 + 3 * at)},
                )
                for seed in range(3)
            }
            programs.append(Confirmed(program, program, outcomes))
        sides.append(Side(name, f"runs/confirm-{name}", programs, 3))
    return agreement(*sides)


def test_the_table_tells_ranks_failures_costs_and_changed_pairs(capsys: Capture) -> None:
    found = made_up()
    print_agreement(found)
    said = capsys.readouterr().out
    assert "large@2 (runs/confirm-large@2), 4m 00s of workers a training" in said
    assert "4 times A" in said
    assert "Failed under B, and so last in a tie: 1 (worst)." in said
    assert "3 differ beyond noise under both: 1 in the same order, 2 in the other" in said
    assert "local, ahead under A and behind under B: transformer, good & <better>" in said
    rows = [line.split() for line in said.splitlines() if line.endswith(("local", "worst"))]
    assert [row[:2] for row in rows] == [["1", "3"], ["4", "4"]]
    assert rows[1][3] == "failed"
    data = found.as_json()
    assert data["pairs"]["changed"][0]["better_under_a"] == "local"
    assert data["programs"][3]["b"]["losses"] == [None] * 3
    assert found.spearman.value == pytest.approx(0.4)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_figure_is_a_valid_picture_with_all_names(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"figure.{kind}"
    draw_scatter(made_up(), path)
    if kind == "png":
        assert path.read_bytes().startswith(b"\x89PNG")
        return
    texts = {one.text for one in ElementTree.parse(path).iter() if one.tag.endswith("text")}
    assert {"transformer", "good & <better>", "local"} <= texts
    assert "worst" not in texts
    assert any("not shown, as they failed: 1" in (text or "") for text in texts)
    assert sum("nats per token" in (text or "") for text in texts) == 2
    again = tmp_path / "again.svg"
    draw_scatter(made_up(), again)
    assert again.read_bytes() == path.read_bytes()


# -- real training ------------------------------------------------------------------------

TINY = """\
candidate: {budget: {steps: 6}, hurdles: 1, timeout: 600}
model: {layers: 1, length: 16, width: 16}
training: {batch_size: 4, validation_batches: 2, jit: false, warmup_steps: 2}
workers: {evaluator: local, threads: 1}
"""


@pytest.mark.tf
@pytest.mark.slow
def test_real_programs_are_trained_as_confirm_trains_them(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(TINY, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(TINY.replace("steps: 6", "steps: 9"), encoding="utf-8")
    programs = ["--programs", "tanh,local", "--seeds", 1]
    figure = tmp_path / "figure.svg"
    data = as_json(capsys, "agree", "a.yaml", "b.yaml", *programs, "--figure", figure)
    assert ElementTree.parse(figure).getroot().tag.endswith("svg")
    assert data["cost_ratio"] > 0
    assert len({loss for one in data["programs"] for loss in one["b"]["losses"]}) == 3
    confirmed = as_json(capsys, "confirm", "a.yaml", *programs)
    losses = {one["name"]: one["loss"] for one in confirmed["programs"]}
    assert losses == {one["name"]: one["a"]["loss"] for one in data["programs"]}
    assert trained(tmp_path, "a") == trained(tmp_path, "b") == 3  # nothing twice


# -- the panel ----------------------------------------------------------------------------


def test_the_panel_is_no_list_of_seeds() -> None:
    assert (len(seed_names()), len(panel_names())) == (9, 15)
    assert not set(seed_names()) & set(panel_names())


def test_every_program_of_the_panel_means_something_else() -> None:
    from primeval.dna.graph import build_graph

    fingerprints = {build_graph(load_seed(name)).fingerprint for name in built_in_names()}
    assert len(fingerprints) == len(built_in_names())
