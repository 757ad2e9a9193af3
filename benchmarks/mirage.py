"""Does a ladder of rungs lead a search past an idea that pays off on the first rung only?

    python benchmarks/mirage.py [--searches 100] [--seed 0] [--processes 2] [--json]
    python benchmarks/mirage.py --searches 20 --variants
    python benchmarks/mirage.py --noise 0.02 --cost 12 --strength 0.2 --promote 0.05 --rungs 3

Two things are planted in a scripted loss (`planted.py` explains it). A *mirage*, a convolution
where a projection was, gains most on the first rung and loses further up. An *answer*, a
squared rectifier and a depthwise convolution after a projection, gains less on the first rung
and most further up. All arms may spend the same: a training on a higher rung costs several of
the first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any, NamedTuple

from ideas import has_convolved_product, has_squared_rectifier
from planted import NOISE, Problem, small
from ranks import p_fewer

from primeval.dna.graph import Graph, build_graph, recent_graph
from primeval.dna.mutate import ExhaustedError
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.rung import Rung

CONVOLUTION = "CONV_3X1"
WORDS = ("ADD", "MAX", "SQUARE", "TANH", "CONV_1X1", "DCONV_3X1", CONVOLUTION)
IDEA = 0.03  # gain of each half of the answer on the first rung: three times the noise
TOP_IDEA = 0.06  # on the highest
LADDER, FIRST_ONLY, TOP_ONLY = ARMS = ("ladder", "first rung only", "top rung only")
CHUNK = 4  # number of searches that a process takes at a time


def has_mirage(graph: Graph) -> float:
    """Whether anything is convolved in full, as in place of a projection."""
    return float(any(node.op == CONVOLUTION for node in graph.nodes))


@dataclass(frozen=True)
class World:
    """What is planted, and what the searches may spend.

    Attributes:
        strength: What the mirage gains on the first rung, in nats per token.
        fall: What it loses on the top rung.
        noise: Standard deviation of the loss, on all rungs.
        cost: What a training on a rung costs, in trainings on the rung below.
        promote: See `Rung`.
        rungs: How many there are. Between the first and the top, gains change evenly.
        replicates: How often the first seed is trained on each rung of a ladder.
        budget: What a search may spend, in trainings on the first rung.
    """

    strength: float = 0.12
    fall: float = 0.05
    noise: float = NOISE
    cost: int = 6
    promote: float = 0.1
    rungs: int = 2
    replicates: int = 4
    budget: int = 2000

    def problem(self, rung: int) -> Problem:
        """The scripted loss of a rung."""
        height = (rung - 1) / (self.rungs - 1)  # 0 on the first rung, 1 on the top
        idea = IDEA + height * (TOP_IDEA - IDEA)
        mirage = self.strength - height * (self.strength + self.fall)
        base = small()
        words = PRIMITIVES.restricted(WORDS)
        planted = (
            (idea, has_squared_rectifier),
            (idea, has_convolved_product),
            (mirage, has_mirage),
        )
        return replace(base, name="mirage", features=planted, vocabulary=words)


class Ended(NamedTuple):
    """How a search ended.

    Attributes:
        answer: Whether the program that it stands by has all of the answer.
        mirage: Whether it has the mirage.
        trainings: How often programs were trained, on each rung.
    """

    answer: bool
    mirage: bool
    trainings: tuple[int, ...]


def searched(world: World, arm: str, seed: int) -> Ended:
    """One search of an arm, until its budget is spent.

    Arms with the same seed have the same noise at the same training.
    """
    every = range(1, world.rungs + 1)
    used = {LADDER: every, FIRST_ONLY: every[:1], TOP_ONLY: every[-1:]}[arm]
    problems = [world.problem(rung) for rung in used]
    costs = [world.cost ** (rung - 1) for rung in used]
    search = _search(world, problems, seed)
    noise, left, trainings = random.Random(f"noise/{seed}"), world.budget, [0] * len(used)
    while True:
        try:
            individual = search.ask()
        except ExhaustedError:
            break
        at = individual.rung - 1
        left -= costs[at]
        if left < 0:
            break
        trainings[at] += 1
        loss = problems[at].loss(_graph(individual)) + noise.gauss(0.0, world.noise)
        curve = (Point(1, loss),)
        search.tell(individual.id, Outcome(Status.COMPLETED, loss=loss, curve=curve))
    best = _graph(search.best[1]) if search.best else build_graph(problems[0].seed)
    answer = bool(has_squared_rectifier(best) and has_convolved_product(best))
    return Ended(answer, bool(has_mirage(best)), tuple(trainings))


def _search(world: World, problems: Sequence[Problem], seed: int) -> Search:
    first = problems[0]
    several = [Rung(promote=world.promote, replicates=world.replicates)] * len(problems)
    rungs = several if len(problems) > 1 else [Rung()]
    return Search(first.settings, [first.seed], seed, rungs, first.vocabulary)


def _graph(individual: Individual) -> Graph:
    return recent_graph(individual.program())


def contest(
    world: World,
    searches: int,
    arms: Iterable[str] = ARMS,
    first_seed: int = 0,
    processes: int = 1,
) -> dict[str, list[Ended]]:
    """How each search of each arm ended."""
    seeds = range(first_seed, first_seed + searches)
    if processes == 1:
        return {arm: [searched(world, arm, seed) for seed in seeds] for arm in arms}
    with ProcessPoolExecutor(processes) as pool:
        waiting = {
            arm: pool.map(partial(searched, world, arm), seeds, chunksize=CHUNK) for arm in arms
        }
        return {arm: list(results) for arm, results in waiting.items()}


def figures(ended: Mapping[str, Sequence[Ended]]) -> dict[str, dict[str, Any]]:
    """For each arm: how many searches ended at the answer, and the probability that the ladder
    ends there so much more often if it is no better than the arm.
    """
    solved = {arm: [one.answer and not one.mirage for one in ended[arm]] for arm in ended}
    ladder = solved.get(LADDER)
    return {
        arm: {
            "searches": len(results),
            "answer": sum(solved[arm]),
            "mirage": sum(one.mirage for one in results),
            "trainings": [
                sum(counts) / len(results)
                for counts in zip(*(one.trainings for one in results), strict=True)
            ],
            "p": _p_more(ladder, solved[arm]) if ladder and arm != LADDER else None,
        }
        for arm, results in ended.items()
    }


def _p_more(arm: Sequence[bool], other: Sequence[bool]) -> float:
    """The probability that an arm solves so many more if both are alike (one-sided)."""
    return p_fewer(*([1 if one else None for one in results] for results in (arm, other)))


HEAD = """\
| world | arm | trainings on each rung | at the answer | at the mirage | p |
| --- | --- | --- | ---: | ---: | ---: |"""


def table(world: str, arms: Mapping[str, dict[str, Any]]) -> list[str]:
    """The figures of a world as lines of Markdown, without the head."""
    lines = []
    for arm, one in arms.items():
        share = f"{one['answer']} of {one['searches']} ({one['answer'] / one['searches']:.0%})"
        trainings = " + ".join(f"{count:,.0f}" for count in one["trainings"])
        p = "-" if one["p"] is None else f"{one['p']:.1e}"
        lines.append(f"| {' | '.join([world, arm, trainings, share, str(one['mirage']), p])} |")
    return lines


def variants(world: World) -> dict[str, World]:
    """The world, and what it looks like with one thing changed."""
    several: list[tuple[str, dict[str, Any]]] = [
        ("as it is", {}),
        *((f"noise x {times:g}", {"noise": world.noise * times}) for times in (0, 0.5, 2)),
        *((f"cost {cost}", {"cost": cost}) for cost in (3, 12)),
        *((f"promote {share:g}", {"promote": share}) for share in (0.05, 0.2)),
        *((f"strength {gain:g}", {"strength": gain}) for gain in (0.08, 0.24)),
        ("three rungs", {"rungs": 3}),
    ]
    return {name: replace(world, **changes) for name, changes in several}


def main() -> int:
    """Run the contest and print it; returns 1 unless the claim holds in the world as it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=100, help="of each arm")
    parser.add_argument("--seed", type=int, default=0, help="the first search's")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS[:2])
    parser.add_argument("--variants", action="store_true", help="other noise, costs, shares")
    parser.add_argument("--json", action="store_true")
    for one in fields(World):
        kind = type(one.default)
        parser.add_argument(f"--{one.name}", type=kind, default=one.default)
    args = parser.parse_args()
    world = World(**{one.name: getattr(args, one.name) for one in fields(World)})
    worlds = variants(world) if args.variants else {"as it is": world}
    began, found = time.monotonic(), {}
    if not args.json:
        print(HEAD)
    for name, one in worlds.items():
        ended = contest(one, args.searches, args.arms, args.seed, args.processes)
        found[name] = figures(ended)
        if not args.json:
            print("\n".join(table(name, found[name])), flush=True)
    seconds = time.monotonic() - began
    if args.json:
        print(
            json.dumps({"world": asdict(world), "seconds": seconds, "found": found}, indent=2)
        )
    else:
        count = len(worlds) * len(args.arms) * args.searches
        print(f"\n{count:,} searches in {seconds:.0f} s with {args.processes} processes.")
    first = next(iter(found.values()))
    return 0 if holds(first) else 1


def holds(arms: Mapping[str, dict[str, Any]]) -> bool:
    """Whether the ladder ends at the answer in 80 % of searches, and the first rung in 20 %.

    There is nothing to say if one of these arms was left out.
    """
    if not {LADDER, FIRST_ONLY} <= arms.keys():
        return True
    ladder, without = arms[LADDER], arms[FIRST_ONLY]
    return (
        ladder["answer"] >= 0.8 * ladder["searches"]
        and without["answer"] <= 0.2 * without["searches"]
        and without["p"] < 0.01
    )


if __name__ == "__main__":
    sys.exit(main())
