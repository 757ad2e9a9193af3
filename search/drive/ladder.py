"""What a run knows of its programs on each rung, read from its store.

It has the gains of `Search.ladder` after a replay, but not the programs: so it needs neither
the modules of users' primitives nor the time to parse thousands of texts. What was not measured
is expected to be a share of the gain below, whatever the program is made of.
"""

from __future__ import annotations

import math
from itertools import islice

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.known import Known
from primeval.search.algorithm.ladder import Ladder
from primeval.search.algorithm.population import Individual
from primeval.search.drive.starting import rungs_of
from primeval.search.run.folder import Run


def read_ladder(run: Run) -> Ladder:
    """The ladder of a run as of its last outcome; also while it is driven."""
    ladder = Ladder(rungs_of(run.config), len(run.store.seeds))
    known, flying = Known(), dict[int, Individual]()
    outcomes, told = run.store.outcomes(), 0
    for individual in run.store.individuals():
        for number, outcome in islice(outcomes, individual.told - told):
            _tell(ladder, known, flying.pop(number), outcome)
        told = individual.told
        flying[individual.id] = individual
        known.enter(individual)
        ladder.enter(individual)
    for number, outcome in outcomes:
        if number in flying:  # one that was asked for meanwhile is left out
            _tell(ladder, known, flying.pop(number), outcome)
    return ladder


def _tell(ladder: Ladder, known: Known, individual: Individual, outcome: Outcome) -> None:
    """As `Search.tell`."""
    if individual.rung > 1:
        fitness = outcome.fitness if math.isfinite(outcome.fitness) else None
        ladder.tell(individual, known.original(individual.of or 0), outcome, fitness)
        return
    mean = known.tell(individual, outcome)
    if outcome.status is not Status.KNOWN:
        ladder.tell(individual, known.original(individual.id), outcome, mean)
