"""Sizes of memory as people write them: 500MB, 4GB, 1.5GB."""

from __future__ import annotations

import re

BYTES = {"": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?B)?", re.IGNORECASE)


def parse_size(text: str) -> int | None:
    """Bytes; None if the text is not a size. A bare number is bytes; GB is 2^30 of them."""
    match = _SIZE.fullmatch(text.strip().replace("_", ""))
    if match is None:
        return None
    unit = f"{match[2].upper()}B" if match[2] else ""
    return round(float(match[1]) * BYTES[unit])


def format_size(size: int) -> str:
    """The shortest exact way to write a size; `parse_size` reads it back equal."""
    for unit in ("TB", "GB", "MB", "KB"):
        if size >= BYTES[unit] and size % BYTES[unit] == 0:
            return f"{size // BYTES[unit]}{unit}"
    return str(size)
