"""What can be wrong with a search, its configuration and its run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primeval.primitives.errors import UserError, WorkError


class ConfigError(UserError):
    """A configuration that cannot be used; the message says where and why."""


class RunError(UserError):
    """A run that cannot be used as asked; the message says why and what to do."""


class LanguageError(RunError):
    """A run whose programs cannot be read, as a module of users' primitives is not usable."""


class StoreError(WorkError):
    """The run's store cannot be read or written: no space, no permission, damage."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write a file that the user wants. Raises RunError if that fails."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None
