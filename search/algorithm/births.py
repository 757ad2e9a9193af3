"""Making individuals: seeds, children, and programs that are trained again.

Everything here returns values. What becomes of them is for `evolution.py`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from primeval.dna.cost import Cost
from primeval.dna.graph import Graph, build_graph
from primeval.dna.mutate import Child, ExhaustedError, mutate
from primeval.dna.program import Program
from primeval.primitives.primitive import Vocabulary
from primeval.search.algorithm.hurdles import Hurdles
from primeval.search.algorithm.known import Known
from primeval.search.algorithm.population import Individual, Thresholds
from primeval.search.algorithm.randomness import random_seed
from primeval.search.algorithm.rung import Rung

PARENTS = 20  # parents drawn, at most, before the search gives up finding a new child


class Place(NamedTuple):
    """Where an individual stands in the order of asks and tells, which decides about it.

    Attributes:
        number: Its number.
        told: How many outcomes are known.
    """

    number: int
    told: int


class Births:
    """Makes the individuals of one search.

    Args:
        seed: The run's random seed.
        seeds: Programs to start from.
        vocabulary: The primitives that mutations draw from.
        known: The search's index of known programs.

    Attributes:
        rungs: The rules of each rung.
        hurdles: The thresholds of each rung.
    """

    def __init__(
        self, seed: int, seeds: Sequence[Program], vocabulary: Vocabulary, known: Known
    ) -> None:
        self.seeds = tuple(seeds)
        self.rungs: tuple[Rung, ...] = ()
        self.hurdles: list[Hurdles] = []
        self._seed, self._vocabulary, self._known = seed, vocabulary, known

    def change(self, rungs: Sequence[Rung], window: int) -> None:
        """Continue with these rungs; the medians at hurdles are of `window` individuals."""
        self.rungs = tuple(rungs)
        for hurdles in self.hurdles:
            hurdles.resize(window)
        for rung in rungs[len(self.hurdles) :]:
            self.hurdles.append(Hurdles(rung.hurdles, window))

    def root(self, place: Place, program: Program) -> Individual:
        """A seed or an injected program: it has no parent.

        Raises Rejection if it has no meaning, or does not fit the scale of the first rung.
        """
        graph = build_graph(program)
        cost = self.rungs[0].measured(graph)
        return self._new(place, program, graph, cost, parent=None, edit=None)

    def child(
        self,
        place: Place,
        draw: Callable[[random.Random], Individual],
        mutations: Mapping[str, float],
    ) -> Individual:
        """A child of a parent that `draw` chooses. Raises ExhaustedError if no child is new."""
        rng, costs = random.Random(f"{self._seed}/{place.number}"), list[Cost]()

        def viable(graph: Graph) -> None:
            cost = self.rungs[0].measured(graph)
            costs[:] = [] if cost is None else [cost]

        def mutated(parent: Individual) -> Child:
            return mutate(
                parent.program(self.seeds[0].vocabulary),
                rng,
                weights=mutations,
                known=self._known.is_settled,
                viable=viable,
                parent_fingerprint=parent.fingerprint,
                vocabulary=self._vocabulary,
            )

        parent, child, attempts = _first_child(lambda: draw(rng), mutated)
        cost = costs[0] if costs else None
        ancestry = {"parent": parent.id, "edit": child.edit, "attempts": attempts}
        return self._new(place, child.program, child.graph, cost, **ancestry)

    def repeat(self, place: Place, known: Individual) -> Individual:
        """A re-evaluation, with other weights, of a child that turned out to be known."""
        return self._again(place, known, thresholds=self._thresholds(known.fingerprint))

    def trial(self, place: Place, known: Individual, program: int, rung: int) -> Individual:
        """A program that is trained again, on a higher rung or to measure the noise.

        Raises Rejection if it does not fit the scale of the rung.

        Args:
            place: Where it stands.
            known: An individual with the program.
            program: The first individual with it.
            rung: The rung.
        """
        graph = build_graph(known.program(self.seeds[0].vocabulary))
        cost = self.rungs[rung - 1].measured(graph)
        seed = program < len(self.seeds)
        return self._again(
            place,
            known,
            rung=rung,
            of=program,
            parameters=cost.parameters if cost else None,
            thresholds=() if seed else self.hurdles[rung - 1].thresholds(),
        )

    def _new(
        self, place: Place, program: Program, graph: Graph, cost: Cost | None, **ancestry: Any
    ) -> Individual:
        seed = place.number < len(self.seeds)
        return Individual.made_of(
            program,
            id=place.number,
            fingerprint=graph.fingerprint,
            seed=random_seed("weights", self._seed, place.number),
            thresholds=() if seed else self._thresholds(graph.fingerprint),
            told=place.told,
            parameters=cost.parameters if cost else None,
            **ancestry,
        )

    def _again(self, place: Place, known: Individual, **changes: Any) -> Individual:
        seed = random_seed("weights", self._seed, place.number)
        return replace(
            known, id=place.number, seed=seed, told=place.told, attempts={}, **changes
        )

    def _thresholds(self, fingerprint: str) -> Thresholds:
        again = self._known.thresholds(fingerprint)
        return self.hurdles[0].thresholds() if again is None else again


def _first_child(
    draw: Callable[[], Individual], mutated: Callable[[Individual], Child]
) -> tuple[Individual, Child, dict[str, int]]:
    """A parent, its new child, and the attempts before it, those with other parents included.

    CHOICE: the paper does not say what happens when a parent has no new children; here another
    parent is drawn. Raises ExhaustedError after `PARENTS` of them.
    """
    attempts, exhausted = Counter[str](), dict[int, ExhaustedError]()
    for _ in range(PARENTS):
        parent = draw()
        if parent.id in exhausted:
            continue
        try:
            child = mutated(parent)
        except ExhaustedError as error:
            exhausted[parent.id] = error
            attempts.update(error.attempts)
        else:
            return parent, child, dict(attempts + Counter(child.attempts))
    raise list(exhausted.values())[-1]
