"""What can be wrong with what is asked of an evaluator."""

from __future__ import annotations

from primeval.primitives.errors import UserError


class DataError(UserError):
    """Text that cannot be used; the message says which setting of `data` and what to do."""


class SettingError(UserError):
    """A setting outside its limits. `key` is its name in its section of the configuration."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
