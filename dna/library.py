"""The programs that come with primeval, as text files in `seeds/` and `panel/`.

Any of them may be the seed of a search. Those in `seeds/` are known designs. Those in `panel/`,
good, bad and deceptive ones, are there for `primeval agree` to rank.
"""

from __future__ import annotations

import itertools
import re
from importlib import resources

from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.primitives.errors import UnknownNameError

_PACKAGE = resources.files("primeval.dna")


def seed_names() -> list[str]:
    """Known designs, the paper's seed first."""
    return sorted(_names("seeds"), key=lambda name: name != "transformer")


def panel_names() -> list[str]:
    """Programs that are there to be ranked."""
    return _names("panel")


def built_in_names() -> list[str]:
    """All programs that come with primeval: known designs, then the panel."""
    return seed_names() + panel_names()


def seed_text(name: str) -> str:
    """The text of a built-in program. Raises UnknownNameError with the nearest names."""
    if name not in built_in_names():
        raise UnknownNameError("built-in program", name, built_in_names())
    folder = "panel" if name in panel_names() else "seeds"
    return (_PACKAGE / folder / f"{name}.dna").read_text(encoding="utf-8")


def load_seed(name: str) -> Program:
    """A built-in program. Raises UnknownNameError with the nearest names."""
    return parse(seed_text(name), source=name)


def seed_summary(name: str) -> str:
    """The first sentence of a built-in program's leading comment. Raises UnknownNameError."""
    lines = itertools.takewhile(lambda line: line[:1] == "#", seed_text(name).splitlines())
    comment = " ".join(line.lstrip("# ") for line in lines)
    return re.split(r"(?<=[.])\s", comment, maxsplit=1)[0]


def _names(folder: str) -> list[str]:
    files = (_PACKAGE / folder).iterdir()
    return sorted(file.name[:-4] for file in files if file.name.endswith(".dna"))
