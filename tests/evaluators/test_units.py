"""Times and sizes: what is written reads back, in the exact form and in the rough ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primeval.evaluators.units import (
    fine_duration,
    format_bytes,
    format_duration,
    parse_bytes,
    parse_duration,
    rough_bytes,
    rough_duration,
)

TIMES = st.floats(0, allow_infinity=False) | st.floats(0, 1e6) | st.integers(0, 10**9)
SIZES = st.integers(0, 1 << 80) | st.builds(
    lambda count, shift: count << shift, st.integers(0, 2000), st.sampled_from([10, 20, 30, 40])
)


@given(TIMES)
def test_a_time_reads_back_equal(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(TIMES)
def test_a_rough_time_can_be_read(seconds: float) -> None:
    for text in (rough_duration(seconds), fine_duration(seconds)):
        assert parse_duration(text) is not None, text


@given(st.floats(1e-3, 1e9))
def test_a_rough_time_is_near(seconds: float) -> None:
    assert parse_duration(fine_duration(seconds)) == pytest.approx(seconds, rel=0.05)
    assert parse_duration(rough_duration(seconds)) == pytest.approx(seconds, rel=0.05, abs=0.5)


@given(SIZES)
def test_a_size_reads_back_equal(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size


@given(SIZES)
def test_a_rough_size_can_be_read_and_is_near(size: int) -> None:
    assert parse_bytes(rough_bytes(size)) == pytest.approx(size, rel=0.005)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("90s", 90), ("10m", 600), ("2h", 7200), ("1.5d", 129600), ("45", 45)),
        *(("7m 05s", 425), ("1h30m", 5400), ("27.1 ms", 0.0271), ("350µs", 0.00035)),
        *(("1e3", None), ("-1s", None), ("s", None), ("1 hour", None), ("", None)),
        *(("5s 1h", None), ("1h 1h", None), ("1h 30", None)),
    ],
)
def test_a_time_is_numbers_with_units_the_largest_first(
    text: str, seconds: float | None
) -> None:
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        *(("512", 512), ("512B", 512), ("1KB", 1024), ("2T", 2 << 40), ("1_000", 1000)),
        *(("1.5GB", 3 << 29), ("1.5 GiB", 3 << 29), ("6 gib", 6 << 30), ("1.17GB", 1256277934)),
        *(("", None), ("GB", None), ("-1GB", None), ("4 apples", None), ("1e9x", None)),
        *(("9" * 5000, None), ("0." + "1" * 5000, None)),
    ],
)
def test_a_size_is_a_number_with_a_unit_of_1024s(text: str, size: int | None) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (format_duration(7200), "2h"),
        (format_duration(0.25), "0.25s"),
        (rough_duration(425.3), "7m 05s"),
        (fine_duration(0.0271), "27.1ms"),
        (fine_duration(0.00035), "350µs"),
        (fine_duration(250), "4m 10s"),
        (format_bytes(3 << 29), "1.5GB"),
        (format_bytes(1500 << 20), "1500MB"),
        (format_bytes(1_000_000_001), "1000000001B"),
        (rough_bytes(1_000_000_001), "954MB"),
        (rough_bytes(1023 << 20), "0.999GB"),
        (rough_bytes(512), "512B"),
    ],
)
def test_a_value_is_written_as_people_would(written: str, expected: str) -> None:
    assert written == expected
