"""Programs as text: what parses, what is refused and why, and the rules of the language."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from helpers.strategies import programs
from hypothesis import given
from hypothesis import strategies as st

from primeval.dna.check import ProgramError, check
from primeval.dna.library import built_in_names, load_seed, seed_text
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program, state_index, state_name
from primeval.dna.program import Instruction, Program
from primeval.search.errors import RunError
from primeval.search.run.programs import read_program

TRANSFORMER = load_seed("transformer")


@given(programs())
def test_text_round_trips(program: Program) -> None:
    check(program)
    assert parse(format_program(program)) == program


@pytest.mark.parametrize("name", built_in_names())
def test_built_in_texts_are_in_the_printed_form(name: str) -> None:
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
def test_the_name_of_a_state_reads_back(state: int) -> None:
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
        ("c = SQUAR a", "Did you mean 'SQUARE'"),
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


HEADER = "S0 main(a, b):\n"
BRANCHED = _deep(3, 1).replace("a a", "a a branch=16").replace("ABS a", "ABS a branch=16")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (_deep(40, 8), "4096 primitives"),
        (_deep(64, 512), "characters|4096 primitives"),
        (_deep(65, 1), "64"),
        (_deep(1, 513), "512"),
        (_deep(1, 100_000)[:999_000], "512"),
        ("x" * 1_000_001, "characters"),
        ("x" * 10_000_000, "characters"),
        ("x" * 999_999, "4000 characters"),
        (f"{HEADER}  c = ABS{' ' * 900_000}a", "4000 characters"),
        (f"{HEADER}  c = ADD" + " a" * 1500, "no further field"),
        (BRANCHED, "256"),
        (f"{HEADER}  c = ABS a branch=2 branch=16", "no further field"),
        (f"{HEADER}  c = ABS a branch=99999", "no further field"),
        ("constants " + "9" * 3000, "40 characters"),
        ("constants " + "1 " * 1000 + f"\n{HEADER}  c = ABS a", "at most 64 constants"),
        (f"constants 0\nconstants 1\n{HEADER}", "given twice"),
        ("constants 1_000", "is a number"),
        ("constants ١٢", "is a number"),
        ("dims ٤", "a fraction"),
        ("dims 1e9", "a fraction"),
        ("dims 4/0", "not 0"),
        ("dims 4/" + "9" * 3000, "a fraction"),
        (f"dims 999999\n{HEADER}  c = ABS a", "positive number up to"),
        (f"dims 1/999999\n{HEADER}  c = ABS a", "positive number up to"),
        ("S٠ main(a, b):", "A line is"),
        (f"{HEADER}  c = S１ a a", "no operation|no primitive"),
        (f"{HEADER}  с = ABS a", "makes state c"),  # a Cyrillic letter
        (f"{HEADER}\0  c = ABS a", "null bytes"),
        ("# \0", "null bytes"),
        (f"{HEADER}  c = S0 a a", "higher index"),  # would be recursion
        (f"{HEADER}  c = S1 a a\nS1 f(a, b):\n  c = S0 a a", "higher index"),
        ("", "1 to 64 subprograms"),
        (HEADER, "1 to 512 instructions"),
        ("__import__('os').system('true')", "A line is"),
        (f"{HEADER}  c = __import__('os') a", "no operation|no primitive"),
    ],
)
def test_hostile_texts_are_refused_at_once(text: str, problem: str) -> None:
    began = time.process_time()
    with pytest.raises(ProgramError, match=problem) as error:
        parse(text)
    assert time.process_time() - began < 1.0
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("S0 main".encode("utf-16"), id="utf-16"),
        pytest.param(b"# caf\xe9\n", id="latin-1"),
        pytest.param(bytes(range(256)) * 1000, id="binary"),
        pytest.param(b"\xff" * 10_000_000, id="large"),
    ],
)
def test_files_in_other_encodings_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.dna"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"mine\.dna: .* A program is a text in UTF-8"):
        read_program(path)


def test_large_files_are_not_read_to_their_end(tmp_path: Path) -> None:
    path = tmp_path / "mine.dna"
    path.write_bytes(b"# one line\n" * 5_000_000)
    began = time.process_time()
    with pytest.raises(ProgramError, match="1000000 characters"):
        read_program(path)
    assert time.process_time() - began < 1.0


def test_editors_marks_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "mine.dna"
    path.write_bytes(b"\xef\xbb\xbf" + seed_text("transformer").replace("\n", "\r\n").encode())
    assert read_program(path) == TRANSFORMER


@given(st.text(max_size=300))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    for whole in (text, f"{HEADER}  c = {text}", seed_text("transformer") + text):
        with contextlib.suppress(ProgramError):
            check(parse(whole))
