"""Arguments that several commands take, and the types that argparse reads their values with."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

SHARED: dict[str, dict[str, Any]] = {
    "config": {
        "metavar": "CONFIG",
        "help": "a YAML file, or the name of a packaged configuration",
    },
    "run_folder": {"metavar": "RUN", "help": "the folder of a run"},
    "--set": {
        "action": "append",
        "default": [],
        "metavar": "KEY=VALUE",
        "help": "override a setting, as in --set budget.max_time=2h; may be repeated",
    },
    "--json": {"action": "store_true", "help": "print JSON instead of text"},
    "--color": {
        "choices": ("auto", "always", "never"),
        "default": "auto",
        "help": "auto (the default) colours the text on a terminal, unless NO_COLOR is set",
    },
}


def add_shared(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add arguments of the table SHARED."""
    for name in names:
        parser.add_argument(name, **SHARED[name])


def add_random_seeds(parser: argparse.ArgumentParser, default: int) -> None:
    """Add `--seeds N`, the number of random seeds."""
    parser.add_argument(
        "--seeds",
        type=whole_number(0),
        default=default,
        metavar="N",
        help=f"train each program with N random seeds (default: {default})",
    )


def add_watch(parser: argparse.ArgumentParser, seconds: float, what: str) -> None:
    """Add `--watch [SECONDS]`. `what` is the start of its help, `seconds` its default."""
    parser.add_argument(
        "--watch",
        nargs="?",
        type=positive_seconds,
        const=seconds,
        metavar="SECONDS",
        help=f"{what} every SECONDS (default: {seconds:g}) until the search ends",
    )


def whole_number(smallest: int) -> Callable[[str], int]:
    """The argparse type of whole numbers that are at least `smallest`."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() and len(text) <= 9 else -1
        if number < smallest:
            raise argparse.ArgumentTypeError(
                f"must be a whole number, {smallest} or more. Received: {text!r}."
            )
        return number

    return read


def positive_seconds(text: str) -> float:
    """The argparse type of times in seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds, more than 0. Received: {text!r}."
        )
    return seconds
