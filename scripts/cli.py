"""The `primeval` command: the table of its subcommands, and the meaning of its exit status.

A command is a module of `scripts/commands/`. For command NAME the module has two functions:
`add_NAME(parser)` adds the command's arguments, and `run_NAME(args)` runs it with the parsed
ones. It returns an exit status, or None for 0. Only the module of the command that is asked
for is imported, so `primeval --help` imports none, and a module imports at its top all that
its command needs in any case.

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

# The module of each command, in `scripts/commands/`, and its line in `primeval --help`.
COMMANDS = {
    "search": ("search", "launch a search"),
    "resume": ("resume", "continue a run after any kind of stop"),
    "replay": ("resume", "derive every individual of a run again"),
    "inject": ("inject", "give programs to a running or stopped search"),
    "check": ("check", "validate a configuration, try it for some seconds, forecast its cost"),
    "top": ("top", "print the ranking of a run"),
    "confirm": ("confirm", "train the best again, with fresh seeds and on the test split"),
    "agree": ("agree", "compare the rankings of programs under two configurations"),
    "show": ("show", "print a program: text, code, costs, differences"),
    "lineage": ("lineage", "print the edits from the seed to an individual"),
    "report": ("report", "write a run as one HTML file, for a browser"),
    "export": ("export", "write a program as a Keras model or as source"),
    "seeds": ("catalog", "list the built-in programs"),
    "primitives": ("catalog", "list the built-in operations"),
}


def build_parser(command: str = "") -> argparse.ArgumentParser:
    """The parser of `primeval`; of the subcommands only `command` has its arguments."""
    parser = argparse.ArgumentParser(
        prog="primeval",
        description="Evolve the TensorFlow program of a Transformer's decoder block.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, line) in COMMANDS.items():
        subparser = commands.add_parser(name, help=line)
        if name == command:
            found = importlib.import_module(f"primeval.scripts.commands.{module}")
            getattr(found, f"add_{name}")(subparser)
            subparser.set_defaults(run=getattr(found, f"run_{name}"))
    return parser


class _Version(argparse.Action):
    """Prints the version. It is looked up only here: that takes longer than all imports."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib import metadata

        print(f"primeval {metadata.version('primeval')}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in arguments if not word.startswith("-")), "")
    parser = build_parser(command)
    if command and command not in COMMANDS:
        hint = did_you_mean(command, COMMANDS, 1)
        parser.error(f"there is no command {command!r}.{hint} Commands: {', '.join(COMMANDS)}.")
    args = parser.parse_args(arguments)
    try:
        status = int(args.run(args) or 0)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of the pipe has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, WorkError) as error:
        print(f"primeval: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1


if __name__ == "__main__":
    sys.exit(main())
