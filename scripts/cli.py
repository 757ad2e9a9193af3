"""The `primeval` command: which subcommands there are, and what its exit status means.

Each module of COMMANDS adds its subcommands to the parser: `add(commands)` gives each parser
a default `run`, a function from the arguments to an exit status. Modules import what is heavy
inside `run`, as all of them are imported at every start.

Exit status: 0, 1 (the work failed), 2 (the user's input was wrong).
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from primeval.dna.check import ProgramError
from primeval.evaluators.texts import DataError
from primeval.primitives.primitive import UnknownNameError
from primeval.search.locking import RunError
from primeval.search.replay import ReplayError
from primeval.search.store import StoreError
from primeval.search.yaml_tree import ConfigError

COMMANDS = (
    "search_command",
    "resume",
    "check",
    "top",
    "show",
    "lineage",
    "export_command",
    "catalog",
)

USER_ERRORS = (ConfigError, DataError, ProgramError, RunError, UnknownNameError)
WORK_ERRORS = (ReplayError, StoreError)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="primeval",
        description="Evolve the TensorFlow program of a Transformer's decoder block.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"primeval.scripts.{name}").add(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up when asked: that takes longer than all other imports."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata

        print(f"primeval {metadata.version('primeval')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    _suggest(parser, arguments)
    args = parser.parse_args(arguments)
    try:
        status = int(args.run(args))
        sys.stdout.flush()
        return status
    except USER_ERRORS as error:
        print(f"primeval: {error}", file=sys.stderr)
        return 2
    except WORK_ERRORS as error:
        print(f"primeval: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _suggest(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Exit with the nearest command's name if there is none like the first argument."""
    (commands,) = (
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    if arguments and not arguments[0].startswith("-") and arguments[0] not in commands:
        near = difflib.get_close_matches(arguments[0], list(commands), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        parser.error(
            f"there is no command {arguments[0]!r}.{hint} Commands: {', '.join(commands)}."
        )


if __name__ == "__main__":
    sys.exit(main())
