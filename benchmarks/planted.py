"""Planted answers, and how many candidates a search needs to find them.

A scripted loss depends only on a program's canonical graph. It falls for each planted feature
in the graph. It rises for each operation of the seed that is missing, and a little less for
operations that a block could do without. Noise is added, as training has it. The answer is a
program with all features; the search knows losses only.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from ideas import (
    has_convolved_product,
    has_squared_rectifier,
    share_of_projections,
)

from primeval.dna.graph import Graph, build_graph, recent_graph
from primeval.dna.library import load_seed
from primeval.dna.mutate import ExhaustedError
from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.evaluators.outcome import Outcome, Point, Status
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.search.algorithm.evolution import Search
from primeval.search.config.settings import SearchSettings

NOISE = 0.01  # standard deviation of the loss: a quarter of the gain of one feature
PER_MISSING, PER_EXTRA = 0.01, 0.001

# A feed-forward part so small that thousands of searches take a minute. Its vocabulary has the
# words that the answer needs, and as many that only distract.
SMALL = """\
width 4
constants 0 1
dims 4 16

S0 main(a, b):
  c = CONV_1X1 a dim1
  d = MAX c const0
  e = CONV_1X1 d dim0
  f = ADD a e
"""
SMALL_WORDS = ("ADD", "MAX", "SQUARE", "TANH", "SCALE", "SHIFT", "CONV_1X1", "DCONV_3X1")
# Four instructions leave nothing to delete or to swap, and the bank plays no part. Draws of
# such mutations would cost every arm time without bringing it nearer.
SMALL_MUTATIONS = ("insert", "delete_insert", "field")


@dataclass(frozen=True)
class Problem:
    """The start of searches, and the answer that is planted.

    Attributes:
        name: The name of the problem.
        seed: The program from which searches start.
        features: For each planted feature: its gain, and how much of it a graph has (0 to 1).
        vocabulary: The primitives that mutations may write.
        settings: The search's settings; each arm sets its own algorithm.
        candidates: A search gives up after this many.
    """

    name: str
    seed: Program
    features: tuple[tuple[float, Callable[[Graph], float]], ...]
    vocabulary: Vocabulary
    settings: SearchSettings
    candidates: int

    @cached_property
    def _needed(self) -> Counter[str]:
        return Counter(node.op for node in build_graph(self.seed).nodes)

    def loss(self, graph: Graph) -> float:
        """The loss without noise."""
        gain = sum(most * share(graph) for most, share in self.features)
        missing = (self._needed - Counter(node.op for node in graph.nodes)).total()
        extra = len(graph.nodes) - self._needed.total() + missing
        return 1.0 - gain + PER_MISSING * missing + PER_EXTRA * extra

    def solved(self, graph: Graph) -> bool:
        """Whether a program has all planted features."""
        return all(share(graph) == 1 for _, share in self.features)


def small() -> Problem:
    """Four instructions and eight primitives: a search takes tens of milliseconds."""
    features = ((0.04, has_squared_rectifier), (0.04, has_convolved_product))
    mutations = dict.fromkeys(SMALL_MUTATIONS, 1.0)
    settings = SearchSettings(population_size=20, tournament_size=5, mutations=mutations)
    words = PRIMITIVES.restricted(SMALL_WORDS)
    return Problem("small", parse(SMALL), features, words, settings, 200)


def transformer() -> Problem:
    """The paper's seed, vocabulary, mutations, population and tournament; takes seconds."""
    features = ((0.04, has_squared_rectifier), (0.06, share_of_projections))
    seed, words = load_seed("transformer"), PRIMITIVES
    return Problem("transformer", seed, features, words, SearchSettings(), 4000)


PROBLEMS = {"small": small, "transformer": transformer}


def candidates_needed(problem: Problem, algorithm: str, seed: int) -> int | None:
    """The number of candidates until one is the answer; None if the search gives up.

    Arms with the same seed have the same noise at the same candidate.
    """
    settings = replace(problem.settings, algorithm=algorithm)
    search = Search(settings, [problem.seed], seed, vocabulary=problem.vocabulary)
    noise = random.Random(f"noise/{seed}")
    for count in range(1, problem.candidates + 1):
        try:
            individual = search.ask()
        except ExhaustedError:
            return None
        graph = recent_graph(individual.program())
        if problem.solved(graph):
            return count
        loss = problem.loss(graph) + noise.gauss(0.0, NOISE)
        curve = (Point(1, loss),)
        search.tell(individual.id, Outcome(Status.COMPLETED, loss=loss, curve=curve))
    return None
