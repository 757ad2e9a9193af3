"""The colours of drawings in files. An HTML page gives them colours in its style sheet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache


@dataclass(frozen=True)
class Look:
    """How a shape is painted: text has a fill colour, a wire a stroke colour, a box both."""

    fill: str = "none"
    stroke: str = "none"
    thickness: float = 1.0
    dashed: bool = False
    bold: bool = False


INK, LINE, FAINT, PAPER = "#22272e", "#5f6b7a", "#77818e", "#ffffff"
GREEN, PALE_GREEN, DARK_GREEN = "#1a7f37", "#d3f1d9", "#0b4f20"
GONE_INK, GONE_LINE = "#9aa2ac", "#c5cbd2"
# Background and header of a call: first those of MAIN, then of subprograms 1, 2, …
CALLS = (
    ("#f7f8fa", "#dfe3e8"),
    ("#eaf3fd", "#bcd9f7"),
    ("#edf7ec", "#c0e3bd"),
    ("#fdf0ea", "#f6cdb8"),
    ("#f4effb", "#d9c8f2"),
    ("#e9f6f6", "#b5dedd"),
    ("#fbf5e4", "#ecdca6"),
    ("#fceef4", "#f2c3d8"),
    ("#eef0f3", "#cdd3da"),
    ("#f1f6e5", "#d2e3a7"),
)
LOOKS = {
    "title": Look(INK, bold=True),
    "note": Look(FAINT),
    "name": Look(INK, bold=True),
    "label": Look(INK),
    "width": Look(FAINT),
    "wire": Look(stroke=LINE),
    "arrow": Look(LINE),
    "operation": Look(PAPER, LINE),
    "weights": Look("#ffe3a3", LINE),
    **{f"call{at}": Look(back, LINE) for at, (back, _) in enumerate(CALLS)},
    **{f"behind{at}": Look(back, front) for at, (back, front) in enumerate(CALLS)},
    **{f"header{at}": Look(front) for at, (_, front) in enumerate(CALLS)},
}


@cache
def look_of(words: str) -> Look:
    """The look named by a shape: a key of LOOKS, then maybe ` added` or ` removed`."""
    first, _, change = words.partition(" ")
    look = LOOKS[first]
    if not change:
        return look
    gone = change == "removed"
    line = GONE_LINE if gone else GREEN
    if first in ("title", "note", "name", "label", "width"):
        return replace(look, fill=GONE_INK) if gone else Look(DARK_GREEN, bold=True)
    if first == "arrow":
        return Look(line)
    if first.startswith("header"):
        return Look("#f1f3f5" if gone else PALE_GREEN)
    fill = PAPER if gone or first.startswith(("call", "behind")) else PALE_GREEN
    return Look(look.fill if first == "wire" else fill, line, 1 if gone else 2, dashed=gone)
