"""What a run knows of its programs on each rung, rebuilt from its store.

Losses on different rungs are of different models, budgets or texts. So what is compared are
gains: the first seed's mean loss on a rung minus the program's there. A gain means something
where it is beyond that rung's noise floor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from primeval.evaluators.outcome import Outcome, Status
from primeval.search.algorithm.gains import FIRST_SEED
from primeval.search.algorithm.ladder import Ladder
from primeval.search.drive.ladder import ladder_of
from primeval.search.run.folder import Run
from primeval.search.views.comparing import Verdict, finite, judge, loss_gap, mean_outcome


@dataclass(frozen=True)
class RungFigures:
    """A rung in numbers; None where something is not known yet.

    Attributes:
        rung: Its number.
        trainings: How often the first seed was trained to the end.
        seed_loss: The mean of its losses.
        deviation: Their standard deviation.
        compared: How many other programs were trained to the end.
        floor: How large a gain must be to mean something, in nats per token.
        promoted: How many programs other than seeds were tried; None for the first rung.
        held: The share of the gains of the rung below that has held; None for the first rung,
            and while nothing was promoted.
    """

    rung: int
    trainings: int
    seed_loss: float | None
    deviation: float | None
    compared: int
    floor: float | None
    promoted: int | None = None
    held: float | None = None

    @property
    def pair_floor(self) -> float | None:
        """The same for the difference between two single trainings, neither of them a mean."""
        if self.floor is None:
            return None
        return self.floor * math.sqrt(2 / (1 + 1 / self.trainings))


@dataclass(frozen=True)
class Reached:
    """What a program reached on a rung.

    Attributes:
        id: The individual that was trained there.
        status: How that ended; `in_flight` before.
        hurdle: The hurdle, from 0, that it was stopped at; None otherwise.
        loss: Its loss; a mean if it was trained several times.
        gain: How much lower that is than the first seed's, where both were measured.
        verdict: What the gain means.
        figures: The rung in numbers.
    """

    id: int
    status: str
    hurdle: int | None
    loss: float | None
    gain: float | None
    verdict: Verdict
    figures: RungFigures

    @property
    def rung(self) -> int:
        """The number of the rung."""
        return self.figures.rung

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        known = self.verdict is not Verdict.UNKNOWN
        data = {"rung": self.rung, **vars(self), "verdict": self.verdict.value}
        beyond = self.verdict is Verdict.GAIN if known else None
        return data | {"beyond_noise": beyond, "figures": vars(self.figures)}


@dataclass(frozen=True)
class Rungs:
    """The rungs of a run, and what its programs reached on them.

    Attributes:
        ladder: What the search knows of its programs.
        figures: Of each rung, the lowest first.
        seeds: The first seed's outcome on each rung, with mean losses; None before it is there.
        trials: The individuals that trained a program on a rung above the first, by program
            and rung.
    """

    ladder: Ladder
    figures: tuple[RungFigures, ...]
    seeds: tuple[Outcome | None, ...] = field(repr=False)
    trials: Mapping[int, Mapping[int, list[int]]] = field(repr=False)

    @property
    def several(self) -> bool:
        """Whether there is more than one rung."""
        return len(self.figures) > 1

    def floor(self, rung: int = 1) -> float | None:
        """How large a gain must be to mean something on a rung; None if that is not known."""
        return self.figures[rung - 1].floor

    def seed(self, rung: int = 1) -> Outcome | None:
        """The first seed's outcome on a rung, with mean losses."""
        return self.seeds[rung - 1]

    def above(self, run: Run, program: int) -> list[Reached]:
        """What a program reached on each rung above the first that it was tried on."""
        found = []
        for rung, numbers in sorted(self.trials.get(program, {}).items()):
            number, outcome = numbers[0], self.seed(rung)
            if program != FIRST_SEED:
                told = [(one, run.store.outcome(one)) for one in numbers]
                whole = [pair for pair in told if pair[1] and pair[1].status != Status.LOST]
                number, outcome = (whole or told)[-1]
            gap = loss_gap(outcome, self.seed(rung))
            found.append(self.reached(program, rung, number, outcome, gap))
        return found

    def reached(
        self, program: int, rung: int, number: int, outcome: Outcome | None, gap: float | None
    ) -> Reached:
        """What an individual with this outcome reached on a rung.

        `gap` is the difference of its loss to the seed's.
        """
        return Reached(
            number,
            outcome.status.value if outcome else "in_flight",
            outcome.hurdle if outcome else None,
            finite(outcome.loss) if outcome else None,
            None if gap is None else 0.0 - gap,
            self.verdict(program, rung, outcome, gap),
            self.figures[rung - 1],
        )

    def verdict(
        self, program: int, rung: int, outcome: Outcome | None, gap: float | None
    ) -> Verdict:
        """What the difference of an outcome's loss to the seed's means."""
        if program == FIRST_SEED:
            return Verdict.UNKNOWN  # there is nothing to compare it with
        ended = outcome is not None and outcome.status is Status.COMPLETED
        return judge(gap, self.floor(rung), ended)


def read_rungs(run: Run) -> Rungs:
    """The rungs of a run, also while it is driven."""
    trainings = list(run.store.trainings())
    ladder, programs = ladder_of(run, trainings)
    seeds: dict[int, list[Outcome]] = {rung: [] for rung in run.config.rung_numbers}
    trials: dict[int, dict[int, list[int]]] = {}
    for one in trainings:
        program = programs[one.id]
        if one.rung > 1:
            trials.setdefault(program, {}).setdefault(one.rung, []).append(one.id)
        if program == FIRST_SEED and one.status != Status.KNOWN.value:
            outcome = run.store.outcome(one.id)
            seeds[one.rung] += [outcome] if outcome is not None else []
    promoted = {program for program in trials if program >= len(run.store.seeds)}
    figures = [
        rung_figures(ladder, rung, sum(rung in trials[program] for program in promoted))
        for rung in run.config.rung_numbers
    ]
    means = [mean_outcome(seeds[rung]) for rung in run.config.rung_numbers]
    return Rungs(ladder, tuple(figures), tuple(means), trials)


def rung_figures(ladder: Ladder, rung: int, promoted: int = 0) -> RungFigures:
    """A rung in numbers."""
    noise, compared = ladder.noise(rung), ladder.compared(rung)
    floor = noise.floor(max(1, compared))
    held = ladder.held(rung) if promoted else None
    figures = (len(noise.losses), noise.mean, noise.deviation, compared, floor)
    return RungFigures(rung, *figures, promoted if rung > 1 else None, held)
