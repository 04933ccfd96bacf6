"""Fixed-point types against exact rational arithmetic, written independently."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_ml.errors import ModelError
from trigger_ml.graph.types import FixedType, Overflow, Rounding

types = st.builds(
    FixedType,
    st.integers(1, 20),
    st.integers(-4, 20),
    st.booleans(),
    st.sampled_from(Rounding),
    st.sampled_from(Overflow),
)


def reference_round(value: Fraction, mode: Rounding) -> int:
    low = floor(value)
    rest = value - low
    if rest == 0:
        return low
    half = Fraction(1, 2)
    tie = {
        Rounding.RND: True,
        Rounding.RND_MIN_INF: False,
        Rounding.RND_INF: value > 0,
        Rounding.RND_ZERO: value < 0,
        Rounding.RND_CONV: low % 2 == 1,
    }
    if mode is Rounding.TRN:
        return low
    if mode is Rounding.TRN_ZERO:
        return low if value > 0 else low + 1
    return low + (rest > half or (rest == half and tie[mode]))


def reference_fit(code: int, kind: FixedType) -> int:
    low, high = kind.min_code, kind.max_code
    if low <= code <= high:
        return code
    match kind.overflow:
        case Overflow.WRAP:
            bottom = -(1 << (kind.width - 1)) if kind.signed else 0
            return (code - bottom) % (1 << kind.width) + bottom
        case Overflow.SAT_ZERO:
            return 0
        case _:
            return high if code > high else low


@given(types, st.integers(-(2**30), 2**30), st.integers(-6, 24))
def test_cast_equals_rational_arithmetic(kind: FixedType, code: int, fraction: int) -> None:
    value = Fraction(code) / Fraction(2) ** fraction * Fraction(2) ** kind.fraction
    expected = reference_fit(reference_round(value, kind.rounding), kind)
    assert int(kind.cast(np.array([code]), fraction)[0]) == expected


@given(types, st.integers(-(2**30), 2**30), st.integers(-6, 24))
def test_encode_equals_cast(kind: FixedType, code: int, fraction: int) -> None:
    value = np.ldexp(float(code), -fraction)
    assert kind.encode(np.array([value]))[0] == kind.cast(np.array([code]), fraction)[0]


@given(types)
def test_codes_survive_decoding_and_text(kind: FixedType) -> None:
    codes = np.array([kind.min_code, 0, kind.max_code])
    assert np.array_equal(kind.encode(kind.decode(codes)), codes)
    assert FixedType.parse(str(kind)) == kind
    assert FixedType.from_json(kind.to_json()) == kind


def test_a_type_as_hls4ml_writes_it() -> None:
    kind = FixedType.parse("ap_ufixed<6,2,AP_RND_CONV,AP_SAT,0>")
    assert (kind.width, kind.fraction, kind.signed) == (6, 4, False)
    assert (kind.rounding, kind.overflow) == (Rounding.RND_CONV, Overflow.SAT)


@pytest.mark.parametrize("text", ["int", "fixed<>", "fixed<8>", "fixed<8,2,UP>", "fixed<8,2,SAT>"])
def test_text_that_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        FixedType.parse(text)


@pytest.mark.parametrize("width", [0, 63])
def test_a_width_beyond_exact_arithmetic_is_refused(width: int) -> None:
    with pytest.raises(ModelError, match="a width must be 1 to 62 bits"):
        FixedType(width, 4)
