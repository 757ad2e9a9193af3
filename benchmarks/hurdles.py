"""What halving hurdles save: the mean cost of an individual, next to the paper's 6.2 times.

    python benchmarks/hurdles.py [--individuals 120] [--steps 248] [--json]
    python benchmarks/hurdles.py --run RUN

The first form trains the seed again and again, each time with other weights and another order
of the data, under the rule of the search (`search/algorithm/hurdles.py`): a candidate stops at
a hurdle if its loss is above the median of those that reached this hurdle lately. So the
learning curves are the seed's, and thresholds and stops are real. The second form reads what a
search has paid.

The paper (A.3) has four hurdles, 25,200 s of training, and 4064 s for the mean individual.
This is the result if exactly half pass each time: (h + 1) / (2^(h+1) - 1) of the budget.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from primeval.dna.library import seed_text
from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.hurdles import LEAST, Hurdles
from primeval.search.algorithm.randomness import random_seed
from primeval.search.config.config import load_config
from primeval.search.forecast.forecast import mean_share
from primeval.search.run.folder import open_run

PAPER = 25_200 / 4064  # A.3
NORMAL = 1.96  # a 95 % interval reaches this many standard errors to each side
TICK = 0.5  # seconds between two looks at the worker


def train_seeds(
    evaluate: Callable[[Candidate], Outcome], text: str, hurdles: Hurdles, count: int
) -> list[Outcome]:
    """Train individuals one after the other, each under the thresholds of those before it."""
    outcomes = []
    for number in range(count):
        seed = random_seed("weights", 0, number)
        candidate = Candidate(number, text, seed, hurdles.thresholds(), data_seed=seed)
        outcomes.append(evaluate(candidate))
        hurdles.tell(outcomes[-1])
        if sys.stderr.isatty():
            print(f"\r{number + 1}/{count}", end="", file=sys.stderr)
    return outcomes


def figures(outcomes: Sequence[Outcome], marks: Sequence[float]) -> dict[str, Any]:
    """Costs as shares of full training. Outcomes without a curve (failures, known programs)
    have no training to compare with, and are left out.
    """
    reached = [min(len(one.curve), len(marks)) for one in outcomes if one.curve]
    if not reached:
        raise ValueError("Nothing was trained, so there is no cost to measure.")
    costs = [marks[count - 1] for count in reached]
    # the first ones meet no threshold, as too few have reached the hurdle, and pay in full
    settled = costs[LEAST:] if len(costs) > LEAST else costs
    mean = statistics.fmean(settled)
    spread = statistics.stdev(settled) / math.sqrt(len(settled)) if len(settled) > 1 else 0.0
    numbers = [sum(count >= at for count in reached) for at in range(1, len(marks) + 1)]
    late = [sum(count >= at for count in reached[LEAST:]) for at in range(1, len(marks) + 1)]
    ideal = mean_share(len(marks) - 1)
    return {
        "individuals": len(reached),
        "reached": numbers,
        "passed": [b / a if a else None for a, b in pairwise(late)],
        "mean_cost": mean,
        "interval": [max(marks[0], mean - NORMAL * spread), mean + NORMAL * spread],
        "mean_cost_with_the_first": statistics.fmean(costs),
        "saving": 1 / mean,
        "ideal_saving": 1 / ideal,
        "paper_saving": PAPER,
    }


def lines(found: dict[str, Any], marks: Sequence[float]) -> Iterable[str]:
    """The figures as text."""
    low, high = (1 / cost for cost in found["interval"][::-1])
    whole = 1 / found["mean_cost_with_the_first"]
    yield f"{found['individuals']} individuals, {len(marks) - 1} hurdles"
    rows = zip(marks, found["reached"], [*found["passed"], None], strict=True)
    for number, (mark, count, passed) in enumerate(rows):
        end = number == len(marks) - 1
        name = "end" if end else f"hurdle {number + 1}"
        share = "" if passed is None else f"  passed by {passed:.0%}"
        yield f"  {name:<9} at {mark:6.1%} of the budget: reached by {count:>5}{share}"
    yield "full training over the mean cost of an individual:"
    yield f"  measured          {found['saving']:5.2f}  (95 %: {low:.2f} to {high:.2f})"
    yield f"  with the first {LEAST}  {whole:5.2f}  (they meet no bar, and train to the end)"
    yield f"  if half pass      {found['ideal_saving']:5.2f}"
    yield f"  the paper         {found['paper_saving']:5.2f}  (25,200 s over 4064 s)"


def trained(args: argparse.Namespace) -> tuple[list[Outcome], tuple[float, ...]]:
    """Outcomes of training the seed, and the marks of its budget."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sets = [f"candidate.budget={{steps: {args.steps}}}", f"candidate.hurdles={args.hurdles}"]
    # a worker process is replaced before what compilers leave behind fills its memory
    sets += ["workers.count=1", "training.validation_batches=4", *args.set]
    with tempfile.TemporaryDirectory() as folder:
        config = load_config("quickstart", sets, run_dir=folder)
        from primeval.evaluators.workers.factory import make_evaluator

        text = seed_text("transformer")
        evaluator: Evaluator = make_evaluator(config.task(text))

        def evaluate(candidate: Candidate) -> Outcome:
            evaluator.submit(candidate)
            while not (done := evaluator.wait(TICK)):
                pass
            return done[0][1]

        budget = config.candidate.budget
        hurdles = Hurdles(budget.hurdles, config.search.population_size)
        outcomes = train_seeds(evaluate, text, hurdles, args.individuals)
        evaluator.close()
    return outcomes, budget.marks()


def recorded(folder: Path) -> tuple[list[Outcome], tuple[float, ...]]:
    """Outcomes of a search in the order in which they came, and the marks of its budget."""
    run = open_run(folder)
    outcomes = [one for _, one in run.store.outcomes() if one.status is not Status.KNOWN]
    marks = run.config.candidate.budget.marks()
    run.close()
    return outcomes, marks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="read a search instead of training")
    parser.add_argument("--individuals", type=int, default=120)
    parser.add_argument("--steps", type=int, default=248, help="of full training")
    parser.add_argument("--hurdles", type=int, default=4)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    outcomes, marks = recorded(args.run) if args.run else trained(args)
    found = figures(outcomes, marks)
    print(json.dumps(found, indent=2) if args.json else "\n".join(lines(found, marks)))


if __name__ == "__main__":
    main()
