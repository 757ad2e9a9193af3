"""The programs that `soundness.py` inspects: named, mutated, random and rewritten ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from helpers.strategies import SEEDS, random_program

from primeval.dna.check import ProgramError, check
from primeval.dna.graph import build_graph
from primeval.dna.mutations import MUTATIONS, Choices
from primeval.dna.program import INPUTS, Instruction, Program
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection

CHAIN = 50


class Sample(NamedTuple):
    source: str
    program: Program


def samples(count: int, seed: int = 0) -> Iterator[Sample]:
    """Programs of all three sources; every named program comes first."""
    made = 0
    for program in SEEDS.values():
        made += 1
        yield Sample("named", program)
    number = 0
    while made < count:
        rng = random.Random(f"{seed}/{number}")
        name = list(SEEDS)[number % len(SEEDS)]
        chain = [*_chain(rng, SEEDS[name]), *_meaningful_chain(rng, SEEDS[name])]
        chain += [
            Sample("random", random_program(rng, SEEDS["transformer"]))
            for _ in range(len(chain) // 2)
        ]
        yield from chain[: count - made]
        made, number = made + len(chain), number + 1


def _chain(rng: random.Random, program: Program) -> Iterator[Sample]:
    """1 to 50 mutations, whether or not they leave a meaning; yields every second program."""
    for step in range(CHAIN):
        mutated = MUTATIONS[rng.choice(list(MUTATIONS))](program, Choices(rng))
        if mutated is not None:
            program = mutated.program
        if step % 2 == 0:
            yield Sample("mutated blindly", program)


def _meaningful_chain(rng: random.Random, program: Program) -> Iterator[Sample]:
    """1 to 50 mutations, each of which leaves a meaning."""
    for step in range(CHAIN):
        mutated = MUTATIONS[rng.choice(list(MUTATIONS))](program, Choices(rng))
        if mutated is None:
            continue
        try:
            check(mutated.program)
            build_graph(mutated.program)
        except (Rejection, ProgramError):
            continue
        program = mutated.program
        if step % 2:
            yield Sample("mutated, meaning kept", program)


def rewritten(program: Program, rng: random.Random) -> Program:
    """The same meaning in other words: other dormant fields, operand order and dead lines."""
    for index, subprogram in enumerate(program.subprograms):
        body = [_reworded(line, program, rng) for line in subprogram.instructions]
        at = rng.randrange(len(body))  # never the last line, which is the output
        state = at + INPUTS
        body[at:] = [
            line.reading(*(read + (read >= state) for read in (line.input1, line.input2)))
            for line in body[at:]
        ]
        body.insert(at, Instruction("ABS", rng.randrange(state), rng.randrange(state)))
        program = program.with_instructions(index, tuple(body))
    return program


def _reworded(line: Instruction, program: Program, rng: random.Random) -> Instruction:
    row = None if line.is_call else PRIMITIVES[str(line.op)]
    if row is not None and row.commutative and line.branching == 1:
        line = line.reading(line.input2, line.input1)
    if row is None or "constant" not in row.reads:
        line = line._replace(constant=rng.randrange(len(program.bank.constants)))
    if row is None or "dim" not in row.reads:
        line = line._replace(dim=rng.randrange(len(program.bank.dims)))
    return line
