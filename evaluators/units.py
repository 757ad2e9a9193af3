"""Times and sizes as people write them: `90s`, `10m`, `1h 30m`; `500MB`, `1.5GB`.

There is one way to read each of them and one to write it, for settings, messages and tables
alike: whatever primeval prints can be typed into a configuration. CHOICE: `GB` means 2^30
bytes, as memory is sold and measured; `GiB` means the same.
"""

from __future__ import annotations

import itertools
import re
from decimal import Decimal
from fractions import Fraction

SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "µs": 1e-6}
BYTES = {"TB": 1 << 40, "GB": 1 << 30, "MB": 1 << 20, "KB": 1 << 10, "B": 1}

_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile("".join(rf"(?:({_NUMBER})\s*{unit}\s*)?" for unit in SECONDS))
_SIZE = re.compile(r"(\d{1,30}(?:\.\d{1,30})?)\s*(?:([KMGT])(?:I?B)?|B)?", re.IGNORECASE)


def parse_duration(text: str) -> float | None:
    """Seconds; None if the text is not a time. A bare number is seconds."""
    text = text.strip().replace("_", "").replace("us", "µs")
    if re.fullmatch(_NUMBER, text):
        return float(text)
    match = _DURATION.fullmatch(text)
    numbers = zip(match.groups() if match else (), SECONDS.values(), strict=False)
    parts = [float(number) * unit for number, unit in numbers if number]
    return sum(parts) if parts else None


def format_duration(seconds: float) -> str:
    """The shortest exact way to write a time; `parse_duration` reads it back equal."""
    for unit in ("d", "h", "m"):
        if seconds >= SECONDS[unit] and seconds % SECONDS[unit] == 0:
            return f"{int(seconds // SECONDS[unit])}{unit}"
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{Decimal(repr(seconds)):f}s"


def rough_duration(seconds: float) -> str:
    """A time in whole seconds or coarser, to glance at: 42s, 7m 05s, 3h 20m, 2d 04h."""
    seconds = max(0, round(seconds))
    for unit, part in itertools.pairwise("dhms"):
        whole, rest = divmod(seconds, SECONDS[unit])
        if whole:
            return f"{whole}{unit} {rest // SECONDS[part]:02d}{part}"
    return f"{seconds}s"


def fine_duration(seconds: float) -> str:
    """A time in three figures, for what may be short: 350µs, 27.1ms, 9.1s, 4m 10s."""
    for unit, least in (("µs", 1e-3), ("ms", 1.0), ("s", 100.0)):
        if seconds < least:
            return f"{_three_figures(seconds / SECONDS[unit])}{unit}"
    return rough_duration(seconds)


def parse_bytes(text: str) -> int | None:
    """Bytes; None if the text is not a size. A bare number is bytes."""
    match = _SIZE.fullmatch(text.strip().replace("_", ""))
    if match is None:
        return None
    return round(Fraction(match[1]) * BYTES[f"{(match[2] or '').upper()}B"])


def format_bytes(size: int) -> str:
    """The shortest exact way to write a size; `parse_bytes` reads it back equal."""
    for unit, count in BYTES.items():
        text = f"{_three_figures(size / count)}{unit}"
        if size >= count and parse_bytes(text) == size:
            return text
    return f"{size}B"


def rough_bytes(size: float) -> str:
    """A size in three figures, for people to glance at: 1.17GB, 620MB, 19.2KB, 512B."""
    for unit, count in BYTES.items():
        if size >= 999.5 / 1024 * count or unit == "B":
            break
    return f"{_three_figures(size / count)}{unit}"


def _three_figures(number: float) -> str:
    """Three figures, or all of those before the point; never an exponent."""
    return f"{number:.3g}" if 0.001 <= number < 999.5 else f"{number:.0f}"
