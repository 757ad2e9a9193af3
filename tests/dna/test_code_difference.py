"""Programs whose code cannot be compared are refused with the reason."""

from __future__ import annotations

import pytest
from helpers.strategies import SEEDS

from primeval.dna.check import ProgramError
from primeval.dna.cost import Scale
from primeval.dna.parsing import parse
from primeval.dna.writing.code_difference import code_difference
from primeval.dna.writing.facts import Facts

SCALE = Scale(1, 16, 8, width=16)
SEED = SEEDS["transformer"]


@pytest.mark.parametrize("meaningless_first", [True, False])
def test_a_program_without_meaning_has_no_code_to_compare(meaningless_first: bool) -> None:
    scores = parse("width 4\nS0 main(a, b):\n  c = T_MAT_MUL a a\n")
    pair = [Facts(scores, SCALE), Facts(SEED, SCALE)]
    with pytest.raises(ProgramError, match="the block's output is scores"):
        code_difference(*(pair if meaningless_first else reversed(pair)))


def test_code_is_compared_at_a_scale_only() -> None:
    with pytest.raises(ProgramError, match="Code is printed at a scale"):
        code_difference(Facts(SEED), Facts(SEED))
