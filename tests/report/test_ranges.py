"""Codes of a type that the data uses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trigger_ml.errors import DataError
from trigger_ml.graph.types import FixedType, Overflow
from trigger_ml.report.ranges import ObservedRange

CODES = st.lists(st.integers(-(2**61), 2**61 - 1), min_size=1, max_size=20)


def test_by_hand() -> None:
    kind = FixedType(6, 2)
    seen = ObservedRange.of(np.array([[-8, 0, 4], [12, 4, -32]]), kind).to_range(kind)
    assert (seen.elements, seen.min_code, seen.max_code) == (6, -32, 12)
    assert seen.used_bits == 6
    assert seen.idle_low_bits == 2
    assert seen.saturated_fraction == 1 / 6
    assert seen.magnitude_histogram == (1, 0, 0, 3, 1, 1)


def test_zero_is_no_limit_of_an_unsigned_type() -> None:
    kind = FixedType(6, 2, signed=False, overflow=Overflow.SAT)
    seen = ObservedRange.of(np.array([0, 0, 63, 5]), kind)
    assert seen.at_limit == 1


def test_nothing_but_zeros() -> None:
    kind = FixedType(6, 2)
    seen = ObservedRange.of(np.zeros(4, dtype=np.int64), kind).to_range(kind)
    assert (seen.used_bits, seen.idle_low_bits) == (0, 6)


@settings(deadline=None)
@given(CODES)
def test_bits_are_those_of_python(values: list[int]) -> None:
    kind = FixedType(62, 62)
    seen = ObservedRange.of(np.array(values, dtype=np.int64), kind)
    bits = [(value if value >= 0 else ~value).bit_length() for value in values]
    assert list(seen.magnitude_histogram) == [bits.count(k) for k in range(63)]
    section = seen.to_range(kind)
    assert section.used_bits == max(bits) + (min(values) < 0)
    for value in values:
        assert value % (1 << min(section.idle_low_bits, 61)) == 0


@settings(deadline=None)
@given(CODES, CODES)
def test_pieces_make_the_whole(left: list[int], right: list[int]) -> None:
    kind = FixedType(62, 62)
    parts = [ObservedRange.of(np.array(v, dtype=np.int64), kind) for v in (left, right)]
    whole = ObservedRange.of(np.array(left + right, dtype=np.int64), kind)
    assert parts[0].merge(parts[1]) == whole


def test_no_codes() -> None:
    with pytest.raises(DataError, match="no codes were seen"):
        ObservedRange.of(np.zeros((0, 3), dtype=np.int64), FixedType(6, 2))
