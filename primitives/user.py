"""Primitives of users: a module named in the YAML registers its own rows and kernels.

    from primeval.primitives.user import Primitive, register

    register(Primitive("SOFTPLUS", ("input1",), "elementwise", "tf.math.softplus"), kernel=...)

`language.make_language` imports such modules and collects what they register. This file
checks what can be checked without TensorFlow: names, fields, rules. A kernel is a function
that imports what it needs inside, so that programs with it can be read anywhere.
`promises.py` tries it before it is used. docs/primitives.md has a whole example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from primeval.primitives.errors import UserError
from primeval.primitives.primitive import CONSTANT, INPUT_1, INPUT_2, Kernel, Primitive

__all__ = ["Primitive", "PrimitiveError", "collecting", "register", "users_primitive"]

# CHOICE: primitives with weights, and products of two values, are not open to users: initial
# values, costs and export know the built-in ones only. The open rules are these, each with the
# fields that its primitives may read.
OPEN_RULES: dict[str, tuple[tuple[str, ...], ...]] = {
    "elementwise": ((INPUT_1,), (INPUT_1, CONSTANT), (INPUT_1, INPUT_2)),
    "rowwise": ((INPUT_1,), (INPUT_1, CONSTANT)),
    "reduction": ((INPUT_1,), (INPUT_1, CONSTANT)),
    "cumulative": ((INPUT_1,), (INPUT_1, CONSTANT)),
}
_NAME = re.compile(r"(?!S\d)[A-Z][A-Z0-9_]{0,31}")
_RESERVED = re.compile(r"INPUT|INPUT_\d|BRANCH_.*")  # of resolved programs

# The rows of the module that is being imported; None while none is.
_collected: ContextVar[list[Primitive] | None] = ContextVar("collected", default=None)


class PrimitiveError(UserError):
    """A user's primitive that cannot be used; the message says what is wrong with it."""


def register(row: Primitive, kernel: Kernel, code: str = "") -> None:
    """Add a primitive to the language for which the calling module is being imported.

    Args:
        row: What programs, types and costs need to know; see `Primitive`.
        kernel: What it computes: kernel(x), kernel(x, y) or kernel(x, constant), on tensors
            (..., position, channel), or (..., query, key) for scores. It is written with
            `keras.ops`, which it imports inside.
        code: How it is printed in TensorFlow, as `tf.math.softplus({a})`, with {b} for the
            second input and {c} for the constant.

    Raises:
        PrimitiveError: if the row is not a legal one, or no language is being made. The kernel
            is tried later, where TensorFlow is there: when a search starts, and before its
            first use.
    """
    rows = _collected.get()
    if rows is None:
        raise PrimitiveError(
            f"{row.name}: register(...) works in a module that language.modules names, while "
            "it is imported for a run. Elsewhere, use make_language([MODULE]) or "
            "Language().with_primitive(...) of primeval.primitives.language."
        )
    rows.append(users_primitive(row, kernel, code))


@contextmanager
def collecting() -> Iterator[list[Primitive]]:
    """Within it, `register` appends to the list that it gives."""
    rows: list[Primitive] = []
    before = _collected.set(rows)
    try:
        yield rows
    finally:
        _collected.reset(before)


def users_primitive(row: Primitive, kernel: Kernel, code: str = "") -> Primitive:
    """The row with its kernel and its text. Raises PrimitiveError if it is not a legal one."""
    if not _NAME.fullmatch(row.name) or _RESERVED.fullmatch(row.name):
        raise PrimitiveError(
            "A primitive's name consists of capital letters, digits and _, begins with a "
            f"letter, and is not that of a call (S1). Received: {row.name!r}."
        )
    if row.rule not in OPEN_RULES:
        raise PrimitiveError(
            f"{row.name}: a user's primitive has one of the rules {', '.join(OPEN_RULES)}. "
            f"Received: {row.rule!r}."
        )
    if tuple(row.reads) not in OPEN_RULES[row.rule]:
        allowed = " or ".join("+".join(reads) for reads in OPEN_RULES[row.rule])
        raise PrimitiveError(
            f"{row.name}: a primitive of rule {row.rule} reads {allowed}. "
            f"Received: {'+'.join(row.reads)}."
        )
    if not callable(kernel):
        raise PrimitiveError(f"{row.name}: kernel is a function. Received: {kernel!r}.")
    reads, zero_if = tuple(row.reads), frozenset(row.zero_if)  # whatever a module gives
    return replace(row, reads=reads, zero_if=zero_if, kernel=kernel, code=code)
