"""How many candidates does a search need to find what is known to be good?

    python benchmarks/rediscovery.py [--problem small|transformer] [--searches 1000] [--json]
    python benchmarks/rediscovery.py --real [RUN] [--minutes 120] [--top 5] [--seeds 4]

Without `--real`, answers are planted in a scripted loss (`planted.py`). Each arm of the search
looks for them in the given number of searches, all with the same budget of candidates. With
`--real`, a search trains candidates from the Transformer on Jane Austen, on two cores. Are the
paper's ideas, or others as good, among its confirmed best (`rediscovery_real.py`)? The same
command resumes after an interruption.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from planted import PROBLEMS, candidates_needed
from ranks import Needed, p_fewer

from primeval.search.config.settings import ALGORITHMS

RANDOM = "random"
CHUNK = 4  # number of searches that a process takes at a time
SEARCHES = {"small": 1000, "transformer": 20}


def needed(problem: str, algorithm: str, seed: int) -> int | None:
    """`candidates_needed` of a problem given by name, so that other processes can call it."""
    return candidates_needed(PROBLEMS[problem](), algorithm, seed)


def contest(
    problem: str,
    searches: int,
    arms: Sequence[str] = ALGORITHMS,
    first_seed: int = 0,
    processes: int = 1,
) -> dict[str, list[int | None]]:
    """The candidates that each search of each arm needed."""
    seeds = range(first_seed, first_seed + searches)
    if processes == 1:
        return {arm: [needed(problem, arm, seed) for seed in seeds] for arm in arms}
    with ProcessPoolExecutor(processes) as pool:
        waiting = {
            arm: pool.map(partial(needed, problem, arm), seeds, chunksize=CHUNK) for arm in arms
        }
        return {arm: list(results) for arm, results in waiting.items()}


def figures(found: dict[str, list[int | None]], budget: int) -> dict[str, dict[str, Any]]:
    """For each arm: how many searches found the answer, after how many candidates, and the
    probability that it does as well if it is no better than the random arm.
    """
    return {arm: _arm_figures(arm, counts, found, budget) for arm, counts in found.items()}


def _arm_figures(
    arm: str, counts: Needed, found: dict[str, list[int | None]], budget: int
) -> dict[str, Any]:
    solved = [count for count in counts if count is not None]
    asked = sum(solved) + budget * (len(counts) - len(solved))
    middle = statistics.median(budget + 1 if count is None else count for count in counts)
    compared = arm != RANDOM and RANDOM in found
    return {
        "searches": len(counts),
        "solved": len(solved),
        "median": middle if middle <= budget else None,
        # expected candidates per answer if every failed search is restarted
        "candidates_per_answer": asked / len(solved) if solved else None,
        "p_against_random": p_fewer(counts, found[RANDOM]) if compared else None,
    }


def table(arms: dict[str, dict[str, Any]], budget: int) -> list[str]:
    """The figures as lines of Markdown."""
    lines = [
        f"| arm | found within {budget:,} | median | candidates per answer | p, random |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for arm, one in arms.items():
        share = f"{one['solved']} of {one['searches']} ({one['solved'] / one['searches']:.0%})"
        middle = f"over {budget:,}" if one["median"] is None else f"{one['median']:.0f}"
        cost, p = one["candidates_per_answer"], one["p_against_random"]
        cells = [arm, share, middle, "-" if cost is None else f"{cost:,.0f}"]
        lines.append(f"| {' | '.join([*cells, '-' if p is None else f'{p:.1e}'])} |")
    return lines


def planted(args: argparse.Namespace) -> int:
    """Run the contest and print it; returns 1 unless evolution beats the random arm."""
    budget = PROBLEMS[args.problem]().candidates
    searches = args.searches or SEARCHES[args.problem]
    began = time.monotonic()
    found = contest(args.problem, searches, first_seed=args.seed, processes=args.processes)
    seconds = time.monotonic() - began
    arms = figures(found, budget)
    rate = 60 * searches * len(arms) / seconds
    if args.json:
        data = {"problem": args.problem, "budget": budget, "seconds": seconds, "arms": arms}
        print(json.dumps(data | {"searches_per_minute": rate}, indent=2))
    else:
        print("\n".join(table(arms, budget)))
        print(
            f"\n{searches * len(arms):,} searches in {seconds:.0f} s with {args.processes} "
            f"processes: {rate:,.0f} a minute."
        )
    return 0 if arms["evolution"]["p_against_random"] < 0.01 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", choices=PROBLEMS, default="small")
    parser.add_argument("--searches", type=int, help="of each arm")
    parser.add_argument("--seed", type=int, default=0, help="the first search's")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--real", nargs="?", type=Path, const=Path("runs/rediscovery"), metavar="RUN"
    )
    parser.add_argument("--minutes", type=float, default=120.0, help="of search, with --real")
    parser.add_argument("--top", type=int, default=5, help="individuals to confirm")
    parser.add_argument("--seeds", type=int, default=4, help="of each confirmed program")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--docs", type=Path, help="default: docs/ beside this script's folder")
    args = parser.parse_args()
    if args.real is None:
        return planted(args)
    from rediscovery_real import real

    return real(args)


if __name__ == "__main__":
    sys.exit(main())
