"""Times as people write them: 90s, 10m, 2h, 1.5d."""

from __future__ import annotations

import re

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")


def parse_duration(text: str) -> float | None:
    """Seconds; None if the text is not a time. A bare number is seconds."""
    match = _DURATION.fullmatch(text.strip().replace("_", ""))
    return float(match[1]) * SECONDS[match[2] or "s"] if match else None


def format_duration(seconds: float) -> str:
    """The shortest exact way to write a time; `parse_duration` reads it back equal."""
    for unit in ("d", "h", "m"):
        if seconds >= SECONDS[unit] and seconds % SECONDS[unit] == 0:
            return f"{int(seconds // SECONDS[unit])}{unit}"
    return f"{int(seconds) if seconds == int(seconds) else seconds!r}s"


def rough_duration(seconds: float) -> str:
    """A time for people to glance at: 42s, 7m 05s, 3h 20m, 2d 04h."""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s"
    if seconds < 86400:
        return f"{seconds // 3600}h {seconds % 3600 // 60:02d}m"
    return f"{seconds // 86400}d {seconds % 86400 // 3600:02d}h"
