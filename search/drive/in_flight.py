"""Candidates of a running search: those that wait for a worker, and those that have one.

Where the evaluator can probe, a candidate has a worker twice: it is probed for its digest, and
trained only if the digest is new. With `search/algorithm/known.py` this is what keeps a search
from paying for a program twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from primeval.evaluators.evaluator import Candidate, Evaluator
from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.evolution import Search
from primeval.search.algorithm.population import Individual
from primeval.search.run.kept_weights import KeptWeights


class InFlight:
    """Hands individuals to an evaluator, and completes the outcomes that come back.

    Args:
        search: Its individuals without an outcome (after a replay) wait for a worker at first.
        evaluator: Where candidates are probed and trained.
        weights: Says where a worker keeps trained weights.
        may_begin: Whether something new may still be begun; if not, a candidate that is handed
            over is withdrawn without an outcome.
    """

    def __init__(
        self,
        search: Search,
        evaluator: Evaluator,
        weights: KeptWeights,
        may_begin: Callable[[], bool],
    ) -> None:
        self._search, self._evaluator, self._weights = search, evaluator, weights
        self._may_begin = may_begin
        self.waiting = deque(search.in_flight.values())
        self._flying: dict[int, Individual] = {}
        self._probed: dict[int, Outcome] = {}  # of those in training: what their probes found
        self._unprobed_seeds: set[int] = set()

    def __len__(self) -> int:
        """How many candidates have a worker."""
        return len(self._flying)

    @property
    def full(self) -> bool:
        """Whether every worker has a candidate."""
        return len(self) >= self._evaluator.capacity

    def must_wait(self) -> bool:
        """Whether the next individual has to wait until the seeds are probed.

        It may be the same program as a seed, and seeds are trained in any case.
        """
        number = self.waiting[0].id if self.waiting else self._search.asked
        return bool(self._unprobed_seeds) and number >= self._search.seed_count

    def submit(self, individual: Individual) -> None:
        """Hand over an individual: to be probed first, where that may save its training."""
        number = individual.id
        self._flying[number] = individual
        new = individual.of is None and not self._search.known.is_repeat(number)
        probe = self._evaluator.probes and new
        if probe and number < self._search.seed_count:
            self._unprobed_seeds.add(number)
        self._send(individual, probe)

    def decide(self, number: int, probed: Outcome) -> Outcome | None:
        """The outcome of a probed individual that is known; None, and it is trained, if not.

        CHOICE: seeds and injected programs are trained whatever they compute. Everything is
        compared with the first seed, and the user asked for the others. So is a child whose
        program was injected while it was probed: the injected repeat counts for this child.
        """
        individual, digest, known = self._flying[number], probed.digest, self._search.known
        self._unprobed_seeds.discard(number)
        wanted = individual.parent is None or known.has_repeats(number)
        same = None if wanted or digest is None else known.same_digest(digest)
        if same is not None:
            return Outcome(
                Status.KNOWN,
                seconds=probed.seconds,
                message=f"the same as individual {same}, by outputs and gradients",
                digest=digest,
                same_as=same,
            )
        self._probed[number] = probed
        known.launch(number, digest)
        self._send(individual, probe=False)
        return None

    def land(self, number: int, outcome: Outcome) -> tuple[Individual, Outcome]:
        """A finished individual, and its outcome with what the probe found and took."""
        individual = self._flying.pop(number)
        self._unprobed_seeds.discard(number)
        if (probed := self._probed.pop(number, None)) is not None:
            seconds = {**probed.seconds, **outcome.seconds}
            outcome = replace(outcome, digest=probed.digest, seconds=seconds)
        original = self._search.known.original(number)
        if original != number and outcome.same_as is None:
            outcome = replace(outcome, same_as=original)
        return individual, outcome

    def _send(self, individual: Individual, probe: bool) -> None:
        if not self._may_begin():
            self._flying.pop(individual.id)
            return
        candidate = Candidate(
            individual.id,
            individual.text,
            individual.seed,
            individual.thresholds,
            self._weights.path(individual.id),
            probe=probe,
            rung=individual.rung,
        )
        self._evaluator.submit(candidate)
