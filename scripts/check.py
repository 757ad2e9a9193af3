"""`primeval check`: is this configuration usable, and what will its seeds cost?

Reads and counts; nothing is trained and nothing written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from primeval.scripts import terminal
from primeval.scripts.search_command import add_set, try_primitives
from primeval.search.config import load_config, to_plain
from primeval.search.durations import format_duration
from primeval.search.locking import RunError
from primeval.search.reference import load_seeds
from primeval.search.runs import check_free, check_seeds
from primeval.search.settings import RunConfig


def add(commands: Any) -> None:
    parser = commands.add_parser("check", help="validate a configuration; trains nothing")
    parser.add_argument("config", metavar="CONFIG", help="a YAML file, or a packaged name")
    add_set(parser)
    terminal.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    config = load_config(args.config, args.set)
    costs = check_seeds(config, load_seeds(config.search.seeds, config.language))
    try_primitives(config.language.modules)
    rows = [
        {
            "seed": name,
            "parameters": cost.parameters,
            "unit": str(cost.unit),
            "width": cost.width,
            "flops_per_token": cost.flops,
        }
        for name, cost in costs.items()
    ]
    if args.json:
        terminal.print_json({"config": to_plain(config), "seeds": rows})
        return 0
    print(f"{args.config} is valid. Nothing was trained.\n")
    _print_plan(config)
    headers = ("seed", "parameters", "width", "unit", "FLOPs a token")
    cells = [
        [row["seed"], f"{row['parameters']:,}", str(row["width"]), row["unit"],
         f"{row['flops_per_token']:,}"]
        for row in rows
    ]  # fmt: skip
    print()
    terminal.print_table(headers, cells, left={"seed"})
    return 0


def _print_plan(config: RunConfig) -> None:
    budget, training = config.budget, config.candidate.budget
    data = config.data.source or config.data.tfds or ", ".join(config.data.files)
    limit = "" if budget.max_time is None else f", at most {format_duration(budget.max_time)}"
    # half of the candidates pass each hurdle, so each band costs the same (paper, A.3)
    share = (training.hurdles + 1) / (2 ** (training.hurdles + 1) - 1)
    lines = [
        ("run folder", config.run_dir),
        ("candidates", f"{budget.max_candidates:,}{limit}"),
        (
            "each",
            f"{training.amount:,g} {training.unit.replace('_', ' ')}; with "
            f"{training.hurdles} hurdles {share:.0%} of it expected on average",
        ),
        ("search", f"{config.search.algorithm}, population {config.search.population_size}"),
        ("data", f"{data}, {config.data.tokenizer} tokens"),
        ("workers", f"{config.workers.count} {config.workers.evaluator}"),
    ]
    for name, text in lines:
        print(f"{name:<12} {text}")
    try:
        check_free(Path(config.run_dir))
    except RunError as error:  # the configuration is valid all the same
        print(f"\nNote: {error}")
