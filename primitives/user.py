"""Primitives of users: a module named in the YAML registers its own rows and kernels.

    from primeval.primitives.user import Primitive, register

    register(Primitive("SOFTPLUS", ("input1",), "elementwise", "tf.math.softplus"), kernel=...)

Here is what can be said without TensorFlow: names, fields, rules, modules. A kernel is a
function that imports what it needs inside, so that programs with it can be read anywhere;
`primitives/promises.py` tries it before it is used. docs/primitives.md has a whole example.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from primeval.primitives.errors import UserError
from primeval.primitives.primitive import CONSTANT, INPUT_1, INPUT_2, Primitive, Vocabulary
from primeval.primitives.tensorflow_text import TEMPLATES
from primeval.primitives.vocabulary import PRIMITIVES

__all__ = ["Kernel", "Primitive", "PrimitiveError", "load_modules", "register", "restricted"]

Kernel = Callable[..., Any]

# CHOICE: primitives with weights, and products, are not open to users: initial values, costs
# and export know all of them. These rules are, with the fields their primitives may read.
OPEN_RULES: dict[str, tuple[tuple[str, ...], ...]] = {
    "elementwise": ((INPUT_1,), (INPUT_1, CONSTANT), (INPUT_1, INPUT_2)),
    "rowwise": ((INPUT_1,), (INPUT_1, CONSTANT)),
    "reduction": ((INPUT_1,), (INPUT_1, CONSTANT)),
    "cumulative": ((INPUT_1,), (INPUT_1, CONSTANT)),
}
_NAME = re.compile(r"(?!S\d)[A-Z][A-Z0-9_]{0,31}")
_RESERVED = re.compile(r"INPUT|INPUT_\d|BRANCH_.*")  # of resolved programs

USER_KERNELS: dict[str, Kernel] = {}
_loaded: set[str] = set()


class PrimitiveError(UserError):
    """A user's primitive that cannot be used; the message says which promise it breaks."""


def register(row: Primitive, kernel: Kernel, code: str = "") -> None:
    """Add a primitive to the vocabulary.

    Args:
        row: What programs, types and costs need to know; see `Primitive`.
        kernel: Its numbers: kernel(x), kernel(x, y) or kernel(x, constant), on tensors whose
            last axes are (position, channel), or (query, key) for scores, written with
            `keras.ops`, which is imported inside.
        code: How it is printed in TensorFlow, as `tf.math.softplus({a})`, with {b} for the
            second input and {c} for the constant.

    Raises:
        PrimitiveError: if the row is not a legal one. Its numbers are tried when TensorFlow
            is there: when a search starts, and before it is first used.
    """
    if not _NAME.fullmatch(row.name) or _RESERVED.fullmatch(row.name):
        raise PrimitiveError(
            "A primitive's name is of capital letters, digits and _, and not that of a call "
            f"(S1). Received: {row.name!r}."
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
    if row.name in PRIMITIVES:
        raise PrimitiveError(
            f"A primitive called {row.name!r} exists already. Choose another name."
        )
    PRIMITIVES.register(row)
    USER_KERNELS[row.name] = kernel
    if code:
        TEMPLATES[row.name] = code


def load_modules(modules: Sequence[str]) -> None:
    """Import modules, each once in a process. Raises PrimitiveError.

    Args:
        modules: Paths of Python files, or dotted names.
    """
    for module in modules:
        if module in _loaded:
            continue
        before = set(USER_KERNELS)
        try:
            _load(module)
        except PrimitiveError as error:
            raise PrimitiveError(f"{module}: {error}") from None
        except Exception as error:  # whatever a user's module does when it is imported
            raise PrimitiveError(
                f"{module}: this module could not be imported: {type(error).__name__}: {error}"
            ) from error
        if set(USER_KERNELS) == before:
            raise PrimitiveError(
                f"{module}: this module registered no primitive. It should call "
                "primeval.primitives.user.register(...)."
            )
        _loaded.add(module)


def _load(module: str) -> None:
    if not module.endswith(".py"):
        importlib.import_module(module)
        return
    path = Path(module)
    if not path.is_file():
        raise PrimitiveError("there is no such file.")
    digest = hashlib.sha256(module.encode()).hexdigest()[:8]
    name = f"primeval_user_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PrimitiveError("this file is no Python module.")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)


def restricted(names: Sequence[str]) -> Vocabulary:
    """The vocabulary of these primitives only; all of them for no names.

    Raises UnknownNameError, which offers the nearest ones.
    """
    if not names:
        return PRIMITIVES
    wanted = {PRIMITIVES[name].name for name in names}
    return Vocabulary(tuple(row for row in PRIMITIVES.values() if row.name in wanted))
