"""Text on the terminal: columns that fit, colours if wanted. Standard library only."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primeval.dna.writing.diff import DiffLine

CODES = {"+": "32", "-": "31", "@": "36", "bold": "1", "dim": "2"}
PLENTY = 1000  # characters in a line where there is no terminal
LONGEST = 100  # characters in a line of text on a terminal, however wide it is
ROOM = 20  # if the last column would get fewer characters, spare columns are dropped first


class Painted(str):
    """The text of a table's cell, with the style that it has where colours are wanted."""

    style: str

    def __new__(cls, text: str, style: str) -> Painted:
        made = super().__new__(cls, text)
        made.style = style
        return made


def wants_color(choice: str = "auto") -> bool:
    """Whether to print colours; `auto`: on a terminal, unless NO_COLOR is set."""
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, style: str, color: bool) -> str:
    """The text in a style (`CODES`) if `color`, else as it is."""
    return f"\x1b[{CODES[style]}m{text}\x1b[0m" if color and style in CODES else text


def width() -> int:
    """Characters in a line of the terminal, or $COLUMNS; plenty where there is neither."""
    return shutil.get_terminal_size((PLENTY, 24)).columns


def print_json(data: Any) -> None:
    """Print plain data as JSON. Raises ValueError for a number that is not finite."""
    print(json.dumps(data, indent=2, allow_nan=False))


def print_text(text: str) -> None:
    """Print a sentence in lines that fit the terminal."""
    print(textwrap.fill(text, max(20, min(width(), LONGEST))) if width() < PLENTY else text)


def print_diff(lines: Iterable[DiffLine], color: bool) -> None:
    """Print the difference of two programs, with `+` and `-` in front of its lines."""
    for line in lines:
        print(paint(f"{line.sign} {line.text}".rstrip(), line.sign, color))


def print_program(text: str, color: bool) -> None:
    """Print a program's text or code: headers coloured, dormant fields and comments dimmed."""
    for line in text.splitlines():
        if re.match(r"S\d+ |def ", line):
            print(paint(line, "@", color))
            continue
        shown, mark, aside = line.partition("; " if "= " in line else "# ")
        print(shown + (paint(mark + aside, "dim", color) if mark else ""))


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    left: set[str],
    spare: Sequence[str] = (),
    style: Callable[[str, str], str] | None = None,
) -> None:
    """Print columns as wide as they need; the last one takes what is left of the line.

    Args:
        headers: Column names.
        rows: Cells.
        left: Names of the columns that are aligned left; the others are aligned right.
        spare: Columns that may be dropped, the first one first, where there is little room.
        style: The style of a cell that is not `Painted`, by its column and its text; None for
            no colours.
    """
    cells = [
        list(headers),
        *([cell if isinstance(cell, str) else str(cell) for cell in row] for row in rows),
    ]
    sizes = [max(len(line[at]) for line in cells) for at in range(len(headers))]
    shown = list(range(len(headers)))
    for name in spare:
        if _rest(sizes, shown) >= min(ROOM, sizes[-1]):
            break
        shown.remove(len(headers) - 1 - headers[::-1].index(name))
    sizes[-1] = min(sizes[-1], max(12, _rest(sizes, shown)))
    for number, line in enumerate(cells):
        fitted = []
        for at in shown:
            name, wide, cell = headers[at], sizes[at], line[at]
            text = _clip(cell, wide).ljust(wide) if name in left else cell.rjust(wide)
            if at == shown[-1]:
                text = text.rstrip()
            if style is not None:
                own = cell.style if isinstance(cell, Painted) else style(name, cell)
                text = paint(text, own if number else "bold", True)
            fitted.append(text)
        print(" ".join(fitted).rstrip())


def _rest(sizes: Sequence[int], shown: Sequence[int]) -> int:
    """Characters of the line that are left for a table's last column."""
    return width() - sum(sizes[at] for at in shown[:-1]) - len(shown)


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
    """With its sign and a fixed number of digits; `-` for None."""
    return "-" if number is None else f"{number:+.{digits}f}"


def fixed(number: float | None, digits: int = 4) -> str:
    """With a fixed number of digits; `-` for None."""
    return "-" if number is None else f"{number:.{digits}f}"
