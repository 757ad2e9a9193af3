"""Facts about primitives that the trained layer, the printed code and the exports all read."""

from __future__ import annotations

import math

import pytest

from primeval.primitives.primitive import COLUMN, RUBBISH, ZERO
from primeval.primitives.rules import (
    Initial,
    counts_visible_keys,
    deviation,
    finite,
    initial,
    near_identity,
    stays_zero,
)
from primeval.primitives.vocabulary import PRIMITIVES


def test_inserted_operations_with_one_weight_per_channel_change_nothing_at_first() -> None:
    assert initial(PRIMITIVES["SCALE"]) is Initial.ONES
    assert initial(PRIMITIVES["SHIFT"]) is Initial.ZEROS


def test_matrices_keep_the_variance_of_their_inputs() -> None:
    assert initial(PRIMITIVES["CONV_3X1"]) is Initial.NORMAL
    assert deviation(3 * 48) ** 2 * 3 * 48 == pytest.approx(1.0)


def test_depthwise_convolutions_start_near_the_identity() -> None:
    assert initial(PRIMITIVES["DCONV_7X1"]) is Initial.NEAR_IDENTITY
    assert near_identity(4) == [0.5, 0.125, 0.125, 0.125]


@pytest.mark.parametrize(
    ("op", "states", "constant", "zero"),
    [
        ("MULTIPLY", ZERO + COLUMN, 0.0, True),
        ("MULTIPLY", ZERO + RUBBISH, 0.0, False),  # 0 times an infinity is not 0
        ("DIVIDE", COLUMN + ZERO, 0.0, False),
        ("ADD", ZERO + COLUMN, 0.0, False),
        ("MAX", ZERO, -0.5, True),
        ("MAX", ZERO, 0.5, False),
        ("MIN", ZERO, 0.5, True),
        ("MIN", ZERO, -0.5, False),
        ("EXP", ZERO, 0.0, False),
        ("SHIFT", ZERO, 0.0, False),
    ],
)
def test_scores_stay_zero_only_where_no_operand_can_change_that(
    op: str, states: str, constant: float, zero: bool
) -> None:
    assert stays_zero(PRIMITIVES[op], states, constant) is zero


def test_infinities_become_numbers_that_the_type_can_hold() -> None:
    assert finite(math.inf) == 3.0e38
    assert finite(-math.inf, "float16") == -6.0e4
    assert finite(1.5, "float16") == 1.5


def test_only_the_mean_of_scores_counts_the_visible_keys() -> None:
    assert counts_visible_keys(PRIMITIVES["RED_MEAN"], scores=True)
    assert not counts_visible_keys(PRIMITIVES["RED_MEAN"], scores=False)
    assert not counts_visible_keys(PRIMITIVES["RED_SUM"], scores=True)
