"""What is said of the noise, of gains beside it, and of how programs stand on the rungs.

A difference that is noise is marked with that word and grey. Where the noise was not measured,
differences have no colour, as nothing is known of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from primeval.scripts.tables import terminal
from primeval.search.config.settings import RunConfig
from primeval.search.run.folder import Run
from primeval.search.views.comparing import SEED_ID, Verdict
from primeval.search.views.lineage import LineageRow
from primeval.search.views.ranking import Ranking, Row
from primeval.search.views.rungs import Reached, RungFigures, read_rungs

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
    compared = f"; {programs} compared" if one.compared else ""
    return (
        f"{start} gain below {one.floor:.4f} is noise: the seed's own losses differ by as much "
        f"(sd {one.deviation:.4f} over {one.trainings} trainings{compared})."
    )


def lineage_noise(run: Run, rows: Sequence[LineageRow]) -> str:
    """How large the gains of a lineage must be to mean something."""
    figures = read_rungs(run).figures[0]
    if figures.floor is not None and rows[-1].floor is None:
        return "Noise at a hurdle: not known. No difference counts as a gain."
    return _pair_line(run.config, figures)


def _pair_line(config: RunConfig, one: RungFigures) -> str:
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


def found_text(found: Ranking) -> str:
    """What was found beyond the noise, in a sentence; nothing while there is no loss."""
    best = found.found or found.best
    if best is None:
        return ""
    if best.is_find:
        return f"#{best.id} is better than the seed, by more than the noise{_proof(best)}."
    if found.noise_known:
        return (
            "Nothing was found beyond the noise: no program is better than the seed by more "
            "than the seed's own losses differ."
        )
    if best.parent is None:
        return "No program has a lower loss than the seed."
    last, gap, where = highest(best), best.loss_vs_seed, ""
    if last is not None and last.rung > 1 and last.gain is not None:
        gap, where = 0.0 - last.gain, f" on rung {last.rung}"
    beside = f"{terminal.signed(gap)} against the seed{where}"
    return f"#{best.id} comes first ({beside}). That may be luck: see the noise."


def _proof(best: Row) -> str:
    """Where a find was proved, and the difference there."""
    if best.confirmed_verdict is Verdict.GAIN and best.confirmed is not None:
        return f", in its confirmation: {marked(best.confirmed.loss_vs_seed, Verdict.GAIN)}"
    proof = best.on(best.proved or 1)
    if proof is None or proof.gain is None:
        return ""
    where = f" on rung {proof.rung}" if len(best.rungs) > 1 or proof.rung > 1 else ""
    return f"{where}: {marked(0.0 - proof.gain, proof.verdict)}"


def standing_text(row: Row) -> str:
    """How a program stands: on the highest rung that it was tried on, in three words."""
    last = highest(row)
    if last is None or row.id == SEED_ID:
        return "seed" if row.id == SEED_ID else "-"
    return f"{_word(last)} on {last.rung}"


def highest(row: Row) -> Reached | None:
    """What a program reached on the highest rung from which there is an outcome."""
    measured = [one for one in row.rungs if one.status not in ("in_flight", "lost")]
    return next(iter([*measured[::-1], *row.rungs]), None)


def _word(reached: Reached) -> str:
    if reached.status == "completed":
        return STANDINGS.get(reached.verdict, "unproved")
    return {"stopped": "stopped", "in_flight": "in flight"}.get(reached.status, "failed")
