"""Programs as text: instructions, banks, whole programs. `parsing.py` reads them back."""

from __future__ import annotations

from functools import lru_cache

from primeval.dna.program import INPUTS, Bank, Instruction, Program, Subprogram
from primeval.primitives.primitive import CONSTANT, DIM, INPUT_1, INPUT_2, Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES


def state_name(state: int) -> str:
    """a, b, ..., z, aa, ab, ... for 0, 1, ..., 25, 26, 27, ..."""
    name = ""
    state += 1
    while state:
        state, letter = divmod(state - 1, 26)
        name = chr(ord("a") + letter) + name
    return name


def state_index(name: str) -> int:
    """The inverse of `state_name`: 0 for a, 26 for aa."""
    index = 0
    for letter in name:
        index = index * 26 + ord(letter) - ord("a") + 1
    return index - 1


def reads(op: str | int, vocabulary: Vocabulary = PRIMITIVES) -> tuple[str, ...]:
    """The fields that an operation reads; a call reads its two inputs.

    Raises UnknownNameError for a primitive that is not in the vocabulary.
    """
    return (INPUT_1, INPUT_2) if isinstance(op, int) else vocabulary[op].reads


def format_op(instruction: Instruction) -> str:
    """The name of a primitive, or S3 for a call of subprogram 3."""
    return f"S{instruction.op}" if instruction.is_call else str(instruction.op)


def format_instruction(
    instruction: Instruction,
    place: int,
    vocabulary: Vocabulary,
    names: list[str] | None = None,
    dormant: bool = False,
) -> str:
    """One line of text: the instruction at `place` of its subprogram.

    Fields that it does not read follow if `dormant`, unless they are 0. `names` gives states
    other names than letters. Raises UnknownNameError if the vocabulary lacks its primitive.
    """

    def name(state: int) -> str:
        return names[state] if names else state_name(state)

    used = reads(instruction.op, vocabulary)
    fields = {
        INPUT_1: name(instruction.input1),
        INPUT_2: name(instruction.input2),
        CONSTANT: f"const{instruction.constant}",
        DIM: f"dim{instruction.dim}",
    }
    words = [name(place + INPUTS), "=", format_op(instruction)]
    words += [text for field, text in fields.items() if field in used]
    if instruction.branching != 1:
        words.append(f"branch={instruction.branching}")
    if dormant:
        notes = [
            f"{'const' if field == CONSTANT else field}={text}"
            for field, text in fields.items()
            if field not in used and getattr(instruction, field)
        ]
        words += [";", *notes] if notes else []
    return " ".join(words)


def format_number(number: float) -> str:
    """The shortest text that gives the number back."""
    text = repr(float(number))
    return text[:-2] if text.endswith(".0") else text


def format_bank(bank: Bank) -> list[str]:
    """The three lines of a bank."""
    return [
        f"width {bank.width}",
        f"constants {' '.join(map(format_number, bank.constants))}",
        f"dims {' '.join(map(str, bank.dims))}",
    ]


def format_header(index: int, subprogram: Subprogram) -> str:
    """The line above a subprogram's instructions."""
    return f"S{index} {subprogram.name}(a, b):"


def format_program(program: Program, dormant: bool = True) -> str:
    """The whole program. Without `dormant` fields it is easier to read, but `parse` does not
    give the same program back."""
    lines = format_bank(program.bank)
    for index, subprogram in enumerate(program.subprograms):
        lines.append(_format_subprogram(index, subprogram, dormant, program.vocabulary))
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1024)  # a child shares all but one of its subprograms with its parent
def _format_subprogram(
    index: int, subprogram: Subprogram, dormant: bool, vocabulary: Vocabulary
) -> str:
    lines = ["", format_header(index, subprogram)]
    for place, instruction in enumerate(subprogram.instructions):
        written = format_instruction(instruction, place, vocabulary, dormant=dormant)
        lines.append(f"  {written}")
    return "\n".join(lines)
