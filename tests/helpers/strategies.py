"""Generates programs: mutated seeds, random programs, and a Hypothesis strategy over both."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from primeval.dna.check import ProgramError, check
from primeval.dna.graph import Graph, build_graph
from primeval.dna.library import load_seed, seed_names
from primeval.dna.mutations import MUTATIONS, Choices
from primeval.dna.program import (
    BRANCHINGS,
    INPUTS,
    RELATIVE_DIMS,
    Bank,
    Instruction,
    Program,
    Subprogram,
)
from primeval.primitives.vocabulary import PRIMITIVES
from primeval.primitives.widths import Rejection

SEEDS = {name: load_seed(name) for name in seed_names()}


def mutated(rng: random.Random, steps: int, start: Program | None = None) -> Program:
    """A legal program after a chain of random mutations; it may have no meaning."""
    program = start or SEEDS[rng.choice(list(SEEDS))]
    for _ in range(steps):
        child = MUTATIONS[rng.choice(list(MUTATIONS))](program, Choices(rng))
        if child is not None and is_legal(child.program):
            program = child.program
    return program


def is_legal(program: Program) -> bool:
    """Whether a mutated program keeps the limits on nested calls and branches."""
    try:
        check(program)
    except ProgramError:
        return False
    return True


def random_program(rng: random.Random, like: Program) -> Program:
    """A program with the same lengths as `like` and every field drawn uniformly."""
    count = len(like.subprograms)
    bodies = []
    for index, subprogram in enumerate(like.subprograms):
        operations: list[str | int] = [*PRIMITIVES, *range(index + 1, count)]
        body = tuple(
            Instruction(
                rng.choice(operations),
                rng.randrange(place + INPUTS),
                rng.randrange(place + INPUTS),
                rng.randrange(len(like.bank.constants)),
                rng.randrange(len(like.bank.dims)),
                rng.choice(BRANCHINGS) if rng.random() < 0.1 else 1,
            )
            for place in range(len(subprogram.instructions))
        )
        bodies.append(Subprogram(subprogram.name, body))
    bank = Bank(
        tuple(rng.gauss(0, 1) for _ in like.bank.constants),
        tuple(rng.choice(RELATIVE_DIMS) for _ in like.bank.dims),
    )
    return Program(tuple(bodies), bank)


def meaning(program: Program) -> Graph | None:
    """The program's graph, or None if the language rejects it."""
    try:
        check(program)
        return build_graph(program)
    except (ProgramError, Rejection):
        return None


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Legal programs: mutated seeds and random ones."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):
        program = random_program(rng, SEEDS["transformer"])
        while not is_legal(program):
            program = random_program(rng, SEEDS["transformer"])
        return program
    return mutated(rng, draw(st.integers(0, 30)))
