"""The report in a browser: everything shows, and nothing is loaded from outside the file.

The tests drive an installed Chromium (tests/conftest.py); without one they are skipped.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import OVERFLOWING, Opened, colors
from helpers.reports import HOSTILE, confirm_by_hand, page_of, troubled_run
from helpers.toys import TOY

from primeval.scripts.report.contents import report_contents
from primeval.scripts.report.page import render
from primeval.search.algorithm.population import Individual
from primeval.search.config.config import parse_config
from primeval.search.run.folder import open_run
from primeval.search.run.store import open_store
from primeval.search.views.ranking import ranking

WIDTHS = (1280, 390)
TABS = ("overview", "ranking", "programs", "lineage", "budget", "setup")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with failures, confirmations and hostile texts."""
    config = parse_config(TOY, ["budget.max_candidates=120", "failure.max_consecutive=99"])
    folder = tmp_path_factory.mktemp("browser") / "run"
    folder = troubled_run(dataclasses.replace(config, run_dir=str(folder)))
    best = [row.id for row in ranking(open_run(folder), 2).rows]
    confirm_by_hand(folder, HOSTILE, [0, *best])
    page_of(folder, "--top", "3")
    return folder / "report.html"


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Callable[..., Opened]]:
    """Opens the report; at the end, checks that there were no errors and no requests."""
    pages: list[Opened] = []

    def open_page(width: int = 1280, **options: Any) -> Opened:
        pages.append(Opened(browser, report, width, **options))
        return pages[-1]

    yield open_page
    for one in pages:
        assert one.trouble == []
        assert set(one.requests) == {one.url}
        one.context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_tab_shows_and_fits(opened: Callable[..., Opened], width: int) -> None:
    page = opened(width).page
    for key in TABS:
        page.locator(f"#tab-{key}").click()
        shown = [other for other in TABS if page.locator(f"#{other}").is_visible()]
        assert shown == [key]
        box = page.locator(f"#{key}").bounding_box()
        assert box is not None
        assert box["height"] > 150
        assert len(page.locator(f"#{key}").inner_text()) > 100
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == []
        assert page.url.endswith(f"#{key}")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_plot_is_drawn(opened: Callable[..., Opened], width: int, scheme: str) -> None:
    page = opened(width, color_scheme=scheme).page
    plots = page.locator("figure.plot")
    assert plots.count() == 2
    for at in range(2):
        area = plots.nth(at).locator(".area")
        box = area.bounding_box()
        assert box is not None
        assert box["width"] > 250
        assert box["height"] > 200
        # for the line, the seed and the dots of several bands
        assert colors(area.screenshot()) > 20
        strokes = area.locator("path").evaluate_all(
            "paths => paths.map((path) => getComputedStyle(path).stroke)"
        )
        assert len(strokes) >= 4
        assert "none" not in strokes
        assert plots.nth(at).locator(".x-ticks span").count() >= 2
        assert plots.nth(at).locator(".y-ticks span").count() >= 2


@pytest.mark.parametrize("width", WIDTHS)
def test_every_view_of_the_best_shows(opened: Callable[..., Opened], width: int) -> None:
    one = opened(width)
    one.page.locator("#tab-programs").click()
    for link in one.page.locator("#programs > .tabs a").all():
        link.click()
        key = str(link.get_attribute("href"))[1:]
        one.wait_for(f"#{key}")
        for view in one.page.locator(f"#{key} > .tabs a").all():
            view.click()
            panel = one.page.locator(str(view.get_attribute("href")))
            assert panel.is_visible()
            assert len(panel.inner_text()) > 20
            assert one.page.evaluate("document.scrollingElement.scrollWidth") <= width
        one.page.locator(f"#tab-{key}-drawing").click()
        drawing = one.page.locator(f"#{key}-drawing svg")
        assert drawing.locator("rect").count() > 10
        assert colors(drawing.screenshot()) > 8


def test_tabs_work_by_keyboard(opened: Callable[..., Opened]) -> None:
    page = opened().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#tab-overview").focus()
    for key, expected in (("ArrowRight", 1), ("End", 5), ("ArrowRight", 0), ("ArrowLeft", 5)):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == f"tab-{TABS[expected]}"
        assert page.locator(f"#{TABS[expected]}").is_visible()
    selected = page.locator('#tab-setup[role="tab"][aria-selected="true"][tabindex="0"]')
    assert selected.count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") != "tab"


def test_a_link_opens_the_tabs_around_its_target(opened: Callable[..., Opened]) -> None:
    one = opened()
    one.page.locator("#tab-ranking").click()
    one.page.locator('#ranking a[href^="#program-"]').nth(1).click()
    key = one.page.url.partition("#")[2]
    one.wait_for(f"#{key}")
    one.page.goto(f"{one.url}#{key}-code")
    one.page.reload()
    one.wait_for(f"#{key}-code")
    assert one.page.locator("#ranking").is_hidden()


