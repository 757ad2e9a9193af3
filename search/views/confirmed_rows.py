"""The table of a confirmation: one row per program, next to its figures from the search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from primeval.evaluators.outcome import Outcome
from primeval.search.confirm.figures import (
    Confirmed,
    Figures,
    best_first,
    read_confirmed,
    reference_of,
)
from primeval.search.run.folder import Run
from primeval.search.views.comparing import Verdict, finite, judge
from primeval.search.views.ranking import Row, individual_row
from primeval.search.views.rungs import Rungs, read_rungs


@dataclass(frozen=True)
class ConfirmedRow:
    """A confirmed program.

    Attributes:
        name: What it is called.
        fingerprint: Of its canonical graph, in hexadecimal.
        reference: Whether it is the run's first seed.
        figures: What its confirmation found.
        searched: The individual of the search that is this program; None if there is none.
        outcomes: Of each training, by fresh seed.
    """

    name: str
    fingerprint: str
    reference: bool
    figures: Figures
    searched: Row | None
    outcomes: dict[int, Outcome]

    @property
    def verdict(self) -> Verdict:
        """What its difference to the seed means; its interval tells."""
        return judge(self.figures.loss_vs_seed, self.figures.half_width)

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        row = self.searched
        return {
            "name": self.name,
            "id": row and row.id,
            "fingerprint": self.fingerprint,
            "reference": self.reference,
            **vars(self.figures),
            "search_status": row and row.status,
            "search_loss": row and row.loss,
            "search_loss_vs_seed": row and row.loss_vs_seed,
            "runs": [_training(seed, one) for seed, one in self.outcomes.items()],
        }


def confirmed_rows(
    run: Run,
    names: Mapping[str, str] | None = None,
    seeds: int | None = None,
    rung: int | None = None,
) -> list[ConfirmedRow]:
    """The confirmed programs of a run, the best first.

    Args:
        run: The run.
        names: The programs to list, by fingerprint, with their names; None for all.
        seeds: How many fresh seeds to look at, from the first; None for all.
        rung: Where they were confirmed; None for the highest rung on which anything was.
    """
    confirmed = read_confirmed(run, rung)
    if seeds is not None:
        confirmed = {key: one.within(seeds) for key, one in confirmed.items()}
    reference = reference_of(run, confirmed)
    wanted = [
        one for key, one in confirmed.items() if one.outcomes and (not names or key in names)
    ]
    rungs = read_rungs(run)
    return [
        ConfirmedRow(
            (names or {}).get(one.fingerprint, one.name),
            one.fingerprint,
            one is reference,
            one.figures(reference),
            _searched(run, one, rungs),
            dict(sorted(one.outcomes.items())),
        )
        for one in best_first(wanted)
    ]


def _searched(run: Run, one: Confirmed, rungs: Rungs) -> Row | None:
    individual = run.store.find(one.fingerprint)
    return None if individual is None else individual_row(run, individual, rungs)


def _training(seed: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": seed,
        "status": outcome.status.value,
        "loss": finite(outcome.loss),
        "bits_per_byte": finite(outcome.bits_per_byte),
        "accuracy": finite(outcome.accuracy),
        "steps": outcome.steps,
        "step_ratio": finite(outcome.step_ratio),
        "seconds": outcome.seconds,
        "message": outcome.message,
    }
