"""Does one arm need fewer candidates than another? By rank, so that giving up counts too."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

Needed = Sequence["int | None"]  # candidates until the answer; None for a search that gave up


def p_fewer(arm: Needed, other: Needed) -> float:
    """The probability that `arm` ranks this low if both arms are alike (one-sided).

    Mann and Whitney's U with midranks, in a normal approximation with corrections for ties
    and for continuity. Searches that gave up share the last rank: they needed more candidates
    than the budget, and a rank needs no more than that.
    """
    count, others = len(arm), len(other)
    if not count or not others:
        raise ValueError("Both arms need searches.")
    pooled = Counter(map(_rankable, [*arm, *other]))
    if len(pooled) == 1:
        return 0.5
    rank_of, below = {}, 0
    for value in sorted(pooled):
        rank_of[value] = below + (pooled[value] + 1) / 2
        below += pooled[value]
    total = count + others
    u = sum(rank_of[_rankable(one)] for one in arm) - count * (count + 1) / 2
    ties = sum(tied**3 - tied for tied in pooled.values())
    variance = count * others / 12 * (total + 1 - ties / (total * (total - 1)))
    z = (u + 0.5 - count * others / 2) / math.sqrt(variance)
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _rankable(needed: int | None) -> float:
    return math.inf if needed is None else needed
