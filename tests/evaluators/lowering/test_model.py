"""The model around a block: what its embeddings begin with."""

from __future__ import annotations

import numpy as np
import pytest

from primeval.evaluators.lowering.model import LONGEST_WAVE, Waves

pytestmark = pytest.mark.tf


def test_positions_begin_as_sines_and_cosines_at_the_scale_of_tokens() -> None:
    table = np.asarray(Waves()((48, 32), "float32"))
    assert np.mean(table**2) * 32 == pytest.approx(0.25)
    scale = 2**0.5 * 0.5 / 32**0.5
    assert table[:, 0] == pytest.approx(scale * np.sin(np.arange(48)), abs=1e-6)
    assert table[:, 16] == pytest.approx(scale * np.cos(np.arange(48)), abs=1e-6)
    assert table[:, 31] == pytest.approx(scale * np.cos(np.arange(48) / LONGEST_WAVE), abs=1e-6)


def test_what_a_position_says_of_another_depends_on_their_distance_only() -> None:
    table = np.asarray(Waves()((64, 16), "float32"))
    products = table @ table.T
    for distance in (0, 1, 7):
        assert np.ptp(np.diagonal(products, distance)) < 1e-6
    assert products[0, 0] > products[0, 1] > products[0, 2]


@pytest.mark.parametrize("width", [1, 2, 15])
def test_narrow_and_odd_widths_have_positions_too(width: int) -> None:
    table = np.asarray(Waves()((8, width), "float32"))
    assert table.shape == (8, width)
    assert np.isfinite(table).all()
    assert width == 1 or len(np.unique(table, axis=0)) == 8
