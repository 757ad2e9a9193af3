"""The report of a run with rungs, in a browser: every standing shows, on a phone too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.browser import OVERFLOWING, Opened
from helpers.ladders import ladder_run
from helpers.reports import page_of

from primeval.search.run.folder import open_run
from primeval.search.views.comparing import Verdict
from primeval.search.views.ranking import Row, ranking

WIDTHS = (1280, 390)
TABS = ("overview", "ranking", "programs", "lineage", "budget", "setup")
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def laddered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with three rungs and noise; it holds its report."""
    run = ladder_run(tmp_path_factory.mktemp("laddered") / "run")
    page_of(run.folder, "--top", "4")
    run.close()
    return run.folder


@pytest.mark.parametrize("width", WIDTHS)
def test_the_standing_on_every_rung_is_visible(
    browser: Any, laddered: Path, width: int
) -> None:
    one = Opened(browser, laddered / "report.html", width)
    page, rows = one.page, ranking(open_run(laddered), 4).rows
    for key in TABS:
        page.locator(f"#tab-{key}").click()
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == []
    page.locator("#tab-ranking").click()
    shown = page.locator("#ranking table.ranking tbody tr")
    for at, row in enumerate(rows):
        assert_all_in_view(shown.nth(at).locator(".rungs li"), row, width)
    page.locator("#tab-programs").click()
    for row in rows:
        page.locator(f"#tab-program-{row.id}").click()
        one.wait_for(f"#program-{row.id}")
        assert_all_in_view(page.locator(f"#program-{row.id} .rungs li"), row, width)
    assert one.trouble == []
    one.context.close()


def assert_all_in_view(items: Any, row: Row, width: int) -> None:
    """What a program reached on each rung can be read without scrolling sideways."""
    assert items.count() == len(row.rungs)
    for item, reached in zip(items.all(), row.rungs, strict=True):
        box, text = item.bounding_box(), item.inner_text().replace(MINUS, "-")
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= width
        assert text.startswith(f"rung {reached.rung} ")
        if reached.status == "completed" and reached.gain is not None:
            assert f"{abs(reached.gain):.4f}" in text
            assert text.endswith("noise") == (reached.verdict is Verdict.NOISE)


def test_noise_is_grey_and_a_gain_is_not(browser: Any, laddered: Path) -> None:
    one = Opened(browser, laddered / "report.html", 1280)

    def color(selector: str) -> str:
        found = one.page.locator(selector).first
        return str(found.evaluate("element => getComputedStyle(element).color"))

    colors_of = {kind: color(f"#ranking .gap.{kind}") for kind in ("gain", "worse", "noise")}
    assert len(set(colors_of.values())) == 3
    assert colors_of["noise"] == color("#ranking .soft")
    one.context.close()
