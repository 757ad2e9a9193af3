"""Banks of other sizes than the seed's: what is filled up, what is lost, what is refused."""

from __future__ import annotations

import pytest

from primeval.dna.bank import with_bank
from primeval.dna.check import ProgramError
from primeval.dna.graph import build_graph
from primeval.dna.library import load_seed
from primeval.dna.parsing import parse
from primeval.dna.printing import format_program
from primeval.search.config.settings import LanguageSettings
from primeval.search.drive.starting import load_seeds

TRANSFORMER = load_seed("transformer")


def test_a_larger_bank_is_filled_up_and_means_the_same() -> None:
    program = with_bank(TRANSFORMER, 4, 8)
    assert program.bank.constants == (0.0, 0.125, 0.0, 0.0)
    assert program.bank.dims[6:] == (program.bank.width,) * 2
    assert build_graph(program).fingerprint == build_graph(TRANSFORMER).fingerprint
    assert parse(format_program(program)) == program


def test_a_smaller_bank_loses_what_nobody_reads() -> None:
    program = with_bank(TRANSFORMER, None, 4)
    assert len(program.bank.dims) == 4
    assert build_graph(program).fingerprint == build_graph(TRANSFORMER).fingerprint


def test_a_bank_too_small_for_a_seed_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"transformer cannot start .*reads const1"):
        load_seeds(["transformer"], LanguageSettings(constants=1))
