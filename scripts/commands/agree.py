"""`primeval agree`: train the same programs under two configurations, compare the rankings."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from primeval.dna.library import built_in_names
from primeval.primitives.widths import Rejection
from primeval.scripts.commands.arguments import add_random_seeds, add_shared
from primeval.scripts.drawing.files import KINDS
from primeval.scripts.running.confirming import (
    Setting,
    check_count,
    load_setting,
    open_setting,
    print_stopped,
    train,
)
from primeval.scripts.tables.agreement import print_agreement
from primeval.scripts.tables.terminal import print_json
from primeval.search.config.changes import refuse_incomparable
from primeval.search.config.settings import RunConfig
from primeval.search.confirm.training import Entry, distinct, entry_of
from primeval.search.errors import ConfigError, RunError, writing
from primeval.search.run.programs import program_for
from primeval.search.views.agreement import Agreement, Side, agreement, side_of

RANDOM_SEEDS = 2  # for each program
FEWEST = 3  # programs; two are in one order or the other
OPTIONS = ("--programs", "--seeds", "--set", "--figure")
COMMAND = ("agree", ("config_a", "config_b"), OPTIONS)  # what repeats it
REMEDY = "For another folder, write `run_dir: DIR` into one of the configurations."


@dataclass
class Scale:
    """One of the two configurations.

    Attributes:
        name: What the user calls it.
        setting: The configuration.
        entries: What to train under it, the first seed first.
    """

    name: str
    setting: Setting
    entries: list[Entry]

    def fitting(self, reference: str) -> Entry | None:
        """A program by its reference; None, and a line that says so, if it does not fit."""
        program = program_for(reference, self.setting.vocabulary)
        try:
            return entry_of(reference, program, self.setting.config)
        except Rejection as rejection:
            print(
                f"{reference} is left out, as it does not fit {self.name}: {rejection}.",
                file=sys.stderr,
            )
            return None


def add_agree(parser: argparse.ArgumentParser) -> None:
    for letter in ("a", "b"):
        parser.add_argument(
            f"config_{letter}",
            metavar=f"CONFIG_{letter.upper()}",
            help="a YAML file, or the name of a packaged configuration",
        )
    parser.add_argument(
        "--programs",
        metavar="A,B,…",
        help="programs to rank besides the first seed: built-in names, files or RUN:ID "
        "(default: all built-in programs)",
    )
    add_random_seeds(parser, RANDOM_SEEDS)
    add_shared(parser, "--set")
    parser.add_argument(
        "--figure", metavar="FILE", type=Path, help="draw the programs into FILE.svg"
    )
    add_shared(parser, "--json")


def run_agree(args: argparse.Namespace) -> int:
    check_count(args.seeds)
    _check_figure(args.figure)
    scales = _scales(args)
    found = None
    with ExitStack() as held:
        # both folders are opened before hours are spent on the first
        opened = [open_setting(scale.setting, REMEDY, held) for scale in scales]
        sides: list[Side] = []
        for scale, before in zip(scales, opened, strict=True):
            run, finished = train(scale.setting, before, scale.entries, args.seeds, held)
            if not finished:
                break
            names = {entry.fingerprint: entry.name for entry in scales[0].entries}
            sides.append(side_of(scale.name, run, names, args.seeds))
        else:
            found = agreement(*sides)
    _report(found, args)
    return 0 if found is None or found.spearman.value is not None else 1


def _check_figure(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in KINDS:
        raise RunError(f"--figure is a file that ends in .svg or .png. Received: {path}.")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise RunError(f"--figure is a file in a folder that exists. Received: {path}.")


def _scales(args: argparse.Namespace) -> list[Scale]:
    """Both configurations with the programs that fit both, the first seed first."""
    scales = []
    for name in (args.config_a, args.config_b):
        setting = load_setting(name, args.set)
        seed, program = next(iter(setting.seeds.items()))
        scales.append(Scale(name, setting, [entry_of(seed, program, setting.config)]))
    _check_scales(*scales)
    listed = built_in_names() if args.programs is None else args.programs.split(",")
    for reference in filter(None, map(str.strip, listed)):
        first, second = (scale.fitting(reference) for scale in scales)
        if first is not None and second is not None:
            scales[0].entries.append(first)
            scales[1].entries.append(second)
    for scale in scales:
        scale.entries = distinct(scale.entries)
    names = [one.name for one in scales[0].entries]
    if len(names) < FEWEST:
        raise RunError(
            f"A ranking takes {FEWEST} programs or more, the first seed included. "
            f"Received: {', '.join(names)}. Name more: --programs A,B,…"
        )
    return scales


def _check_scales(a: Scale, b: Scale) -> None:
    """Raise ConfigError if rankings under the two cannot be compared, or are the same."""
    one, other = a.setting.config, b.setting.config
    if _same(one, other):
        raise ConfigError(
            f"{a.name} and {b.name} train alike, so their rankings are the same. Give two "
            "configurations that differ in their model, data, training, budget or seed."
        )
    if Path(one.run_dir).absolute() == Path(other.run_dir).absolute():
        raise ConfigError(
            f"{a.name} and {b.name} would both keep their results in {one.run_dir}. {REMEDY}"
        )
    if a.entries[0].fingerprint != b.entries[0].fingerprint:
        raise ConfigError(
            f"Losses are compared with the first seed's, and that is {a.entries[0].name} in "
            f"{a.name} and {b.entries[0].name} in {b.name}. Give both the same one: "
            "--set search.seeds=[transformer]"
        )


def _same(one: RunConfig, other: RunConfig) -> bool:
    """Whether two configurations give the same losses."""
    try:
        refuse_incomparable(one, replace(other, run_dir=one.run_dir))
    except ConfigError:
        return False
    return True


def _report(found: Agreement | None, args: argparse.Namespace) -> None:
    if args.json:
        data = {"split": "test", "seeds": args.seeds, "finished": found is not None}
        print_json(data | ({} if found is None else found.as_json()))
    elif found is not None:
        print_agreement(found)
    if found is None:
        print_stopped(args, *COMMAND)
    elif args.figure is not None:
        # imported here because matplotlib is slow to import, and only the figure needs it
        from primeval.scripts.drawing.scatter import draw_scatter

        with writing(args.figure):
            draw_scatter(found, args.figure)
        print(f"\nThe figure is in {args.figure}.", file=sys.stderr)
