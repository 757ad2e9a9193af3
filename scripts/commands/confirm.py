"""`primeval confirm`: train the best again, with fresh seeds and on the test split."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.widths import Rejection
from primeval.scripts.commands.arguments import add_json, add_set, whole_number
from primeval.scripts.running.confirm_progress import confirm_progress
from primeval.scripts.running.driving import log_to
from primeval.scripts.running.starting import start_evaluator
from primeval.scripts.tables import terminal
from primeval.scripts.tables.confirmed import markdown, print_confirmed
from primeval.search.config.config import load_config
from primeval.search.config.settings import RunConfig
from primeval.search.confirm.training import (
    BASELINES,
    Entry,
    Job,
    best_entries,
    confirm,
    confirming_task,
    distinct,
    entry_of,
    missing_jobs,
    run_of,
)
from primeval.search.drive.starting import check_seeds, load_seeds
from primeval.search.errors import ConfigError, RunError
from primeval.search.run.folder import Run, create_run, reopen_run
from primeval.search.run.programs import find_individual, program_for
from primeval.search.run.schema import FILE_NAME
from primeval.search.views.confirmed_rows import ConfirmedRow, confirmed_rows

if TYPE_CHECKING:
    from primeval.evaluators.evaluator import Evaluator

TOP = 5  # individuals
RANDOM_SEEDS, MAX_RANDOM_SEEDS = 5, 1000  # for each program


def add_confirm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", metavar="RUN|CONFIG", help="the folder of a run; a YAML file or packaged name"
    )
    parser.add_argument(
        "--top",
        type=whole_number(0),
        metavar="K",
        help=f"train the best K of the run (default: {TOP}, with --programs 0)",
    )
    parser.add_argument(
        "--seeds",
        type=whole_number(0),
        default=RANDOM_SEEDS,
        metavar="N",
        help=f"train each program with N random seeds (default: {RANDOM_SEEDS})",
    )
    parser.add_argument(
        "--programs",
        metavar="A,B,…",
        help="programs to train besides the run's seeds: built-in names, files, RUN:ID, or "
        f"numbers of individuals (default: {','.join(BASELINES)})",
    )
    add_set(parser)
    parser.add_argument(
        "--run-dir",
        metavar="DIR",
        help="with CONFIG: the folder of the results (default: runs/confirm-NAME)",
    )
    parser.add_argument(
        "--markdown", metavar="FILE", type=Path, help="write the table to this file, too"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    _check_arguments(args)
    opened, entries, evaluator = (_of_run if _is_run(args.target) else _of_config)(args)
    try:
        jobs = missing_jobs(opened, entries, args.seeds)
        finished = not jobs or _train(opened, entries, jobs, args.seeds, evaluator)
        names = {entry.fingerprint: entry.name for entry in entries}
        rows = confirmed_rows(opened, names, args.seeds)
        _report(opened, rows, args, finished)
    finally:
        opened.close()
    return 0 if not finished or any(row.figures.loss is not None for row in rows) else 1


def _check_arguments(args: argparse.Namespace) -> None:
    if not 1 <= args.seeds <= MAX_RANDOM_SEEDS:
        raise RunError(
            f"--seeds is a number from 1 to {MAX_RANDOM_SEEDS}. Received: {args.seeds}."
        )
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
    path = Path(target)
    missing = not path.exists() and "/" in target and path.suffix not in (".yaml", ".yml")
    return missing or path.is_dir() or path.name == FILE_NAME


def _of_run(args: argparse.Namespace) -> tuple[Run, list[Entry], None]:
    """The run, and what to train: its seeds, the named programs, its best."""
    opened = reopen_run(args.target, args.set, lasting=False)
    try:
        best = TOP if args.top is None and args.programs is None else args.top or 0
        vocabulary = opened.language.vocabulary
        texts = opened.store.seeds
        seeds = {name: parse(text, name, vocabulary) for name, text in texts.items()}
        named = _named_entries(args.programs, opened.config, opened, vocabulary)
        entries = [*_seed_entries(seeds, opened.config), *named, *best_entries(opened, best)]
        return opened, distinct(entries), None
    except BaseException:
        opened.close()
        raise


def _of_config(args: argparse.Namespace) -> tuple[Run, list[Entry], Evaluator | None]:
    """A run without a search, and what to train: the configuration's seeds, named programs.

    A new folder is made only after its evaluator has started, so that nothing is written if
    that fails; the evaluator is returned, too. For an existing folder it is None.
    """
    config = load_config(args.target, args.set)
    # by default a sibling of the folder that `primeval search` would use
    own = Path(config.run_dir)
    folder = args.run_dir or str(own.parent / f"confirm-{own.name}")
    config = dataclasses.replace(config, run_dir=folder)
    language = config.make_language()
    seeds = load_seeds(config.search.seeds, config.language, language.vocabulary)
    check_seeds(config, seeds, language)
    named = _named_entries(args.programs, config, None, language.vocabulary)
    entries = distinct([*_seed_entries(seeds, config), *named])
    try:
        opened = run_of(config)
    except ConfigError as error:
        raise ConfigError(f"{folder}: {error} Another folder: --run-dir DIR.") from None
    if opened is not None:
        return opened, entries, None
    task = confirming_task(config, entries[0].text, len(entries) * args.seeds)
    evaluator = start_evaluator(task)
    try:
        return create_run(config, seeds), entries, evaluator
    except BaseException:
        evaluator.close()
        raise


def _seed_entries(seeds: dict[str, Program], config: RunConfig) -> list[Entry]:
    """The programs that a search starts from; the others are compared with the first."""
    return [entry_of(name, program, config) for name, program in seeds.items()]


def _named_entries(
    names: str | None, config: RunConfig, run: Run | None, vocabulary: Vocabulary
) -> list[Entry]:
    """The programs in a list of names; without a list, the baselines that fit the scale."""
    if names is not None:
        given = [name.strip() for name in names.split(",")]
        return [_entry(name, config, run, vocabulary) for name in given if name]
    entries = []
    for name in BASELINES:
        try:
            entries.append(entry_of(name, load_seed(name), config))
        except Rejection as rejection:
            print(f"{name} is left out, as it does not fit: {rejection}.", file=sys.stderr)
    return entries


def _entry(name: str, config: RunConfig, run: Run | None, vocabulary: Vocabulary) -> Entry:
    own = run is not None and name.isdecimal()
    if run is not None and own:
        program = find_individual(f"{run.folder}:{name}")[1].program(vocabulary)
    else:
        program = program_for(name, vocabulary)
    try:
        entry = entry_of(name, program, config)
    except Rejection as rejection:
        raise RunError(f"{name} cannot be trained at this scale: {rejection}.") from None
    return dataclasses.replace(entry, name=f"#{name}", individual=int(name)) if own else entry


def _train(
    run: Run,
    entries: Sequence[Entry],
    jobs: Sequence[Job],
    seeds: int,
    evaluator: Evaluator | None,
) -> bool:
    """Train what is missing; returns False if the user asked to stop before the end."""
    done = len(entries) * seeds - len(jobs)
    before = f", {done} of {done + len(jobs)} already trained" if done else ""
    print(f"{run.folder}: {len(entries)} programs, {seeds} seeds{before}", file=sys.stderr)
    if evaluator is None:
        evaluator = start_evaluator(confirming_task(run.config, run.reference, len(jobs)))
    log_to(run.folder)
    with confirm_progress(len(jobs)) as told:
        return confirm(run, jobs, evaluator, told)


def _report(
    run: Run, rows: list[ConfirmedRow], args: argparse.Namespace, finished: bool
) -> None:
    if args.json:
        programs = [row.as_json() for row in rows]
        data = {"split": "test", "seeds": args.seeds, "finished": finished}
        terminal.print_json(data | {"programs": programs})
    else:
        print_confirmed(run, rows)
    if args.markdown is not None:
        _write(args.markdown, markdown(run, rows, _command(args)))
    if not finished:
        print(
            f"\nStopped as asked; what is done is kept. To continue:\n  {_command(args)}",
            file=sys.stderr,
        )


def _command(args: argparse.Namespace) -> str:
    """The command line that repeats this command."""
    words = ["primeval", "confirm", args.target]
    if args.top is not None:
        words += ["--top", str(args.top)]
    words += ["--seeds", str(args.seeds)]
    if args.programs is not None:
        words += ["--programs", args.programs]
    for assignment in args.set:
        words += ["--set", assignment]
    if args.run_dir is not None:
        words += ["--run-dir", args.run_dir]
    if args.markdown is not None:
        words += ["--markdown", str(args.markdown)]
    return shlex.join(words)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None
    print(f"\nThe table is in {path}.", file=sys.stderr)
