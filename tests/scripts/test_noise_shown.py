"""Everything that shows a run says what is noise, and how programs stand on the rungs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers.commands import Capture, as_json, printed
from helpers.ladders import by_rung, ladder_config, ladder_run
from helpers.reports import Page, page_of
from helpers.toys import Scripted, begin

from primeval.scripts.running.ending import print_ending
from primeval.scripts.running.progress import Lines, Picture
from primeval.scripts.tables import terminal
from primeval.search.algorithm.population import Individual
from primeval.search.drive.loop import drive
from primeval.search.run.folder import Run
from primeval.search.views.comparing import Verdict
from primeval.search.views.lineage import lineage
from primeval.search.views.ranking import individual_row, ranking

COLORS = {"31": "worse", "32": "gain", "2": "noise"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    made = ladder_run(tmp_path_factory.mktemp("rungs") / "run")
    yield made
    made.close()


def searched(folder: Path, capture: Capture, noise: float) -> tuple[Run, str]:
    """A search as a pipe shows it, from its first line to its last."""
    run, search = begin(ladder_config(folder))
    stop = drive(run, search, Scripted(by_rung(run, noise)), Lines())
    print_ending(run, stop)
    return run, capture.readouterr().out


# -- top ----------------------------------------------------------------------------------


def test_the_table_has_a_column_per_rung_and_fits_80_columns(
    run: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    output = printed(capsys, "top", run.folder, "-n", 0)
    _, header, *rest = output.splitlines()
    assert header.split() == "rank # rung 1 rung 2 rung 3 standing edit".split()  # noqa: SIM905
    assert max(map(len, (header, *rest))) <= 80
    rows = ranking(run).rows
    for row, line in zip(rows, rest, strict=False):
        assert line.split()[:2] == [str(rows.index(row) + 1), str(row.id)]
        noise = [one for one in row.rungs if one.verdict is Verdict.NOISE]
        marked = [one for one in noise if one.status == "completed"]
        assert len(re.findall(r"[+-]\d\.\d{3} noise", line)) == len(marked)
        if row.proved:
            assert f"proved on {row.proved} " in line
    assert "diverged" in output


def test_every_rung_has_a_sentence_on_its_noise_and_on_promotions(
    run: Run, capsys: Capture
) -> None:
    output = printed(capsys, "top", run.folder)
    for one in ranking(run).rungs:
        sentence = (
            f"On rung {one.rung} a gain below {one.floor:.4f} is noise: the seed's own losses "
            f"differ by as much (sd {one.deviation:.4f} over 4 trainings; "
            f"{one.compared} programs compared)."
        )
        assert sentence in " ".join(output.split())
        if one.rung > 1:
            assert (
                f"Rung {one.rung}: {one.promoted} programs promoted; {one.held:.0%}" in output
            )


def test_colours_follow_the_noise(run: Run, capsys: Capture) -> None:
    colored = printed(capsys, "top", run.folder, "-n", 0, "--color", "always")
    found = re.findall(r"\x1b\[(\d+)m([+-]\d\.\d{3})( noise)? *\x1b", colored)
    assert {COLORS[code] for code, *_ in found} == {"gain", "worse", "noise"}
    for code, number, word in found:
        assert (COLORS[code] == "noise") == bool(word)
        assert (COLORS[code] == "gain") == (number[0] == "-" and not word)


def test_top_as_json_has_each_rung_with_its_noise(run: Run, capsys: Capture) -> None:
    rows = as_json(capsys, "top", run.folder)
    assert len(rows) == len(run.store.ranked())
    for row in rows:
        for one in row["rungs"]:
            assert {"rung", "id", "status", "loss", "gain", "beyond_noise"} <= set(one)
            assert one["figures"]["floor"] > 0
        assert row["proved"] in (None, 1, 2, 3)
    assert [one["rung"] for one in rows[0]["rungs"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("setting", "candidates", "sentence"),
    [
        ("workers.evaluator=toy", 12, "not known, as toy trains nothing."),
        ("candidate.replicates=1", 12, "not known, as the seed is trained once"),
        ("candidate.replicates=9", 1, "not known yet, as of 9 trainings of the seed 1 are"),
    ],
)
def test_noise_that_is_not_known_is_not_guessed(
    tmp_path: Path, capsys: Capture, setting: str, candidates: int, sentence: str
) -> None:
    sets = ("rungs=[]", f"budget.max_candidates={candidates}", setting)
    run = ladder_run(tmp_path / "run", *sets)
    output = printed(capsys, "top", run.folder, "--color", "always")
    words = " ".join(output.split())
    assert sentence in words
    assert "No difference counts as a gain." in words
    assert not re.search(r"\x1b\[3[12]m[+-]\d", output)
    run.close()


# -- a search -----------------------------------------------------------------------------


def test_a_search_shows_promotions_and_ends_with_what_was_found(
    tmp_path: Path, capsys: Capture
) -> None:
    run, output = searched(tmp_path / "run", capsys, 0.001)
    lines, end = output.split("All 90 candidates are evaluated.")
    for one in run.store.individuals():
        if one.rung > 1:
            assert re.search(rf"#{one.id} .* = #{one.of} on rung {one.rung}: ", lines)
    assert re.search(r"#1 .* = #0 again: seed transformer", lines)
    assert lines.count("is noise: the seed's own losses differ") == 3
    assert re.search(r"[+-]0\.00\d\d noise  ", lines)
    found = ranking(run).found
    assert found is not None
    assert f"#{found.id} is better than the seed, by more than the noise on rung" in end
    assert f"#{found.id} against the seed:" in end
    assert f"primeval export {run.folder}:{found.id} winner.keras" in end
    run.close()


def test_a_search_that_found_only_noise_says_so(tmp_path: Path, capsys: Capture) -> None:
    run, output = searched(tmp_path / "run", capsys, 0.05)
    assert ranking(run).best is not None
    assert ranking(run).found is None
    _, end = output.split("All 90 candidates are evaluated.")
    assert "Nothing was found beyond the noise" in end
    assert "better than the seed, by" not in end
    assert "winner" not in end
    assert " against the seed:" not in end
    run.close()


def test_the_live_picture_has_the_best_by_standing_and_the_noise(tmp_path: Path) -> None:
    run, search = begin(ladder_config(tmp_path / "run"))
    with ExitStack() as screen:
        picture = Picture(screen)
        drive(run, search, Scripted(by_rung(run)), picture)
        picture.tick(1e9)  # long after it looked last
        assert search.best is not None
        fitness, best = search.best
        reached = individual_row(run, best).rungs[-1]
        start = f"#{best.id} loss {-fitness:.4f} on rung {reached.rung} ("
        assert picture.standing.startswith(start)
        gap = float(picture.standing.removeprefix(start).split()[0])
        assert gap == pytest.approx(-(reached.gain or 0), abs=1e-4)
        assert picture.noise.startswith("noise: gains below 0.0")
        assert " on rung 3" in picture.noise
    run.close()


# -- one individual -----------------------------------------------------------------------


@pytest.fixture
def trial(run: Run) -> Individual:
    return next(one for one in run.store.individuals() if one.rung == 2 and one.of)


def test_lineage_and_show_say_whose_trial_an_individual_is(
    run: Run, trial: Individual, capsys: Capture
) -> None:
    name = f"#{trial.id} is #{trial.of} on rung 2"
    shown = printed(capsys, "lineage", f"{run.folder}:{trial.id}")
    first = printed(capsys, "lineage", f"{run.folder}:{trial.of}")
    assert shown == f"{name}. The lineage is #{trial.of}'s.\n{first}"
    assert name in printed(capsys, "show", f"{run.folder}:{trial.id}")
    trials = printed(capsys, "show", f"{run.folder}:{trial.of}")
    assert f"# on rung 2, as #{trial.id}: " in trials


def test_a_lineage_marks_gains_that_are_noise(run: Run, capsys: Capture) -> None:
    marked = 0
    for row in ranking(run).rows:
        output = printed(capsys, "lineage", f"{run.folder}:{row.id}")
        told = "Each loss is of one training: a difference below 0.0" in output
        assert told == (row.status == "completed")
        gains = [one.gain_verdict for one in lineage(run, row.id, 4)]
        found = re.findall(r"^ *\d+ +\d\.\d{4} [+-]\d\.\d{4} noise", output, re.MULTILINE)
        assert len(found) == gains.count(Verdict.NOISE)
        marked += len(found)
    assert marked > 0


# -- the report ---------------------------------------------------------------------------


def test_a_report_has_the_noise_and_every_rung(run: Run) -> None:
    page = page_of(run.folder)
    read = Page(page)
    assert not read.problems
    text = re.sub(r"\s+", " ", read.text)
    found = ranking(run)
    for one in found.rungs:
        assert f"On rung {one.rung} a gain below {one.floor:.4f} is noise" in text
    assert found.found is not None
    assert f"#{found.found.id} is better than the seed, by more than the noise" in text
    assert "who kept the gain, and who lost it" in text
    for number, word in re.findall(r'class="gap (\w+)">[^<]*(<span class="word">)?', page):
        assert (number == "noise") == bool(word)


def test_a_report_without_a_find_announces_none(tmp_path: Path) -> None:
    run = ladder_run(tmp_path / "run", "budget.max_candidates=40", noise=0.05)
    page = page_of(run.folder)
    assert "Nothing was found beyond the noise" in page
    assert "What it changed in the seed" not in page
    assert 'class="gap gain"' not in page
    run.close()


def test_a_painted_cell_is_its_text() -> None:
    cell = terminal.Painted("-0.1 noise", "dim")
    assert cell == "-0.1 noise"
    assert cell.style == "dim"
