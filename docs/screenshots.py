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
# Name, panel, size in pixels; a picture shows as much of the page as fits.
SHOTS = (
    ("overview", "overview", (1280, 950)),
    ("drawing", "program-{best}-drawing", (1280, 1300)),
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
    browser: Browser, report: Path, into: Path, name: str, panel: str, size: tuple[int, int]
) -> None:
    """Save one picture as `report-NAME.png`."""
    viewport: ViewportSize = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme="light")
    page = context.new_page()
    page.goto(report.as_uri())
    best = page.locator("#programs > .tabs a").first.get_attribute("href") or ""
    page.goto(f"{report.as_uri()}#{panel.format(best=best.rpartition('-')[2])}")
    page.reload()
    page.evaluate("scrollTo(0, 0)")
    path = into / f"report-{name}.png"
    page.screenshot(path=path)
    context.close()
    print(path)


if __name__ == "__main__":
    sys.exit(main())
