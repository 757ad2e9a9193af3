"""Ladders whose programs had given losses."""

from __future__ import annotations

import itertools

from planted import SMALL

from helpers.toys import outcome
from primeval.dna.parsing import parse
from primeval.dna.program import Program
from primeval.evaluators.outcome import Outcome
from primeval.search.algorithm.ladder import Ladder
from primeval.search.algorithm.population import Individual
from primeval.search.algorithm.rung import Rung

SEED = parse(SMALL)
CONVOLVED = parse(SMALL.replace("c = CONV_1X1", "c = CONV_3X1"))
CONVOLVED_LATER = parse(SMALL.replace("e = CONV_1X1", "e = CONV_3X1"))
TAME = parse(SMALL.replace("d = MAX c const0", "d = TANH c"))
TWO = (Rung(), Rung(promote=0.5))
THREE = (Rung(), Rung(promote=0.5), Rung(promote=0.5))
NUMBERS = itertools.count(1000)  # of individuals that are promotions


def train(
    ladder: Ladder,
    program: int,
    loss: float | None,
    rung: int = 1,
    text: Program = SEED,
    result: Outcome | None = None,
) -> None:
    """Train a program on a rung, with this loss; None fails."""
    trial = rung > 1 or program in ladder._measured[0].entered
    one = Individual.made_of(
        text,
        id=next(NUMBERS) if trial else program,
        of=program if trial else None,
        rung=rung,
        parent=None,
        edit=None,
        fingerprint="",
        seed=0,
    )
    ladder.enter(one)
    ladder.tell(one, program, result or outcome(loss), None if loss is None else -loss)


def ladder_of(*losses: float | None, rungs: tuple[Rung, ...] = TWO, seeds: int = 1) -> Ladder:
    """A ladder on whose first rung programs 0, 1, … had these losses."""
    ladder = Ladder(rungs, seeds, SEED)
    for program, loss in enumerate(losses):
        train(ladder, program, loss)
    return ladder
