"""Modules of users' primitives, for tests: the documented one, and small ones."""

from __future__ import annotations

import re
from pathlib import Path

from helpers.places import DOCS
from primeval.dna.library import seed_text
from primeval.primitives.primitive import Primitive

GUIDE = DOCS / "primitives.md"

# A seed of documented primitives, and one of those of `write_module`.
SOFT = seed_text("transformer").replace(
    "  c = MAX a const0\n", "  c = SOFTPLUS a\n  d = L2_NORM c\n"
)
MINE = seed_text("transformer").replace("  c = MAX a const0\n", "  c = MINE a\n")


def row(name: str = "MINE", rule: str = "elementwise", **fields: object) -> Primitive:
    values: dict[str, object] = {"reads": ("input1",), "maps_to": "", **fields}
    return Primitive(name, rule=rule, **values)  # type: ignore[arg-type]


def documented_module(folder: Path) -> Path:
    """The example of the documentation, as a file."""
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    path = folder / "my_primitives.py"
    path.write_text(code[1], encoding="utf-8")
    return path


def write_module(path: Path, formula: str, rule: str = "elementwise") -> Path:
    """A module with one primitive, MINE: `formula` is of x and ops."""
    path.write_text(
        "from primeval.primitives.user import Primitive, register\n\n\n"
        "def mine(x):\n"
        "    from keras import ops\n\n"
        f"    return {formula}\n\n\n"
        f"register(Primitive('MINE', ('input1',), '{rule}', ''), mine, '{formula}')\n",
        encoding="utf-8",
    )
    return path
