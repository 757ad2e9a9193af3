"""`primeval search`: launch a search, show its progress, and print what it found."""

from __future__ import annotations

import argparse
from pathlib import Path

from primeval.dna.printing import format_program
from primeval.scripts.commands.arguments import add_config, add_set
from primeval.scripts.running.driving import drive_and_report
from primeval.scripts.running.starting import start_evaluator
from primeval.search.config.config import load_config
from primeval.search.drive.starting import check_seeds, load_seeds, make_search
from primeval.search.run.folder import check_free, create_run, first_seed


def add_search(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument(
        "--run-dir", metavar="DIR", help="the folder of the run; it must not hold a run yet"
    )
    add_set(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load_config(args.config, args.set, run_dir=args.run_dir)
    language = config.make_language()
    seeds = load_seeds(config.search.seeds, config.language, language.vocabulary)
    check_seeds(config, seeds, language)
    check_free(Path(config.run_dir))
    # the evaluator comes first: if it cannot start, nothing has been written
    evaluator = start_evaluator(config.task(format_program(first_seed(seeds))))
    try:
        opened = create_run(config, seeds)
    except BaseException:
        evaluator.close()
        raise
    try:
        search = make_search(config, list(opened.store.seeds.values()), language)
        return drive_and_report(opened, search, evaluator)
    finally:
        opened.close()
