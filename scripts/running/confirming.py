"""Training programs for `confirm` and `agree`: under which settings, and in which folder.

Both train alike and into the same folders, so that neither repeats what the other has done.
"""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from primeval.dna.program import Program
from primeval.primitives.primitive import Vocabulary
from primeval.scripts.running.confirm_progress import confirm_progress
from primeval.scripts.running.driving import log_to
from primeval.scripts.running.starting import start_evaluator
from primeval.search.config.config import load_config
from primeval.search.config.settings import RunConfig
from primeval.search.confirm.training import (
    Entry,
    confirm,
    confirming_task,
    missing_jobs,
    run_of,
)
from primeval.search.drive.starting import check_seeds, load_seeds
from primeval.search.errors import ConfigError, RunError
from primeval.search.run.folder import Run, create_run

MAX_RANDOM_SEEDS = 1000  # for each program


class Setting(NamedTuple):
    """A configuration to train programs under, without a search.

    Attributes:
        config: Its settings; `run_dir` is the folder of the results, which may not exist yet.
        seeds: The seeds of its search, by name. All programs are compared with the first.
        vocabulary: The primitives of its programs.
    """

    config: RunConfig
    seeds: dict[str, Program]
    vocabulary: Vocabulary


def load_setting(reference: str, sets: Sequence[str], folder: str | None = None) -> Setting:
    """A configuration, its seeds checked. Raises UserError; writes nothing.

    Args:
        reference: Names the configuration.
        sets: Overrides, `key.path=value` each.
        folder: Of the results; None for a sibling of the folder that a search would use.
    """
    config = load_config(reference, sets)
    own = Path(config.run_dir)
    folder = folder or str(own.parent / f"confirm-{own.name}")
    config = dataclasses.replace(config, run_dir=folder)
    language = config.make_language()
    seeds = load_seeds(config.search.seeds, config.language, language.vocabulary)
    check_seeds(config, seeds, language)
    return Setting(config, seeds, language.vocabulary)


def open_setting(setting: Setting, remedy: str, held: ExitStack) -> Run | None:
    """The run in its folder, which `held` closes; None if there is none yet.

    Raises UserError if its folder cannot be used. If its run has other settings, `remedy` says
    how to name another folder.
    """
    try:
        run = run_of(setting.config)
    except ConfigError as error:
        raise ConfigError(f"{setting.config.run_dir}: {error} {remedy}") from None
    return None if run is None else held.enter_context(closing(run))


def check_count(seeds: int) -> None:
    """Raise RunError if programs cannot be trained with so many random seeds."""
    if not 1 <= seeds <= MAX_RANDOM_SEEDS:
        raise RunError(f"--seeds is a number from 1 to {MAX_RANDOM_SEEDS}. Received: {seeds}.")


def train(
    setting: Setting, opened: Run | None, entries: Sequence[Entry], seeds: int, held: ExitStack
) -> tuple[Run, bool]:
    """Train each program with each seed that it lacks; False if the user stopped it.

    Args:
        setting: What they are trained under.
        opened: The run that takes the outcomes; None to make it. It is made only after the
            evaluator has started, so that nothing is written if that fails.
        entries: The programs, the first seed first.
        seeds: How many fresh seeds.
        held: Closes the evaluator, and a run that was made.
    """
    trainings = len(entries) * seeds
    jobs = [] if opened is None else missing_jobs(opened, entries, seeds)
    if opened is not None and not jobs:
        return opened, True
    task = confirming_task(setting.config, entries[0].text, len(jobs) or trainings)
    evaluator = held.enter_context(closing(start_evaluator(task)))
    if opened is None:
        opened = held.enter_context(closing(create_run(setting.config, setting.seeds)))
        jobs = missing_jobs(opened, entries, seeds)
    done = trainings - len(jobs)
    before = f", {done} of {trainings} already trained" if done else ""
    print(f"{opened.folder}: {len(entries)} programs, {seeds} seeds{before}", file=sys.stderr)
    log_to(opened.folder)
    with confirm_progress(len(jobs)) as told:
        return opened, confirm(opened, jobs, evaluator, told)


def print_stopped(
    args: argparse.Namespace, command: str, places: Sequence[str], options: Sequence[str]
) -> None:
    """Say that the user stopped it, and how to continue."""
    line = command_line(args, command, places, options)
    print(f"\nStopped as asked; what is done is kept. To continue:\n  {line}", file=sys.stderr)


def command_line(
    args: argparse.Namespace, command: str, places: Sequence[str], options: Sequence[str]
) -> str:
    """The command line that repeats a command.

    Args:
        args: Its arguments.
        command: Its name.
        places: Names of the arguments without an option.
        options: The options to repeat; `--set` may have been given several times.
    """
    words = ["primeval", command, *(getattr(args, name) for name in places)]
    for option in options:
        value = getattr(args, option[2:].replace("-", "_"))
        for one in value if option == "--set" else [value]:
            words += [] if one is None else [option, str(one)]
    return shlex.join(words)
