"""Takes the pictures of a report in the docs: `python docs/screenshots.py RUN`.

Writes docs/report-*.png. Needs an installed Chromium and playwright (`pip install -e .[dev]`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from primeval.scripts.cli import main as primeval

FOLDER = Path(__file__).parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT, MARGIN = 1280, 1300, 24  # pixels; the height at most, the margin at the bottom
# Name, panel, and the last part of the page that is in the picture; None for as much as fits.
SHOTS = (
    ("overview", "overview", "#overview .plots"),
    ("drawing", "program-{best}-drawing", None),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run_folder", metavar="RUN", help="a run's folder")
    parser.add_argument("--into", type=Path, default=FOLDER, help="where to write the pictures")
    args = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        print(
            f"This needs an installed Chromium: one of {', '.join(CHROMIUM)}.", file=sys.stderr
        )
        return 2
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page = Path(folder) / "report.html"
        status = primeval(["report", args.run_folder, "-o", str(page), "--top", "3"])
        if status:
            return status
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for shot in SHOTS:
            _take(browser, page, args.into, *shot)
        browser.close()
    return 0


def _take(
    browser: Browser, report: Path, into: Path, name: str, panel: str, last: str | None
) -> None:
    """Save one picture as `report-NAME.png`."""
    viewport: ViewportSize = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(viewport=viewport, color_scheme="light")
    page = context.new_page()
    page.goto(report.as_uri())
    best = page.locator("#programs > .tabs a").first.get_attribute("href") or ""
    page.goto(f"{report.as_uri()}#{panel.format(best=best.rpartition('-')[2])}")
    page.reload()
    page.evaluate("scrollTo(0, 0)")
    path = into / f"report-{name}.png"
    box = page.locator(last).bounding_box() if last else None
    height = min(HEIGHT, box["y"] + box["height"] + MARGIN) if box else HEIGHT
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    context.close()
    print(path)


if __name__ == "__main__":
    sys.exit(main())
