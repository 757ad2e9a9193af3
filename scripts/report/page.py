"""The page of a report: the templates, filled. Everything is escaped; nothing is loaded.

The page's own policy (Content-Security-Policy) lets no request leave it and no script run but
its own, so that text from a run, whatever it holds, stays text.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.scripts.tables.noise import highest, standing_text

FOLDER = Path(__file__).parent / "template"
MINUS = "\N{MINUS SIGN}"


def render(contents: dict[str, Any]) -> str:
    """The HTML page with these contents (`contents.py`)."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "fixed": fixed,
        "signed": signed,
        "count": lambda number: "–" if number is None else f"{number:,}",
        "short": terminal.short_count,
        "percent": percent,
        "standing": standing_text,
        "highest": highest,
        "duration": rough_duration,
        "drawn": Markup,  # for drawings only, which are escaped where they are made
    }
    templates.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    return templates.get_template("page.html").render(
        **contents,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def fixed(number: float | None, digits: int = 4) -> str:
    """With a fixed number of digits and a typographic minus; a dash for None."""
    return "–" if number is None else f"{number:.{digits}f}".replace("-", MINUS)


def signed(number: float | None, digits: int = 4) -> str:
    """With its sign, a typographic minus; zero has no sign."""
    if number is None:
        return "–"
    text = f"{number:+.{digits}f}"
    return text[1:] if not float(text) else text.replace("-", MINUS)


def percent(share: float | None) -> str:
    """A share from 0 to 1 in per cent; a dash for None."""
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"
