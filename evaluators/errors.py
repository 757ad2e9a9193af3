"""Errors of evaluation: what a user can get wrong, and how an unexpected error is shown."""

from __future__ import annotations

from primeval.primitives.errors import UserError

MESSAGE_LENGTH = 2000  # characters of an error's text that an outcome keeps


class DataError(UserError):
    """Text that cannot be used. The message names the setting of `data` and a remedy."""


class SettingError(UserError):
    """A setting outside its limits. `key` is its name in its section of the configuration."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def described(error: BaseException) -> str:
    """An error as `Type: message`, cut to `MESSAGE_LENGTH` characters."""
    return f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]
