"""Two rankings of the same programs, trained under two configurations, side by side."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from primeval.search.confirm.figures import Confirmed, read_confirmed
from primeval.search.run.folder import Run
from primeval.search.statistics.agreement import (
    Change,
    Correlation,
    Pairs,
    correlations,
    pairs_beyond_noise,
)
from primeval.search.statistics.intervals import Interval


@dataclass(frozen=True)
class Side:
    """One of the two configurations, and what training under it found.

    Attributes:
        name: Names the configuration.
        folder: Of the results.
        programs: The programs, in the same order on both sides; the first seed is the first.
        seeds: With how many fresh seeds each was trained.
    """

    name: str
    folder: str
    programs: Sequence[Confirmed]
    seeds: int

    @cached_property
    def losses(self) -> list[list[float]]:
        """Test loss of each program with each seed, infinity where it failed."""
        return [
            [one.losses.get(seed, math.inf) for seed in range(self.seeds)]
            for one in self.programs
        ]

    @cached_property
    def ranks(self) -> list[int]:
        """Places by mean loss, from 1; programs that tie, as all that failed, share one."""
        means = [math.inf if one.loss is None else one.loss for one in self.programs]
        return [1 + sum(other < mean for other in means) for mean in means]

    @cached_property
    def gaps(self) -> list[Interval | None]:
        """Loss minus the first seed's, paired by seed; None where one of the two failed."""
        reference = self.programs[0]
        return [
            one.gap(reference if reference.loss is not None else None) for one in self.programs
        ]

    @cached_property
    def deviations(self) -> list[float | None]:
        """Standard deviation of these differences over the seeds; None for fewer than two."""
        reference = self.losses[0]
        both = [
            [loss - other for loss, other in zip(losses, reference, strict=True)]
            for losses in self.losses
        ]
        return [
            statistics.stdev(values) if gap is not None and gap.count > 1 else None
            for values, gap in zip(both, self.gaps, strict=True)
        ]

    @property
    def failed(self) -> list[str]:
        """Names of the programs that failed with any of the seeds."""
        return [one.name for one in self.programs if one.loss is None]

    @property
    def trainings(self) -> int:
        """How many trainings there were."""
        return sum(len(one.outcomes) for one in self.programs)

    @property
    def seconds(self) -> float:
        """Workers' time of all trainings."""
        outcomes = [one for program in self.programs for one in program.outcomes.values()]
        return math.fsum(time for one in outcomes for time in one.seconds.values())

    def as_json(self) -> dict[str, Any]:
        """What it was and what it cost, without its programs, as plain data for JSON."""
        return {
            "configuration": self.name,
            "run_dir": self.folder,
            "failed": self.failed,
            "trainings": self.trainings,
            "seconds": self.seconds,
            "seconds_per_training": self.seconds / self.trainings,
        }

    def program_as_json(self, at: int) -> dict[str, Any]:
        """What it found about one program, as plain data for JSON."""
        one, gap = self.programs[at], self.gaps[at]
        return {
            "loss": one.loss,
            "loss_vs_seed": gap and gap.mean,
            "deviation_vs_seed": self.deviations[at],
            "rank": self.ranks[at],
            "losses": [one.losses.get(seed) for seed in range(self.seeds)],
            "failures": dict(one.failures),
        }


class Agreement(NamedTuple):
    """How far the rankings of two sides agree.

    Attributes:
        a, b: The sides.
        spearman, kendall: Correlations of their rankings.
        pairs: What can be said of pairs of programs.
    """

    a: Side
    b: Side
    spearman: Correlation
    kendall: Correlation
    pairs: Pairs

    @property
    def names(self) -> list[str]:
        """The programs, the first seed first."""
        return [one.name for one in self.a.programs]

    @property
    def cost_ratio(self) -> float | None:
        """What a training under B costs, over one under A; None if A's took no time."""
        return self.b.seconds / self.a.seconds if self.a.seconds else None

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        programs = [
            {
                "name": name,
                "fingerprint": self.a.programs[at].fingerprint,
                "a": self.a.program_as_json(at),
                "b": self.b.program_as_json(at),
            }
            for at, name in enumerate(self.names)
        ]
        return {
            "split": "test",
            "seeds": self.a.seeds,
            "spearman": self.spearman._asdict(),
            "kendall": self.kendall._asdict(),
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            "cost_ratio": self.cost_ratio,
            "programs": programs,
            "pairs": {
                "compared": self.pairs.compared,
                "decided": self.pairs.decided,
                "changed": [self._change_as_json(one) for one in self.pairs.changed],
            },
        }

    def _change_as_json(self, change: Change) -> dict[str, Any]:
        sides = {"a": change.a, "b": change.b}
        return {
            "better_under_a": self.names[change.better],
            "better_under_b": self.names[change.worse],
            **{
                side: {"difference": one.mean, "half_width": one.half_width}
                for side, one in sides.items()
            },
        }


def agreement(a: Side, b: Side) -> Agreement:
    """Compare the rankings of two sides; they have at least one program."""
    spearman, kendall = correlations(a.losses, b.losses)
    return Agreement(a, b, spearman, kendall, pairs_beyond_noise(a.losses, b.losses))


def side_of(name: str, run: Run, names: Mapping[str, str], seeds: int) -> Side:
    """What a run says of programs that were all trained in it.

    Args:
        name: Names its configuration.
        run: The run.
        names: Names of the programs by fingerprint, the first seed first.
        seeds: How many fresh seeds to look at, from the first.
    """
    held = read_confirmed(run)
    programs = [
        Confirmed(called, key, held[key].within(seeds).outcomes)
        for key, called in names.items()
    ]
    return Side(name, str(run.folder), programs, seeds)
