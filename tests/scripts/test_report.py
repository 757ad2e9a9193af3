"""`primeval report` writes one page that shows the store's facts and runs nothing from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.reports import HOSTILE, Page, page_of
from helpers.toys import Scripted, begin, outcome, toy_run

from primeval.scripts.cli import main
from primeval.scripts.report.plots import GRID_X, GRID_Y, all_plot, best_plot, nice
from primeval.search.config.settings import RunConfig
from primeval.search.drive.loop import drive
from primeval.search.run.folder import open_run
from primeval.search.views.history import read_history
from primeval.search.views.ranking import ranking

Capture = pytest.CaptureFixture[str]
Config = Callable[..., RunConfig]
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def page(troubled: Path) -> str:
    return page_of(troubled, "--top", "4")


# -- the page -----------------------------------------------------------------------------


def test_a_report_is_one_file_that_loads_nothing(page: str) -> None:
    read = Page(page)
    assert not read.problems
    for tag, attributes in read.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            target = attributes.get(name, "#")
            assert target.startswith(("#", "data:,")), f"<{tag} {name}={target}>"
    assert not re.search(r"@import|url\(|https?://|fetch\(|XMLHttp|WebSocket", page)
    (policy,) = [one["content"] for one in read.all("meta") if "http-equiv" in one]
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_text_of_a_run_stays_text(page: str, troubled: Path) -> None:
    read = Page(page)
    scripts = read.all("script")
    assert [one.get("type") for one in scripts] == ["application/json", None]
    assert not read.all("img")
    assert not any(name.startswith("on") for _, one in read.tags for name in one)
    for shown in (HOSTILE.replace("\u2028", "").split("<img")[0], troubled.name):
        assert shown in read.text.replace("\u2028", "")
    data = json.loads(re.findall(r'id="points">(.*?)</script>', page)[0])
    assert data["id"] == [number for number, _ in open_run(troubled).store.outcomes()]


def test_what_assistive_technology_needs_is_there(page: str) -> None:
    read = Page(page)
    names = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(names) == len(set(names))
    for _, attributes in read.tags:
        targets = attributes.get("aria-labelledby", "").split()
        if attributes.get("href", "").startswith("#"):
            targets.append(attributes["href"][1:])
        assert set(targets) <= set(names)
    assert all(one.get("scope") for one in read.all("th") if "aria-hidden" not in one)
    assert len(read.all("caption")) == len(read.all("table")) >= 8
    pictures = [one for one in read.all("svg") if one.get("role") == "img"]
    assert len(pictures) == len(read.all("svg"))
    assert all(one.get("aria-label") or one.get("aria-labelledby") for one in pictures)
    assert read.all("html")[0]["lang"] == "en"
    assert len(read.all("h1")) == 1


def test_a_report_says_what_the_store_says(page: str, troubled: Path) -> None:
    text = re.sub(r"\s+", " ", Page(page).text)
    run = open_run(troubled)
    rows = ranking(run).rows
    best = rows[0]
    assert best.confirmed is not None
    assert f"{best.confirmed.loss:.4f}" in text
    for row in rows[:20]:
        assert row.edit.replace("  ", " ") in text
    for status, count in run.store.statuses().items():
        assert f"{count} {status.replace('_', ' ')}" in text
    assert f"#{best.id}" in text
    assert "95 %:" in text
    for part in ("Where the budget went", "Never trained twice", "Lost to failures", "Lineage"):
        assert part in text
    for setting in ("max_candidates: 60", "evaluator: toy", "population_size: 8"):
        assert setting in text
    assert "Python" in text


def test_each_of_the_best_is_shown_as_difference_drawing_and_code(
    page: str, troubled: Path
) -> None:
    read = Page(page)
    rows = [row for row in ranking(open_run(troubled)).rows if row.loss is not None][:4]
    for row in rows:
        panels = {one["id"] for one in read.all("section") if "id" in one}
        key = f"program-{row.id}"
        views = {f"{key}-drawing", f"{key}-code", f"{key}-text"}
        assert views | ({f"{key}-seed"} if row.parent is not None else set()) <= panels
    drawings = [one for one in read.all("svg") if one.get("class") == "drawing"]
    assert len(drawings) == len(rows)
    assert page.count("def block(x):") >= len(rows)
    assert 'class="d-operation added"' in page or 'class="d-weights added"' in page


def test_all_looks_of_drawings_have_a_style() -> None:
    from primeval.scripts.drawing import looks as drawing_looks
    from primeval.scripts.report import page as report_html

    style = (report_html.FOLDER / "page.css").read_text(encoding="utf-8")
    for look in drawing_looks.LOOKS:
        kind, number = look.rstrip("0123456789"), re.sub(r"\D", "", look)
        assert f".d-{kind}" in style or kind in ("label", "operation"), look
        assert not number or f".tint{number} " in style
    for change in ("added", "removed"):
        for kind in ("rect", "text", ".d-wire", ".d-arrow", ".d-header"):
            assert f"{kind}.{change}" in style


# -- plots and tables ---------------------------------------------------------------------


def test_every_candidate_is_in_one_band(troubled: Path) -> None:
    run = open_run(troubled)
    bands = read_history(run).bands()
    assert sum(row.count for row in bands) == run.store.told() == 60
    assert sum(row.compute for row in bands) == pytest.approx(1)
    statuses = run.store.statuses()
    assert bands[0].count == statuses["completed"]
    assert sum(row.count for row in bands[1:5]) == statuses["stopped"]
    failed = next(row for row in bands if row.name == "failed")
    assert failed.count == statuses["crashed"] + statuses["diverged"]


def test_shares_of_worker_time_add_up(troubled: Path) -> None:
    history = read_history(open_run(troubled))
    rows = history.time_shares()
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert sum(row.seconds for row in rows) == pytest.approx(history.spent)
    assert [row.seconds for row in rows] == sorted((row.seconds for row in rows), reverse=True)
    assert {row.cause for row in rows} == {"build", "compile", "train", "evaluate", "lost"}


def dots(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]


def test_every_loss_is_a_dot_of_its_band(troubled: Path) -> None:
    history = read_history(open_run(troubled))
    plot = all_plot(history)
    assert plot is not None
    placed = {spot for _, path in plot.bands for spot in dots(path)}
    for one in history.told:
        if one.loss is not None:
            x = 10 * plot.x.at(one.compute)
            y = 1000 - 10 * plot.y.at(one.loss)
            assert min(max(abs(x - dx), abs(y - dy)) for dx, dy in placed) <= 1.01
    assert [color for color, _ in plot.bands] == sorted({color for color, _ in plot.bands})
    assert plot.bands[-1][0] == 1
    assert plot.failed.count("M") <= len(history.failed())


def test_dots_on_one_spot_are_drawn_once(toy_config: Config) -> None:
    run = toy_run(toy_config("budget.max_candidates=400"))
    plot = all_plot(read_history(run))
    assert plot is not None
    spots = [spot for _, path in plot.bands for spot in dots(path)]
    assert 5 < len(spots) <= 400
    assert len(spots) <= (GRID_X + 1) * (GRID_Y + 1)
    for _, path in plot.bands:
        assert len(dots(path)) == len(set(dots(path)))


def test_the_line_of_the_best_only_falls(troubled: Path) -> None:
    history = read_history(open_run(troubled))
    plot = best_plot(history)
    assert plot is not None
    heights = [float(height) for height in re.findall(r"V([\d.]+)", plot.line)]
    assert heights == sorted(heights)  # y grows downwards on the page
    records = history.records()
    assert len(heights) == len(records) - 1
    assert plot.end is not None
    assert plot.end[1] == min(one.loss for one in history.told if one.loss is not None)
    assert plot.seed == pytest.approx(100 - plot.y.at(history.seed_loss or 0))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (1.71, 2.07, [1.8, 1.9, 2.0]), (0, 0.011, [0, 0.005, 0.01])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert nice(low, high) == pytest.approx(expected)


# -- runs with very little in them --------------------------------------------------------


def test_a_run_without_any_outcome_has_a_report(toy_config: Config) -> None:
    run, _ = begin(toy_config())
    page = page_of(run.folder)
    assert "No candidate has a loss yet." in page
    assert not Page(page).problems


def test_a_run_in_which_all_failed_has_a_report(toy_config: Config) -> None:
    run, search = begin(toy_config("budget.max_candidates=4"))
    drive(run, search, Scripted(lambda candidate: outcome(None)))
    page = page_of(run.folder)
    assert not Page(page).problems
    assert "not finite" in page


def test_a_run_without_hurdles_has_a_report(toy_config: Config) -> None:
    run = toy_run(toy_config("candidate.hurdles=0", "budget.max_candidates=9"))
    page = page_of(run.folder)
    assert not Page(page).problems
    assert "whole budget" in page


def test_a_file_that_cannot_be_written_is_one_clear_message(
    troubled: Path, tmp_path: Path, capsys: Capture
) -> None:
    for path in (tmp_path / "none" / "a.html", tmp_path):
        assert main(["report", str(troubled), "-o", str(path)]) == 2
        assert "cannot be written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
