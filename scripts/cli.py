"""The `primeval` command: which subcommands there are, and what its exit status means.

Each module of COMMANDS adds its subcommands to the parser: `add(commands)` gives each parser
a default `run`, a function from the arguments to an exit status. Modules import what is heavy
inside `run`, as all of them are imported for `primeval --help`.

Exit status: 0, 1 (the work failed), 2 (the user's input was wrong).
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from primeval.primitives.errors import UserError, WorkError, did_you_mean

# Modules, and the commands each of them adds.
COMMANDS = {
    "search": ("search",),
    "resume": ("resume", "replay"),
    "inject": ("inject",),
    "check": ("check",),
    "top": ("top",),
    "confirm": ("confirm",),
    "show": ("show",),
    "lineage": ("lineage",),
    "report": ("report",),
    "export": ("export",),
    "catalog": ("seeds", "primitives"),
}


def build_parser(command: str = "") -> argparse.ArgumentParser:
    """The parser of all commands, or of one, which is made faster."""
    parser = argparse.ArgumentParser(
        prog="primeval",
        description="Evolve the TensorFlow program of a Transformer's decoder block.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    modules = [name for name, added in COMMANDS.items() if command in added] or COMMANDS
    for name in modules:
        importlib.import_module(f"primeval.scripts.commands.{name}").add(commands)
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
    parser = build_parser(arguments[0] if arguments else "")
    _suggest(parser, arguments)
    args = parser.parse_args(arguments)
    try:
        status = int(args.run(args))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, WorkError) as error:
        print(f"primeval: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1


def _suggest(parser: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Exit with the nearest command's name if there is none like the first argument."""
    (commands,) = (
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    if arguments and not arguments[0].startswith("-") and arguments[0] not in commands:
        hint = did_you_mean(arguments[0], commands, 1)
        parser.error(
            f"there is no command {arguments[0]!r}.{hint} Commands: {', '.join(commands)}."
        )


if __name__ == "__main__":
    sys.exit(main())
