"""What the programs of one run are written in: a value, made once and handed on.

A language is the 39 primitives and those of the user's modules. Making one imports these
modules; nothing else does, and nothing global changes. So the languages of several runs can
be in use in one process, even if two of them give one name to different primitives.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from primeval.primitives.errors import UnknownNameError
from primeval.primitives.primitive import Kernel, Primitive, Vocabulary
from primeval.primitives.user import PrimitiveError, collecting, users_primitive
from primeval.primitives.vocabulary import PRIMITIVES


@dataclass(frozen=True)
class Language:
    """The primitives of a run.

    Attributes:
        vocabulary: All that its programs may consist of: the built-in and the user's.
        drawn: Those of them that mutations draw from. Seeds may use no others.
    """

    vocabulary: Vocabulary = PRIMITIVES
    drawn: Vocabulary = PRIMITIVES

    def with_primitive(self, row: Primitive, kernel: Kernel, code: str = "") -> Language:
        """This language and one more primitive; the arguments are those of `user.register`.

        Raises PrimitiveError if the row is not a legal one, or its name is taken.
        """
        rows = (users_primitive(row, kernel, code),)
        return Language(_extended(self.vocabulary, rows), _extended(self.drawn, rows))


def make_language(modules: Sequence[str] = (), primitives: Sequence[str] = ()) -> Language:
    """The language that a configuration asks for.

    Args:
        modules: Paths of Python files, or dotted names of modules, that register primitives.
            A process imports each version of a module once, so that two languages of the
            same modules share their vocabulary.
        primitives: Names of the primitives that mutations draw from; all for none.

    Raises:
        PrimitiveError: if a module cannot be imported or registers nothing, or if a name is
            unknown or taken; the message names the setting.
    """
    vocabulary = _vocabulary(tuple((name, _version(name)) for name in modules))
    try:
        return Language(vocabulary, vocabulary.restricted(primitives))
    except UnknownNameError as error:
        raise PrimitiveError(f"language.primitives: {error}") from None


@lru_cache(maxsize=64)
def _vocabulary(modules: tuple[tuple[str, str], ...]) -> Vocabulary:
    """The vocabulary with the primitives of these modules, each given with its version."""
    vocabulary = PRIMITIVES
    for module, version in modules:
        try:
            vocabulary = _extended(vocabulary, _rows_of(module, version))
        except PrimitiveError as error:
            raise PrimitiveError(f"language.modules: {module}: {error}") from None
    return vocabulary


def _extended(vocabulary: Vocabulary, rows: Iterable[Primitive]) -> Vocabulary:
    """The vocabulary and further rows. Raises PrimitiveError if a name is taken."""
    known = dict(vocabulary)
    for row in rows:
        if row.name in known:
            raise PrimitiveError(
                f"A primitive called {row.name!r} exists already. Choose another name."
            )
        known[row.name] = row
    return Vocabulary(tuple(known.values()))


def _version(module: str) -> str:
    """What tells two versions of a module's file apart; dotted names have one version."""
    if not module.endswith(".py"):
        return ""
    try:
        return hashlib.sha256(Path(module).read_bytes()).hexdigest()
    except FileNotFoundError:
        problem = "there is no such file. Put it there, or correct the path."
    except OSError as error:
        problem = f"this file cannot be read: {error.strerror}."
    raise PrimitiveError(f"language.modules: {module}: {problem}")


@lru_cache(maxsize=64)
def _rows_of(module: str, version: str) -> tuple[Primitive, ...]:
    """The primitives that a module registers when it is imported."""
    with collecting() as rows:
        try:
            _import(module, version)
        except PrimitiveError:
            raise
        except Exception as error:  # a user's module may fail in any way
            raise PrimitiveError(
                f"this module could not be imported: {type(error).__name__}: {error}"
            ) from error
    if not rows:
        raise PrimitiveError(
            "this module registered no primitive. It should call "
            "primeval.primitives.user.register(...)."
        )
    return tuple(rows)


def _import(module: str, version: str) -> None:
    """Run a module's code, whether or not it has been imported before."""
    if not module.endswith(".py"):
        if module in sys.modules:
            importlib.reload(sys.modules[module])
        else:
            importlib.import_module(module)
        return
    digest = hashlib.sha256(f"{module} {version}".encode()).hexdigest()[:8]
    name = f"primeval_user_{Path(module).stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, module)
    if spec is None or spec.loader is None:
        raise PrimitiveError("this file is no Python module.")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