def test_light_and_dark_follow_the_system_and_the_button(opened: Callable[..., Opened]) -> None:
    def background(page: Any) -> float:
        color = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        numbers = color[color.index("(") + 1 : -1].replace("srgb", "").replace(",", " ").split()
        return float(numbers[0])

    dark, light = opened(color_scheme="dark").page, opened(color_scheme="light").page
    assert background(dark) < 60 < 200 < background(light)
    light.locator("#theme").click()
    assert light.locator("#theme").inner_text() == "Theme: light"
    light.locator("#theme").click()
    assert background(light) < 60
    light.reload()
    assert background(light) < 60  # the choice is remembered


def test_a_dot_says_what_it_is(opened: Callable[..., Opened]) -> None:
    page = opened().page
    area = page.locator('[data-plot="all"] .area')
    area.scroll_into_view_if_needed()
    area.focus()
    page.keyboard.press("ArrowRight")
    assert area.locator(".tip").inner_text().startswith("#0  loss 2.0")
    page.keyboard.press("ArrowRight")
    assert not area.locator(".tip").inner_text().startswith("#0 ")
    seen = area.locator(".tip").inner_text()
    place = area.locator(".spot").evaluate("spot => [spot.style.left, spot.style.top]")
    page.locator("h1").click()
    assert area.locator(".tip").count() == 0
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    across, down = (float(part.rstrip("%")) / 100 for part in place)
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
    assert area.locator(".tip").inner_text() == seen


def test_print_shows_everything(opened: Callable[..., Opened]) -> None:
    page = opened().page
    page.emulate_media(media="print")
    hidden = page.locator(".panel").evaluate_all(
        "panels => panels.filter((panel) => !panel.checkVisibility()).map((panel) => panel.id)"
    )
    assert hidden == []
    assert not page.locator("nav").is_visible()
    assert page.locator("#lineage h2").is_visible()
    assert page.pdf()[:5] == b"%PDF-"


def test_without_scripts_everything_is_there(opened: Callable[..., Opened]) -> None:
    page = opened(java_script_enabled=False).page
    for key in TABS:
        assert page.locator(f"#{key}").is_visible()


def test_a_watched_page_loads_itself_again_until_it_is_paused(
    browser: Any, report: Path, tmp_path: Path
) -> None:
    page = tmp_path / "watched.html"
    run = open_run(report.parent)
    for name in ("before", "after"):
        facts = report_contents(run, 1, running=True, refresh=1.0)
        facts["head"]["name"] = name
        page.write_text(render(facts), encoding="utf-8")
        if name == "before":
            one = Opened(browser, page, 1280)
            one.page.locator("#tab-budget").click()
            assert one.page.locator("h1").inner_text() == "before"
    one.page.locator("h1", has_text="after").wait_for()
    one.page.locator("#budget").wait_for(state="visible")
    one.page.locator("#pause").click()
    page.write_text(page.read_text(encoding="utf-8").replace("after", "later"))
    one.page.wait_for_timeout(2500)
    assert one.page.locator("h1").inner_text() == "after"
    assert one.trouble == []
    assert set(one.requests) == {one.url}
    one.context.close()


def grow(folder: Path, count: int) -> None:
    """Lengthen a run's history by repeating what happened in it."""
    run = open_run(folder)
    individuals, outcomes = list(run.store.individuals()), dict(run.store.outcomes())
    run.close()
    store = open_store(folder / "run.sqlite", write=True)
    for number in range(len(individuals), count):
        again = individuals[1 + number % (len(individuals) - 1)]
        fields = {field.name: getattr(again, field.name) for field in dataclasses.fields(again)}
        store.append_individual(Individual(**{**fields, "id": number}), float(number))
        store.append_outcome(number, outcomes[again.id], float(number))
    store.close()


@pytest.mark.slow
def test_25_000_individuals_open_in_two_seconds(browser: Any, tmp_path: Path) -> None:
    config = parse_config(TOY, ["budget.max_candidates=500"])
    folder = troubled_run(dataclasses.replace(config, run_dir=str(tmp_path / "run")))
    grow(folder, 25_000)
    assert "25,000" in page_of(folder)
    path = folder / "report.html"
    assert path.stat().st_size < 5_000_000
    taken = []
    for _ in range(3):
        began = time.monotonic()
        one = Opened(browser, path, 1280)
        one.page.locator("figure.plot .area").nth(1).screenshot()
        taken.append(time.monotonic() - began)
        assert one.trouble == []
        one.context.close()
    crowded = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0
    assert min(taken) < 2 * max(1.0, crowded)
