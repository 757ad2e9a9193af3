"""Does a ladder of rungs lead a search past an idea that pays off on the first rung only?

    python benchmarks/mirage.py [--searches 200] [--seed 0] [--processes 2] [--json]
    python benchmarks/mirage.py --variants
    python benchmarks/mirage.py --noise 2 --cost 12 --strength 0.16 --promote 0.05 --rungs 3

Two things are planted in a scripted loss (`planted.py` explains it). A *mirage*, a convolution
where a projection was, gains most on the first rung and loses further up. An *answer*, a
squared rectifier and a depthwise convolution after a projection, gains less on the first rung
and most further up. All arms may spend the same: a training on a higher rung costs several of
the first.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
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
ARMS = ("rungs", "first rung only", "top rung only")
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
    budget: int = 1200

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
    used = {"rungs": range(1, world.rungs + 1), ARMS[1]: [1], ARMS[2]: [world.rungs]}[arm]
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
    higher = Rung(promote=world.promote, replicates=world.replicates)
    rungs = [replace(higher) for _ in problems] if len(problems) > 1 else [Rung()]
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
    """For each arm: how many searches ended at the answer, and the probability that so few do
    if the arm is no worse than the ladder.
    """
    solved = {arm: [_solved(one) for one in results] for arm, results in ended.items()}
    return {
        arm: {
            "searches": len(results),
            "answer": sum(solved[arm]),
            "mirage": sum(one.mirage for one in results),
            "trainings": [
                sum(counts) / len(results)
                for counts in zip(*(one.trainings for one in results), strict=True)
            ],
            "p_against_rungs": None
            if arm == ARMS[0]
            else _p_more(solved[ARMS[0]], solved[arm]),
        }
        for arm, results in ended.items()
    }


def _solved(one: Ended) -> bool:
    return one.answer and not one.mirage


def _p_more(arm: Sequence[bool], other: Sequence[bool]) -> float:
    """The probability that an arm solves so many more if both are alike (one-sided)."""
    return p_fewer(*([1 if one else None for one in results] for results in (arm, other)))
