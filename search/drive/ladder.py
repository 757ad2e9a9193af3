"""What a run knows of its programs on each rung, rebuilt from its store.

It has the gains of `Search.ladder` after a replay, but not the programs: so it needs neither
the modules of users' primitives nor the time to parse thousands of texts. What was not measured
is expected to be a share of the gain below, whatever the program is made of.
"""

from __future__ import annotations

from collections.abc import Sequence

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.known import Mean
from primeval.search.algorithm.ladder import Ladder
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.rung import Rung
from primeval.search.run.folder import Run
from primeval.search.run.reader import Training


def read_ladder(run: Run) -> Ladder:
    """The ladder of a run as of its last outcome; also while it is driven.

    A program that did not fit the scale of a rung leaves no trace in the store. It counts as
    not tried there.
    """
    return ladder_of(run, list(run.store.trainings()))[0]


def ladder_of(run: Run, trainings: Sequence[Training]) -> tuple[Ladder, dict[int, int]]:
    """The ladder, and the program of each individual: the first individual with it.

    It is told what `Search.tell` tells its own.
    """
    ladder = Ladder([Rung()] * len(run.config.rung_numbers), len(run.store.seeds))
    programs: dict[int, int] = {}
    for one in trainings:
        first = one.id if one.original is None else one.original
        first = first if one.of is None else one.of
        programs[one.id] = programs.get(first, first)
        if ladder.top > 1:  # otherwise nothing is entered for
            ladder.enter(_brief(one))
    means: dict[int, Mean] = {}
    on = {
        rung: Individual(0, None, None, "", "", 0, rung=rung)
        for rung in run.config.rung_numbers
    }
    for one in sorted((one for one in trainings if one.seq), key=lambda one: one.seq or 0):
        outcome = Outcome(Status(one.status), None if one.fitness is None else -one.fitness)
        if outcome.status is Status.KNOWN:
            continue
        program, fitness = programs[one.id], one.fitness
        if one.rung == 1 and fitness is not None:
            mean = means.setdefault(program, Mean())
            mean.step(fitness)
            fitness = mean.finalize()
        ladder.tell(on[one.rung], program, outcome, fitness)
    return ladder, programs


def _brief(one: Training) -> Individual:
    return Individual(one.id, one.parent, None, "", "", 0, rung=one.rung, of=one.of)
