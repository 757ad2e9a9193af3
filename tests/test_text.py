"""Programs as text, and the rules of the language."""

from __future__ import annotations

import pytest
from hypothesis import given
from strategies import programs

from primeval.dna.check import ProgramError, check
from primeval.dna.library import load_seed, seed_names, seed_text
from primeval.dna.program import Instruction, Program
from primeval.dna.text import format_program, parse, state_index, state_name

TRANSFORMER = load_seed("transformer")


@given(programs())
def test_text_round_trips(program: Program) -> None:
    check(program)
    assert parse(format_program(program)) == program


@pytest.mark.parametrize("name", seed_names())
def test_seed_texts_are_in_the_printed_form(name: str) -> None:
    written = [line for line in seed_text(name).splitlines() if line[:1] not in ("#", "")]
    printed = [line for line in format_program(load_seed(name)).splitlines() if line]
    assert [line.split("#")[0].rstrip() for line in written] == printed


def test_the_transformer_has_the_papers_shape() -> None:
    assert len(TRANSFORMER.subprograms) == 10
    assert sum(1 for _ in TRANSFORMER.instructions()) == 36


def test_dormant_fields_survive_and_can_be_hidden() -> None:
    body = (Instruction("SQUARE", 0, 1, 1, 3),)
    program = TRANSFORMER.with_instructions(9, body)
    assert "c = SQUARE a ; input2=b const=const1 dim=dim3" in format_program(program)
    assert "c = SQUARE a\n" in format_program(program, dormant=False)
    assert parse(format_program(program)) == program


@pytest.mark.parametrize("state", [0, 1, 25, 26, 51, 52, 701, 702, 513])
def test_states_have_names(state: int) -> None:
    assert state_index(state_name(state)) == state


GOOD = "width 4\nconstants 0 1\ndims 4 8\n\nS0 main(a, b):\n  c = S1 a b\n\nS1 f(a, b):\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("c = ADD a z", "states made before it"),
        ("c = ADD a", "also reads input2"),
        ("c = ABS a b", "reads no further field"),
        ("c = MAX a const7", "constants 0 to 1"),
        ("c = MAX a dim0", "const0, const1"),
        ("c = CONV_1X1 a dim9", "dims 0 to 1"),
        ("c = ABS a branch=3", "1, 2, 4, 8, 16"),
        ("d = ABS a", "makes state c"),
        ("c = SQUAR a", "Did you mean SQUARE"),
        ("c = S0 a b", "higher index"),
        ("c = S1 a b", "higher index"),
        ("c = S9 a b", "higher index"),
        ("c = ABS a ; input1=b", "not a dormant field"),
        ("c = ABS a ; speed=b", "not a dormant field"),
        ("c ABS a", "a header"),
    ],
)
def test_a_broken_line_is_named_with_its_context(line: str, problem: str) -> None:
    with pytest.raises(ProgramError) as error:
        parse(f"{GOOD}  {line}\n", source="mine.dna")
    message = str(error.value)
    assert problem in message
    assert "mine.dna, line 9" in message
    assert f">   9 |   {line}" in message
    assert "    8 | S1 f(a, b):" in message


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("constants 0 0.125", "constants 0 nan", "finite"),
        ("constants 0 0.125", "constants 0 1e99", "finite"),
        ("constants 0 0.125", "constants", "at least one"),
        ("dims 4 4", "dims 0 4", "positive"),
        ("dims 4 4", "dims 1/0 4", "not 0"),
        ("dims 4 4", "dims 99999 4", "positive number up to"),
        ("S1 self_attention", "S4 self_attention", "numbered in order"),
    ],
)
def test_a_broken_bank_or_header_is_refused(old: str, new: str, problem: str) -> None:
    with pytest.raises(ProgramError, match=problem):
        parse(seed_text("transformer").replace(old, new))


def _deep(levels: int, calls: int) -> str:
    lines = ["width 4", "constants 0", "dims 4", ""]
    for level in range(levels):
        lines.append(f"S{level} s{level}(a, b):")
        op = f"S{level + 1} a a" if level + 1 < levels else "ABS a"
        lines += [f"  {state_name(call + 2)} = {op}" for call in range(calls)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (_deep(40, 8), "4096 primitives"),
        (_deep(65, 1), "64"),
        (_deep(1, 513), "512"),
        ("x" * 1_000_001, "characters"),
        (
            _deep(3, 1).replace("a a", "a a branch=16").replace("ABS a", "ABS a branch=16"),
            "256",
        ),
        ("constants " + "9" * 5000, "40 characters"),
        ("", "1 to 64 subprograms"),
        ("S0 main(a, b):\n", "1 to 512 instructions"),
        ("__import__('os').system('true')", "A line is"),
    ],
)
def test_hostile_texts_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ProgramError, match=problem):
        parse(text)
