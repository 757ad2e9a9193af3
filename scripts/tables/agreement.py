"""How two rankings that were compared look on a terminal."""

from __future__ import annotations

from primeval.evaluators.units import rough_duration
from primeval.scripts.tables import terminal
from primeval.search.statistics.agreement import Correlation
from primeval.search.views.agreement import Agreement, Side

HEADERS = ("rank A", "rank B", "loss A", "loss B", "vs seed A", "vs seed B", "program")


def print_agreement(found: Agreement) -> None:
    """Print the correlations and how to read them, the programs, and the pairs that change."""
    programs, seeds = len(found.names), found.a.seeds
    print(f"A: {found.a.name} ({found.a.folder}), {_cost(found.a)}")
    print(f"B: {found.b.name} ({found.b.folder}), {_cost(found.b)}{_ratio(found)}")
    print(f"{programs} programs, {seeds} seed{'s' if seeds > 1 else ''} each.\n")
    print(f"Spearman {_correlation(found.spearman)}")
    print(f"Kendall  {_correlation(found.kendall)}")
    print(f"{_reading(found.kendall)}\n")
    _print_programs(found)
    for letter, side in (("A", found.a), ("B", found.b)):
        if side.failed:
            names = ", ".join(side.failed)
            print(f"Failed under {letter}, and so last in a tie: {len(side.failed)} ({names}).")
    print()
    _print_pairs(found)


def _cost(side: Side) -> str:
    each = rough_duration(side.seconds / side.trainings)
    return f"{each} of workers a training, {rough_duration(side.seconds)} in all"


def _ratio(found: Agreement) -> str:
    return "" if found.cost_ratio is None else f", {found.cost_ratio:.3g} times A"


def _correlation(one: Correlation) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "has no value: under A or B all programs tie."
    return f"{one.value:+.2f}, 95 % interval {one.low:+.2f} to {one.high:+.2f}"


def _reading(kendall: Correlation) -> str:
    if kendall.value is None or kendall.low is None or kendall.high is None:
        return "Nothing can be said of the order."
    ends = (kendall.value, kendall.low, kendall.high)
    value, low, high = (f"{50 + 50 * one:.0f}" for one in ends)
    return (
        "1 is the same order, 0 is no relation, -1 is the opposite order. Of two programs like "
        "these,\nthe better one under A is the better one under B in about "
        f"{value} of 100 cases ({low} to {high})."
    )


def _print_programs(found: Agreement) -> None:
    """The table, in the order of A."""
    a, b = found.a, found.b
    order = sorted(range(len(found.names)), key=lambda at: (a.ranks[at], b.ranks[at]))
    cells = [
        [
            str(a.ranks[at]),
            str(b.ranks[at]),
            _loss(a, at),
            _loss(b, at),
            _gap(a, at),
            _gap(b, at),
            found.names[at],
        ]
        for at in order
    ]
    print(f"Test losses are in nats per token; the seed is {found.names[0]}.")
    terminal.print_table(HEADERS, cells, {"program"})


def _loss(side: Side, at: int) -> str:
    one = side.programs[at]
    return "failed" if one.failures else terminal.fixed(one.loss)


def _gap(side: Side, at: int) -> str:
    gap = side.gaps[at]
    return terminal.signed(gap.mean if gap else None)


def _print_pairs(found: Agreement) -> None:
    compared, decided, changed = found.pairs
    if found.a.seeds < 2:
        print("Whether a pair changes its order beyond noise takes 2 seeds or more to say.")
        return
    same = decided - len(changed)
    print(
        f"Of {compared} pairs of programs {decided} differ beyond noise under both: {same} in "
        f"the same order, {len(changed)} in the other."
    )
    for at in sorted({one.better for one in changed}):
        others = [found.names[one.worse] for one in changed if one.better == at]
        print(f"  {found.names[at]}, ahead under A and behind under B: {', '.join(others)}")
