"""Text for people: columns that fit, colours where they are wanted. Standard library only."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from primeval.dna.diff import DiffLine

CODES = {"+": "32", "-": "31", "@": "36", "bold": "1", "dim": "2"}


def add_color(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: auto means on a terminal unless NO_COLOR is set",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def wants_color(choice: str = "auto") -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, color: bool) -> str:
    return f"\x1b[{CODES[style]}m{text}\x1b[0m" if color and style in CODES else text


def width() -> int:
    """Columns of the terminal, or of $COLUMNS; as many as it takes if there is neither."""
    return shutil.get_terminal_size((1000, 24)).columns


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=2, allow_nan=False))


def print_diff(lines: Iterable[DiffLine], color: bool) -> None:
    """A difference of programs, `+` and `-` in front."""
    for line in lines:
        print(paint(f"{line.sign} {line.text}".rstrip(), line.sign, color))


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[object]], left: set[str]
) -> None:
    """Columns as wide as they need; the last one takes what is left of the terminal.

    Args:
        headers: Column names.
        rows: Cells.
        left: Names of the columns that are aligned left; numbers go right.
    """
    cells = [list(headers), *([str(cell) for cell in row] for row in rows)]
    wide = [max(len(line[at]) for line in cells) for at in range(len(headers))]
    wide[-1] = min(wide[-1], max(12, width() - sum(wide[:-1]) - len(wide)))
    for line in cells:
        fitted = [
            _clip(cell, size).ljust(size) if name in left else cell.rjust(size)
            for cell, size, name in zip(line, wide, headers, strict=True)
        ]
        print(" ".join(fitted).rstrip())


def _clip(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def short_count(number: float | None) -> str:
    """1,234,567 as 1.23M."""
    if number is None:
        return "-"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}" if number < 999.5 * limit else f"{number:.3g}"
    return f"{number:g}"


def signed(number: float | None, digits: int = 4) -> str:
    return "-" if number is None else f"{number:+.{digits}f}"


def fixed(number: float | None, digits: int = 4) -> str:
    return "-" if number is None else f"{number:.{digits}f}"
