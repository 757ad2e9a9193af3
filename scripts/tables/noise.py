"""What is said of the noise, of gains beside it, and of how programs stand on the rungs.

A difference that is noise is marked with that word and grey. Where the noise was not measured,
differences have no colour, as nothing is known of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from primeval.scripts.tables import terminal
from primeval.search.config.settings import RunConfig
from primeval.search.views.comparing import Verdict
from primeval.search.views.ranking import Row
from primeval.search.views.rungs import Reached, RungFigures

STYLES = {Verdict.GAIN: "+", Verdict.WORSE: "-", Verdict.NOISE: "dim", Verdict.UNKNOWN: ""}
STANDINGS = {Verdict.GAIN: "proved", Verdict.WORSE: "worse", Verdict.NOISE: "noise"}


def marked(gap: float | None, verdict: Verdict, digits: int = 4) -> terminal.Painted:
    """A difference to the seed, with the word `noise` if it is no more than that."""
    return with_word(terminal.signed(gap, digits), verdict)


def with_word(text: str, verdict: Verdict) -> terminal.Painted:
    """A figure with the style of its verdict, and with the word `noise` if it is that."""
    return terminal.Painted(
        f"{text} noise" if verdict is Verdict.NOISE else text, STYLES[verdict]
    )


def noise_lines(config: RunConfig, rungs: Sequence[RungFigures]) -> list[str]:
    """How large a gain must be to mean something: a sentence for each rung, or one for all."""
    if all(one.floor is None for one in rungs) and not any(one.trainings > 1 for one in rungs):
        if config.workers.evaluator == "toy":
            return ["Noise: not known, as toy trains nothing. No difference counts as a gain."]
        if all(config.replicates(one.rung) == 1 for one in rungs):
            why = "as the seed is trained once (candidate.replicates: 1)"
            return [f"Noise: not known, {why}. No difference counts as a gain."]
    return [_noise_line(config, one, several=len(rungs) > 1) for one in rungs]


def _noise_line(config: RunConfig, one: RungFigures, several: bool) -> str:
    if one.floor is None or one.deviation is None:
        where, wanted = f" on rung {one.rung}" if several else "", config.replicates(one.rung)
        why = f"of {wanted} trainings of the seed {one.trainings} are done"
        return f"Noise{where}: not known yet, as {why}. No difference counts as a gain."
    start = f"On rung {one.rung} a" if several else "A"
    programs = "1 program" if one.compared == 1 else f"{one.compared:,} programs"
    return (
        f"{start} gain below {one.floor:.4f} is noise: the seed's own losses differ by as much "
        f"(sd {one.deviation:.4f} over {one.trainings} trainings; {programs} compared)."
    )


def pair_line(config: RunConfig, one: RungFigures) -> str:
    """How large a difference between two single trainings must be to mean something."""
    if one.pair_floor is None or one.deviation is None:
        return noise_lines(config, [one])[0]
    return (
        f"Each loss is of one training: a difference below {one.pair_floor:.4f} is noise "
        f"(sd {one.deviation:.4f} over {one.trainings} trainings of the seed)."
    )


def short_noise(rungs: Sequence[RungFigures]) -> str:
    """The same in a few words, for a line of a live picture."""
    known = [one for one in rungs if one.floor is not None]
    if not known:
        return "noise: not known"
    floors = [
        f"{one.floor:.4f}" + (f" on rung {one.rung}" if len(rungs) > 1 else "") for one in known
    ]
    return f"noise: gains below {', '.join(floors)}"


def promotion_lines(rungs: Iterable[RungFigures]) -> list[str]:
    """How many programs were promoted to each rung, and what share of their gains held."""
    lines = []
    for one in rungs:
        if one.promoted == 0:
            lines.append(f"Rung {one.rung}: no program is promoted yet.")
        elif one.promoted is not None:
            programs = "1 program" if one.promoted == 1 else f"{one.promoted:,} programs"
            held = "" if one.held is None else f"; {one.held:.0%} of a gain holds there so far"
            lines.append(f"Rung {one.rung}: {programs} promoted{held}.")
    return lines


def standing_text(row: Row) -> str:
    """How a program stands: on the highest rung that it was tried on, in three words."""
    if not row.rungs or (row.parent is None and row.id == 0):
        return "seed" if row.rungs else "-"
    last = row.rungs[-1]
    measured = [one for one in row.rungs if one.status not in ("in_flight", "lost")]
    last = measured[-1] if measured else last
    return f"{_word(last)} on {last.rung}"


def _word(reached: Reached) -> str:
    if reached.status == "completed":
        return STANDINGS.get(reached.verdict, "unproved")
    return {"stopped": "stopped", "in_flight": "in flight"}.get(reached.status, "failed")
