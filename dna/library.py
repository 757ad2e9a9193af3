"""The programs that come with primeval, as text files in `seeds/`."""

from __future__ import annotations

import itertools
import re
from importlib import resources

from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.primitives.errors import UnknownNameError

_FOLDER = resources.files("primeval.dna") / "seeds"


def seed_names() -> list[str]:
    """Built-in programs, the paper's seed first."""
    names = sorted(file.name[:-4] for file in _FOLDER.iterdir() if file.name.endswith(".dna"))
    return sorted(names, key=lambda name: name != "transformer")


def seed_text(name: str) -> str:
    """The text of a built-in program. Raises UnknownNameError with the nearest names."""
    names = seed_names()
    if name not in names:
        raise UnknownNameError("built-in program", name, names)
    return (_FOLDER / f"{name}.dna").read_text(encoding="utf-8")


def load_seed(name: str) -> Program:
    """A built-in program. Raises UnknownNameError with the nearest names."""
    return parse(seed_text(name), source=name)


def seed_summary(name: str) -> str:
    """The first sentence of a built-in program's leading comment. Raises UnknownNameError."""
    lines = itertools.takewhile(lambda line: line[:1] == "#", seed_text(name).splitlines())
    comment = " ".join(line.lstrip("# ") for line in lines)
    return re.split(r"(?<=[.])\s", comment, maxsplit=1)[0]
