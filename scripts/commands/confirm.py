"""`primeval confirm`: train the best again, with fresh seeds and on the test split."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.primitives.widths import Rejection
from primeval.scripts.commands.arguments import add_random_seeds, add_shared, whole_number
from primeval.scripts.running.confirming import (
    Setting,
    check_count,
    command_line,
    load_setting,
    open_setting,
    print_stopped,
    train,
)
from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import markdown, print_confirmed
from primeval.search.config.rungs import split_name
from primeval.search.confirm.training import (
    BASELINES,
    Entry,
    best_entries,
    distinct,
    entry_of,
)
from primeval.search.errors import RunError, writing
from primeval.search.run.folder import Run, reopen_run
from primeval.search.run.programs import find_individual, program_for
from primeval.search.run.schema import FILE_NAME
from primeval.search.views.confirmed_rows import ConfirmedRow, confirmed_rows

TOP = 5  # individuals
RANDOM_SEEDS = 5  # for each program
OPTIONS = ("--top", "--seeds", "--programs", "--set", "--run-dir", "--markdown")
COMMAND = ("confirm", ("target",), OPTIONS)  # what repeats it


def add_confirm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        metavar="RUN|CONFIG",
        help="the folder of a run; a YAML file or packaged name; with @N the scale of rung N "
        "(default for a run: the highest)",
    )
    parser.add_argument(
        "--top",
        type=whole_number(0),
        metavar="K",
        help=f"train the best K of the run (default: {TOP}, with --programs 0)",
    )
    add_random_seeds(parser, RANDOM_SEEDS)
    parser.add_argument(
        "--programs",
        metavar="A,B,…",
        help="programs to train besides the run's seeds: built-in names, files, RUN:ID, or "
        f"numbers of individuals (default: {','.join(BASELINES)})",
    )
    add_shared(parser, "--set")
    parser.add_argument(
        "--run-dir",
        metavar="DIR",
        help="with CONFIG: the folder of the results (default: runs/confirm-NAME)",
    )
    parser.add_argument(
        "--markdown", metavar="FILE", type=Path, help="write the table to this file, too"
    )
    add_shared(parser, "--json")


def run_confirm(args: argparse.Namespace) -> int:
    _check_arguments(args)
    with ExitStack() as held:
        find = _of_run if _is_run(args.target) else _of_config
        setting, found, entries = find(args, held)
        opened, finished = train(setting, found, entries, args.seeds, held)
        names = {entry.fingerprint: entry.name for entry in entries}
        rows = confirmed_rows(opened, names, args.seeds, setting.rung)
        _report(opened, rows, setting.rung, args, finished)
    return 0 if not finished or any(row.figures.loss is not None for row in rows) else 1


def _check_arguments(args: argparse.Namespace) -> None:
    check_count(args.seeds)
    path = args.markdown
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise RunError(f"--markdown is a file in a folder that exists. Received: {path}.")
    if _is_run(args.target):
        if args.run_dir is not None:
            raise RunError("A run is confirmed in its own folder. Leave --run-dir out.")
    elif args.top:
        raise RunError(
            f"--top is about the individuals of a run, and {args.target} is no run. "
            "Give the folder of a run, or --programs."
        )


def _is_run(target: str) -> bool:
    """Whether the target names a run, even a missing one, rather than a configuration."""
    path = Path(split_name(target)[0])
    missing = not path.exists() and "/" in str(path) and path.suffix not in (".yaml", ".yml")
    return missing or path.is_dir() or path.name == FILE_NAME


Found = tuple[Setting, Run | None, list[Entry]]


def _of_run(args: argparse.Namespace, held: ExitStack) -> Found:
    """The settings of a run, the run, and what to train: its seeds, named programs, its best.

    `held` closes the run. CHOICE: without a rung it is the highest, because what counts is what
    holds there.
    """
    folder, rung = split_name(args.target)
    opened = held.enter_context(closing(reopen_run(folder, args.set, lasting=False)))
    rung = _rung_of(opened, rung)
    best = TOP if args.top is None and args.programs is None else args.top or 0
    vocabulary = opened.language.vocabulary
    texts = opened.store.seeds
    seeds = {name: parse(text, name, vocabulary) for name, text in texts.items()}
    setting = Setting(opened.config.on(rung), seeds, vocabulary, rung)
    entries = [*_entries(args.programs, setting, opened), *best_entries(opened, best, rung)]
    return setting, opened, distinct(entries)


def _rung_of(run: Run, rung: int | None) -> int:
    """The rung to confirm on. Raises RunError if the run does not have it."""
    numbers = run.config.rung_numbers
    if rung is None:
        if len(numbers) > 1:
            lower = f"for another one: {run.folder}@{numbers[0]}"
            print(f"Confirming on rung {numbers[-1]}, the highest; {lower}", file=sys.stderr)
        return numbers[-1]
    if rung not in numbers:
        count = f"{len(numbers)} rung{'s' if len(numbers) > 1 else ''}"
        raise RunError(f"{run.folder} has {count}, numbered from 1. Received: {rung}.")
    return rung


def _of_config(args: argparse.Namespace, held: ExitStack) -> Found:
    """A configuration, its run if there is one, and what to train: seeds, named programs.

    `held` closes the run.
    """
    setting = load_setting(args.target, args.set, args.run_dir)
    entries = distinct(_entries(args.programs, setting, None))
    opened = open_setting(setting, "Another folder: --run-dir DIR.", held)
    return setting, opened, entries


def _entries(names: str | None, setting: Setting, run: Run | None) -> list[Entry]:
    """The seeds of a search, and the programs in a list of names.

    All are compared with the first seed. Without a list: the baselines that fit the scale.
    """
    entries = [
        entry_of(name, program, setting.config) for name, program in setting.seeds.items()
    ]
    if names is not None:
        given = [name.strip() for name in names.split(",")]
        return entries + [_entry(name, setting, run) for name in given if name]
    for name in BASELINES:
        try:
            entries.append(entry_of(name, load_seed(name), setting.config))
        except Rejection as rejection:
            print(f"{name} is left out, as it does not fit: {rejection}.", file=sys.stderr)
    return entries


def _entry(name: str, setting: Setting, run: Run | None) -> Entry:
    own = run is not None and name.isdecimal()
    if run is not None and own:
        program = find_individual(f"{run.folder}:{name}")[1].program(setting.vocabulary)
    else:
        program = program_for(name, setting.vocabulary)
    try:
        entry = entry_of(name, program, setting.config)
    except Rejection as rejection:
        raise RunError(f"{name} cannot be trained at this scale: {rejection}.") from None
    return dataclasses.replace(entry, name=f"#{name}", individual=int(name)) if own else entry


def _report(
    run: Run, rows: list[ConfirmedRow], rung: int, args: argparse.Namespace, finished: bool
) -> None:
    if args.json:
        programs = [row.as_json() for row in rows]
        data = {"split": "test", "rung": rung, "seeds": args.seeds, "finished": finished}
        terminal.print_json(data | {"programs": programs})
    else:
        print_confirmed(run, rows, rung)
    if args.markdown is not None:
        _write(args.markdown, markdown(run, rows, command_line(args, *COMMAND), rung))
    if not finished:
        print_stopped(args, *COMMAND)


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.write_text(text, encoding="utf-8")
    print(f"\nThe table is in {path}.", file=sys.stderr)
