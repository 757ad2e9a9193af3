"""The table of a confirmation: a row for each program, beside what the search thought of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from primeval.search.confirm.figures import Confirmed, best_first, read_confirmed, reference_of
from primeval.search.run.folder import Run
from primeval.search.views.ranking import finite, row


def confirmed_rows(
    run: Run, names: Mapping[str, str] | None = None, seeds: int | None = None
) -> list[dict[str, Any]]:
    """Confirmed programs as plain data, the best first.

    Args:
        run: The run.
        names: Those to tell of, by fingerprint, with their names; None for all.
        seeds: How many seeds to look at, from the first; None for all.
    """
    confirmed = read_confirmed(run)
    if seeds is not None:
        confirmed = {key: one.within(seeds) for key, one in confirmed.items()}
    reference = reference_of(run, confirmed)
    wanted = [
        one for key, one in confirmed.items() if one.outcomes and (not names or key in names)
    ]
    return [
        {"name": (names or {}).get(one.fingerprint, one.name)} | _row(run, one, reference)
        for one in best_first(wanted)
    ]


def _row(run: Run, one: Confirmed, reference: Confirmed | None) -> dict[str, Any]:
    number = run.store.find(one.fingerprint)
    found = {} if number is None else row(run, number)
    return {
        "id": number,
        "fingerprint": one.fingerprint,
        "reference": one is reference,
        **one.figures(reference),
        "search_status": found.get("status"),
        "search_loss": found.get("loss"),
        "search_loss_vs_seed": found.get("loss_vs_seed"),
        "runs": [
            {
                "seed": seed,
                "status": outcome.status.value,
                "loss": finite(outcome.loss),
                "bits_per_byte": finite(outcome.bits_per_byte),
                "steps": outcome.steps,
                "step_ratio": finite(outcome.step_ratio),
                "seconds": dict(outcome.seconds),
                "message": outcome.message,
            }
            for seed, outcome in sorted(one.outcomes.items())
        ],
    }
