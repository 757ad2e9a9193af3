"""Opens pages in an installed Chromium and records what happens there."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
OVERFLOWING = """() => [...document.body.querySelectorAll("*")].filter((element) => {
  if (element.closest(".scroll, .code, .skip, svg")) return false;
  const box = element.getBoundingClientRect();
  return box.width && element.checkVisibility() && box.right > innerWidth + 1;
}).map((element) => element.outerHTML.slice(0, 90))"""


class Opened:
    """An open page, with the messages, requests and dialogs that it caused."""

    def __init__(self, browser: Any, path: Path, width: int, **options: Any) -> None:
        viewport = {"width": width, "height": 860}
        self.context = browser.new_context(viewport=viewport, **options)
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("dialog", lambda dialog: self.trouble.append(f"alert {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = path.resolve().as_uri()
        self.page.goto(self.url)

    def wait_for(self, selector: str) -> None:
        """Wait until the element is visible: a link is followed some time after the click."""
        self.page.locator(selector).first.wait_for(state="visible", timeout=5000)


def colors(picture: bytes) -> int:
    """The number of different colours in an image."""
    from matplotlib.image import imread

    pixels = (255 * imread(io.BytesIO(picture))[:, :, :3]).astype(int)
    return len(np.unique(pixels @ (65536, 256, 1)))
