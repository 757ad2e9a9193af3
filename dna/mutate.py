"""From a parent to a child worth training: mutate until the meaning is new.

The paper mutates again while the child's graph is the parent's (A.4). Here a child is also
drawn again when it has no meaning (kinds or widths that cannot fit) and when the search
knows its graph already: each costs microseconds here, and would cost a training later.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from primeval.dna.check import ProgramError, check_size
from primeval.dna.graph import Graph, build_graph, recent_graph
from primeval.dna.liveness import Liveness
from primeval.dna.mutations import MUTATIONS, Choices, Edit, Mutated
from primeval.dna.program import Program
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection

_liveness = lru_cache(maxsize=256)(Liveness)  # a fit program is a parent often

MAX_ATTEMPTS = 2_000
ATTEMPTS_PER_KIND = 200


class ExhaustedError(RuntimeError):
    """No new program was found: everything near the parent is known or impossible.

    Attributes:
        attempts: Draws that were thrown away, by reason, as in `Child`.
    """

    def __init__(self, message: str, attempts: dict[str, int]) -> None:
        super().__init__(message)
        self.attempts = attempts


@dataclass(frozen=True)
class Child:
    """A mutated program.

    Attributes:
        program: The child.
        edit: What changed.
        graph: Its canonical graph.
        attempts: Draws that were thrown away, by reason: inapplicable, rejected,
            same_graph, known. `swap known` counts those of the kind swap, which was tried
            and given up before this one.
    """

    program: Program
    edit: Edit
    graph: Graph
    attempts: dict[str, int]


def mutate(
    parent: Program,
    rng: random.Random,
    weights: Mapping[str, float] | None = None,
    known: Callable[[str], bool] = lambda fingerprint: False,
    viable: Callable[[Graph], object] = lambda graph: None,
    parent_fingerprint: str | None = None,
    vocabulary: Vocabulary = PRIMITIVES,
) -> Child:
    """A child of `parent` by one mutation.

    CHOICE: the kind is drawn once and kept while draws are thrown away, so that all kinds
    are equally likely among children, however often their draws fail.

    Args:
        parent: A legal program.
        rng: Where every choice comes from.
        weights: How often each mutation is drawn, by name; equally often if None.
        known: Whether the search has seen a fingerprint; such a child is thrown away.
        viable: Called with a candidate graph; raises Rejection to refuse it.
        parent_fingerprint: The parent's; computed if None.
        vocabulary: The primitives that new instructions may use.

    Raises:
        ExhaustedError: after 2,000 draws without a child.
    """
    fingerprint = parent_fingerprint or build_graph(parent).fingerprint
    judge = _Judge(_liveness(parent), fingerprint, known, viable)
    weights = weights or dict.fromkeys(MUTATIONS, 1.0)
    return _first_child(parent, Choices(rng, vocabulary), weights, judge)


class _Judge(NamedTuple):
    """Decides whether a mutated program is worth training; the fields are as in `mutate`."""

    liveness: Liveness
    parent_fingerprint: str
    known: Callable[[str], bool]
    viable: Callable[[Graph], object]

    def verdict(self, mutated: Mutated | None) -> Graph | str:
        """The graph of a child worth training, or the reason why this one is not."""
        if mutated is None:
            return "inapplicable"
        if self.liveness.unchanged(mutated):
            return "same_graph"
        try:
            check_size(mutated.program)
            graph = recent_graph(mutated.program)
            if graph.fingerprint == self.parent_fingerprint:
                return "same_graph"
            if self.known(graph.fingerprint):
                return "known"
            self.viable(graph)
        except (Rejection, ProgramError):
            return "rejected"
        return graph


def _first_child(
    parent: Program, choices: Choices, weights: Mapping[str, float], judge: _Judge
) -> Child:
    """Draw mutations until one gives a child worth training. Raises ExhaustedError."""
    attempts, given_up = Counter[str](), Counter[str]()
    kinds, shares, kind = list(weights), list(weights.values()), ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt % ATTEMPTS_PER_KIND == 0:
            given_up.update({f"{kind} {reason}": attempts[reason] for reason in attempts})
            attempts.clear()
            (kind,) = choices.rng.choices(kinds, weights=shares)
        mutated = MUTATIONS[kind](parent, choices)
        verdict = judge.verdict(mutated)
        if mutated is not None and isinstance(verdict, Graph):
            return Child(mutated.program, mutated.edit, verdict, {**attempts, **given_up})
        attempts[str(verdict)] += 1
    thrown_away = dict(given_up + attempts)
    raise ExhaustedError(
        f"No new child in {MAX_ATTEMPTS:,} draws ({thrown_away}). "
        "Allow more mutations, or a wider window of parameters.",
        thrown_away,
    )
