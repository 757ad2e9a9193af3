"""Programs as text: `parse(format_program(p)) == p`, one instruction a line.

    program     = { "width" NUMBER | "constants" NUMBER... | "dims" NUMBER... } subprogram...
    subprogram  = "S"INDEX NAME "(a, b):" instruction...
    instruction = STATE "=" OP [STATE [STATE]] ["constN"] ["dimN"] ["branch=N"] [dormant]
    dormant     = ";" { "input1="STATE | "input2="STATE | "const=constN" | "dim=dimN" }

States are lettered a, b (the inputs), c, d, ...; a call reads both its inputs. Fields that an
operation does not read are dormant: a later change of the operation may make it read them. So
they are written after `;`, unless they are 0 (the first state, constant or dim). `#` starts a
comment. Text is never executed.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from primeval.dna.check import MAX_INSTRUCTIONS, MAX_SUBPROGRAMS, ProgramError, check
from primeval.dna.printing import reads, state_index, state_name
from primeval.dna.program import INPUTS, Bank, Instruction, Program, Subprogram
from primeval.primitives.primitive import CONSTANT, DIM, INPUT_1, INPUT_2, Vocabulary
from primeval.primitives.vocabulary import PRIMITIVES

MAX_TEXT, MAX_LINE = 1_000_000, 4_000  # characters; comments may be longer
CONTEXT = 2  # lines shown around a broken one


def parse(text: str, source: str = "program", vocabulary: Vocabulary = PRIMITIVES) -> Program:
    """Read a program, of the primitives of `vocabulary`, and check it.

    Raises ProgramError naming the line and its context.
    """
    if len(text) > MAX_TEXT:
        raise ProgramError(
            f"{source}: a program text has at most {MAX_TEXT} characters. "
            f"Received: {len(text)}."
        )
    if "\0" in text:
        raise ProgramError(f"{source}: a program is text, and this has null bytes in it.")
    return _Parser(text, source, vocabulary).program()


_state_name = lru_cache(maxsize=1024)(state_name)

# ASCII only: `\d` would take the digits of other scripts, and Python reads them as numbers
_HEADER = re.compile(r"S([0-9]{1,4})\s+([A-Za-z_][A-Za-z_0-9]{0,63})\s*\(\s*a\s*,\s*b\s*\)\s*:")
_STATE = re.compile(r"[a-z]{1,3}")
_CALL = re.compile(r"S([0-9]{1,4})")
_BANKED = re.compile(r"(const|dim)([0-9]{1,4})")
_BRANCH = re.compile(r"branch=([0-9]{1,4})")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf)", re.I)
_FRACTION = re.compile(r"[0-9]{1,6}(/[0-9]{1,6}|\.[0-9]{1,6})?")


class _Parser:
    """Reads line by line; remembers where each subprogram and instruction stood."""

    def __init__(self, text: str, source: str, vocabulary: Vocabulary) -> None:
        self.lines = text.split("\n")  # as editors count them
        self.source, self.vocabulary = source, vocabulary
        self.bank: dict[str, Any] = {}  # what is given of it
        self.names: list[str] = []
        self.bodies: list[list[Instruction]] = []
        self.places: dict[tuple[int | None, int | None], int] = {}

    def program(self) -> Program:
        """The program, checked. Raises ProgramError naming the line and its context."""
        number = 0
        try:
            for number, raw in enumerate(self.lines):
                line = raw.split("#", 1)[0].strip()
                if line:
                    self._line(number, line)
            bodies = map(tuple, self.bodies)
            subprograms = tuple(map(Subprogram, self.names, bodies))
            bank = Bank(**{"constants": (0.0,), "dims": (Fraction(1),), **self.bank})
            program = Program(subprograms, bank, self.vocabulary)
            number = -1
            check(program)
        except ValueError as error:  # includes ProgramError and UnknownNameError
            if isinstance(error, ProgramError) and number < 0:
                number = self.places.get((error.subprogram, error.place), -1)
            raise ProgramError(self._explain(str(error), number)) from None
        return program

    def _explain(self, message: str, number: int) -> str:
        """The message, with the broken line between its neighbours (as in jaxprs)."""
        if number < 0 or not self.lines:
            return f"{self.source}: {message}"
        first, last = max(0, number - CONTEXT), number + CONTEXT + 1
        shown = [
            f"  {'>' if at == number else ' '} {at + 1:3d} | {self.lines[at][:100]}"
            for at in range(first, min(last, len(self.lines)))
        ]
        return "\n".join([f"{self.source}, line {number + 1}: {message}", *shown])

    def _line(self, number: int, line: str) -> None:
        if len(line) > MAX_LINE:
            raise ProgramError(
                f"A line has at most {MAX_LINE} characters. Received: {len(line)}."
            )
        content = _read(line, self.vocabulary)
        if isinstance(content, _Written):
            self._instruction(number, content)
        elif isinstance(content, _Header):
            self._open(number, content)
        elif content.kind in self.bank:
            raise ProgramError(f"The bank's {content.kind} is given twice.")
        else:
            self.bank[content.kind] = content.value

    def _open(self, number: int, header: _Header) -> None:
        if header.number != len(self.names) or header.number >= MAX_SUBPROGRAMS:
            raise ProgramError(
                f"Subprograms are numbered in order (next: S{len(self.names)}), at most "
                f"{MAX_SUBPROGRAMS}. Received: S{header.number}."
            )
        self.names.append(header.name)
        self.bodies.append([])
        self.places[header.number, None] = number

    def _instruction(self, number: int, written: _Written) -> None:
        if not self.bodies:
            raise ProgramError("An instruction stands below a subprogram's header.")
        body = self.bodies[-1]
        expected = _state_name(len(body) + INPUTS)
        if written.target != expected or len(body) >= MAX_INSTRUCTIONS:
            raise ProgramError(
                f"Line {len(body) + 1} of a subprogram (of at most {MAX_INSTRUCTIONS}) makes "
                f"state {expected}. Received: {written.target[:80]!r}."
            )
        self.places[len(self.bodies) - 1, len(body)] = number
        body.append(written.instruction)


class _Header(NamedTuple):
    number: int
    name: str


class _Entry(NamedTuple):
    kind: str  # a field of `Bank`
    value: Fraction | tuple[Fraction, ...] | tuple[float, ...]


class _Written(NamedTuple):
    target: str
    instruction: Instruction


@lru_cache(maxsize=2048)  # programs of a search have most of their lines in common
def _read(line: str, vocabulary: Vocabulary) -> _Header | _Entry | _Written:
    """What one line means, read by itself."""
    words = line.split(None, 2)
    if len(words) == 3 and words[1] == "=":
        return _Written(words[0], _instruction(words[2], vocabulary))
    if header := _HEADER.fullmatch(line):
        return _Header(int(header[1]), header[2])
    kind, *entries = line.split()
    if kind == "constants":
        return _Entry(kind, tuple(map(_number, entries)))
    if kind == "dims":
        return _Entry(kind, tuple(map(_fraction, entries)))
    if kind == "width" and len(entries) == 1:
        return _Entry(kind, _fraction(entries[0]))
    raise ProgramError(
        "A line is a bank entry (width, constants, dims), a header "
        f"(S0 main(a, b):) or an instruction (c = ADD a b). Received: {line[:80]!r}."
    )


@lru_cache(maxsize=2048)
def _instruction(written: str, vocabulary: Vocabulary) -> Instruction:
    """The instruction that stands right of `=`."""
    active, _, dormant = written.partition(";")
    op_name, *arguments = active.split() or [""]
    call = _CALL.fullmatch(op_name)
    op: str | int = int(call[1]) if call else vocabulary[op_name[:80]].name
    wanted = list(reads(op, vocabulary))
    fields: dict[str, int] = {}
    for word in arguments:
        if (branch := _BRANCH.fullmatch(word)) and "branching" not in fields:
            fields["branching"] = int(branch[1])
            continue
        if not wanted:
            raise ProgramError(f"{op_name} reads no further field. Received: {word[:80]!r}.")
        field = wanted.pop(0)
        fields[field] = _field(field, word)
    if wanted:
        raise ProgramError(f"{op_name} also reads {', '.join(wanted)}.")
    for word in dormant.split():
        field, _, value = word.partition("=")
        field = CONSTANT if field == "const" else field
        if field not in (INPUT_1, INPUT_2, CONSTANT, DIM) or field in fields:
            raise ProgramError(f"{word[:80]!r} is not a dormant field of {op_name}.")
        fields[field] = _field(field, value)
    return Instruction(op, **fields)


def _field(field: str, word: str) -> int:
    if field in (INPUT_1, INPUT_2):
        if not _STATE.fullmatch(word):
            raise ProgramError(
                f"A state is named by letters (a, b, c ...). Received: {word!r}."
            )
        return state_index(word)
    kind = "const" if field == CONSTANT else "dim"
    match = _BANKED.fullmatch(word)
    if not match or match[1] != kind:
        raise ProgramError(f"A {field} is written {kind}0, {kind}1, ... Received: {word!r}.")
    return int(match[2])


def _number(word: str) -> float:
    if len(word) > 40:
        raise ProgramError(f"A number has at most 40 characters. Received: {len(word)}.")
    if not _NUMBER.fullmatch(word):
        raise ProgramError(f"A constant is a number. Received: {word!r}.")
    return float(word)


def _fraction(word: str) -> Fraction:
    if not _FRACTION.fullmatch(word):
        raise ProgramError(
            f"A relative width is a number or a fraction (4, 32/3). Received: {word[:40]!r}."
        )
    try:
        return Fraction(word)
    except ZeroDivisionError:
        raise ProgramError(f"A fraction's divisor is not 0. Received: {word!r}.") from None
