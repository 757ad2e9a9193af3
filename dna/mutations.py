"""The six mutations (A.4): each takes a legal program and gives a legal one.

A mutation changes the genotype only; `mutate.py` finds out whether the child has a meaning,
and a new one. All choices are uniform, and all come from the generator that is passed in. A
mutation returns None if there is nothing to change at the place it drew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from primeval.dna.check import MAX_CONSTANT
from primeval.dna.printing import format_instruction, format_number, format_op, state_name
from primeval.dna.program import BRANCHINGS, INPUTS, RELATIVE_DIMS, Bank, Instruction, Program
from primeval.primitives.primitive import Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES


@dataclass(frozen=True, slots=True)
class Edit:
    """What a mutation changed.

    Attributes:
        kind: The mutation's name.
        subprogram: The subprogram it touched; None for the bank.
        place: The instruction it touched, counted from 0; for the bank, the entry.
        summary: One line for people.
    """

    kind: str
    subprogram: int | None
    place: int | None
    summary: str


class Mutated(NamedTuple):
    """A child and its `Edit`, whose summary is written only when `edit` is read."""

    program: Program
    kind: str
    subprogram: int | None
    place: int
    summary: Callable[[], str]

    @property
    def edit(self) -> Edit:
        """What was changed, with a line for people."""
        return Edit(self.kind, self.subprogram, self.place, self.summary())


class Choices(NamedTuple):
    """What a mutation chooses from: random numbers and a vocabulary."""

    rng: random.Random
    vocabulary: Vocabulary = PRIMITIVES

    def operations(self, program: Program, index: int) -> list[str | int]:
        """Operations an instruction of subprogram `index` may have.

        CHOICE: a call of any later subprogram is as likely as any one primitive.
        """
        return [*self.vocabulary, *range(index + 1, len(program.subprograms))]

    def instruction(self, program: Program, index: int, states: int) -> Instruction:
        """A random instruction that may read states 0 to `states` - 1.

        CHOICE: new instructions do not branch; a field mutation may make them.
        """
        rng = self.rng
        return Instruction(
            op=rng.choice(self.operations(program, index)),
            input1=rng.randrange(states),
            input2=rng.randrange(states),
            constant=rng.randrange(len(program.bank.constants)),
            dim=rng.randrange(len(program.bank.dims)),
        )


def delete(
    program: Program, choices: Choices, index: int | None = None, spare: int | None = None
) -> Mutated | None:
    """Delete an instruction, in subprogram `index` if one is given, but not the one at `spare`.

    CHOICE: instructions that read the deleted state now read what it was made from: its input,
    or either one of two inputs.
    """
    index = choices.rng.randrange(len(program.subprograms)) if index is None else index
    body = program.subprograms[index].instructions
    places = [place for place in range(len(body)) if place != spare]
    if len(body) < 2 or not places:
        return None
    place = choices.rng.choice(places)
    gone = body[place]
    arity = 2 if gone.is_call else program.vocabulary[str(gone.op)].arity
    heir = choices.rng.choice((gone.input1, gone.input2)[:arity])
    state = place + INPUTS

    def number(read: int) -> int:
        return heir if read == state else read - (read > state)

    later = tuple(_renumbered(instruction, number) for instruction in body[place + 1 :])
    child = program.with_instructions(index, (*body[:place], *later))
    return Mutated(
        child, "delete", index, place, lambda: f"S{index}: - {_written(gone, place, program)}"
    )


def insert(program: Program, choices: Choices, index: int | None = None) -> Mutated:
    """Insert a new instruction anywhere, in subprogram `index` if one is given.

    CHOICE: later instructions still read the states that they read before. That leaves an
    inserted line dead unless it is the last one. So half of the insertions, drawn at random,
    are spliced in: later readers of the new instruction's first input now read the new state.
    """
    index = choices.rng.randrange(len(program.subprograms)) if index is None else index
    body = program.subprograms[index].instructions
    place = choices.rng.randrange(len(body) + 1)
    state = place + INPUTS
    new = choices.instruction(program, index, states=state)
    spliced = choices.rng.random() < 0.5

    def number(read: int) -> int:
        return state if spliced and read == new.input1 else read + (read >= state)

    later = tuple(_renumbered(instruction, number) for instruction in body[place:])
    child = program.with_instructions(index, (*body[:place], new, *later))
    return Mutated(
        child, "insert", index, place, lambda: f"S{index}: + {_written(new, place, program)}"
    )


def delete_insert(program: Program, choices: Choices) -> Mutated | None:
    """Delete an instruction of a subprogram and insert one, at places drawn independently."""
    index = choices.rng.randrange(len(program.subprograms))
    inserted = insert(program, choices, index)
    deleted = delete(inserted.program, choices, index, spare=inserted.place)
    if deleted is None:
        return None
    return Mutated(
        deleted.program,
        "delete_insert",
        index,
        deleted.place,
        lambda: f"{deleted.summary()}; {inserted.summary()}",
    )


def field(program: Program, choices: Choices) -> Mutated | None:
    """Change one field of one instruction.

    CHOICE: the operation is a field like the others: the evolved Primer turned a C_MUL into
    a CONV_1X1 where it stood (Figure 14).
    """
    rng = choices.rng
    index = rng.randrange(len(program.subprograms))
    body = program.subprograms[index].instructions
    place = rng.randrange(len(body))
    name = rng.choice(FIELDS)
    old = getattr(body[place], name)
    values = _field_values(program, choices, index, place, name)
    others = [value for value in values if value != old]
    if not others:
        return None
    new: Any = rng.choice(others)
    changed = body[place]._replace(**{name: new})
    child = program.with_instructions(index, (*body[:place], changed, *body[place + 1 :]))

    def summary() -> str:
        before, after = (_written(i, place, program) for i in (body[place], changed))
        return f"S{index}: {before} -> {after}"

    return Mutated(child, "field", index, place, summary)


FIELDS = ("op", "input1", "input2", "constant", "dim", "branching")


def _field_values(
    program: Program, choices: Choices, index: int, place: int, name: str
) -> Sequence[str | int]:
    """The values a field of an instruction may take."""
    if name == "op":
        return choices.operations(program, index)
    if name == "branching":
        return BRANCHINGS
    if name == "constant":
        return range(len(program.bank.constants))
    return range(len(program.bank.dims) if name == "dim" else place + INPUTS)


def swap(program: Program, choices: Choices) -> Mutated | None:
    """Exchange the places of two instructions of one subprogram in its graph.

    CHOICE: operation, bank entries and branching change places; the inputs stay with the
    place, which is how S2 and S5 changed places in the evolved Primer's MAIN.
    """
    index = choices.rng.randrange(len(program.subprograms))
    body = list(program.subprograms[index].instructions)
    if len(body) < 2:
        return None
    first, second = sorted(choices.rng.sample(range(len(body)), 2))
    one, other = body[first], body[second]
    body[first] = other.reading(one.input1, one.input2)
    body[second] = one.reading(other.input1, other.input2)
    child = program.with_instructions(index, tuple(body))

    def summary() -> str:
        return (
            f"S{index}: {state_name(first + INPUTS)} ({format_op(one)}) <-> "
            f"{state_name(second + INPUTS)} ({format_op(other)})"
        )

    return Mutated(child, "swap", index, first, summary)


def bank(program: Program, choices: Choices) -> Mutated | None:
    """Redraw a relative width, or move a constant c to c * 10**X + Y (X, Y normal)."""
    rng, bank = choices.rng, program.bank
    constants, dims = list(bank.constants), list(bank.dims)
    entry = rng.randrange(len(constants) + len(dims))
    at = entry - len(constants)  # among the widths, if it is one
    if at < 0:
        old = constants[entry]
        constants[entry] = new = old * 10 ** rng.gauss(0, 1) + rng.gauss(0, 1)
        if abs(new) > MAX_CONSTANT:
            return None
        summary = f"const{entry} {format_number(old)} -> {new:.4g}"
    else:
        dims[at] = rng.choice([dim for dim in RELATIVE_DIMS if dim != bank.dims[at]])
        summary = f"dim{at} {bank.dims[at]} -> {dims[at]}"
    changed = Bank(tuple(constants), tuple(dims), bank.width)
    child = Program(program.subprograms, changed, program.vocabulary)
    return Mutated(child, "bank", None, entry, lambda: summary)


# In the paper's order (A.4).
MUTATIONS: dict[str, Callable[[Program, Choices], Mutated | None]] = {
    "delete": delete,
    "insert": insert,
    "delete_insert": delete_insert,
    "field": field,
    "swap": swap,
    "bank": bank,
}


def _written(instruction: Instruction, place: int, program: Program) -> str:
    return format_instruction(instruction, place, program.vocabulary)


def _renumbered(instruction: Instruction, number: Callable[[int], int]) -> Instruction:
    """The instruction with its states renumbered; itself if nothing changes."""
    input1, input2 = number(instruction.input1), number(instruction.input2)
    if input1 == instruction.input1 and input2 == instruction.input2:
        return instruction
    return instruction.reading(input1, input2)
