"""The receipt: how many evaluations were not paid for, as their programs were known.

By level. `graph`: children whose canonical graph was known when they were drawn, and that were
drawn again; each would have cost what an evaluation of the run cost on average. `probe`:
individuals that a worker recognised by outputs and gradients; each would have cost what the
evaluation of its original did. Seconds are of workers' time; the toy evaluator takes none.
(Outcomes are read here and not by SQLite, whose JSON has no NaN.)
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from primeval.evaluators.outcome import Status
from primeval.search.run.folder import Run

# Attempts are noted by reason, after the mutation's kind if another one was taken instead.
_DRAWN = """
SELECT TOTAL(value) FROM individuals, json_each(individuals.attempts)
WHERE key = 'known' OR key LIKE '% known'
"""
_KNOWN = "SELECT original FROM repeats JOIN outcomes USING (id) WHERE status = ?"
_TIMED = "SELECT id, status, outcome FROM outcomes WHERE outcome NOT LIKE '%\"seconds\": {}%'"


def savings(run: Run) -> dict[str, Any]:
    """Evaluations and seconds saved by level, and the seconds that probing took."""
    select, known = run.store.select, Status.KNOWN.value
    recognised, statuses = Counter[int](), run.store.statuses()
    if statuses.pop(known, 0):
        recognised.update(number for (number,) in select(_KNOWN, (known,)))
    spent = probing = saved = 0.0
    for number, status, text in select(_TIMED):
        seconds = run.store.parsed(text, lambda outcome: dict(outcome["seconds"]))
        probing += seconds.pop("probe", 0.0)
        if status != known:
            took = math.fsum(seconds.values())
            spent += took
            saved += recognised[number] * took
    evaluated = sum(statuses.values())
    drawn = int(next(select(_DRAWN))[0])
    mean = spent / evaluated if evaluated else 0.0
    return {
        "graph": {"evaluations": drawn, "seconds": drawn * mean},
        "probe": {"evaluations": recognised.total(), "seconds": saved},
        "probing_seconds": probing,
    }
