"""When float32 is enough: the bits that sums need, counted against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_ml.frontends.hgq_exact import NONE, Span, contract, fraction_bits


@given(st.floats(-1e6, 1e6, width=32))
def test_fraction_bits_are_the_least_that_hold_a_value(value: float) -> None:
    found = int(fraction_bits(np.array([value]))[0])
    if value == 0:
        assert found == NONE
    else:
        assert Fraction(value) * Fraction(2) ** found == int(Fraction(value) * Fraction(2) ** found)
        half = Fraction(value) * Fraction(2) ** (found - 1)
        assert half.denominator == 2


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("c,cd->d", (4,), (4, 3)),
        ("nc,cd->nd", (5, 4), (4, 3)),
        ("nc,cd->dn", (5, 4), (4, 3)),
        ("nc,ncd->nd", (5, 4), (5, 4, 3)),
        ("nc,nm->mc", (5, 4), (5, 2)),
        ("nc,ncd->d", (5, 4), (5, 4, 3)),
    ],
)
def test_contract_is_einsum(equation: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    a, b = random.integers(-9, 9, left), random.integers(-9, 9, right)
    found = contract(equation, a, b, np.multiply, np.sum)
    assert np.array_equal(found, np.einsum(equation, a, b))


def test_bits_of_a_span_are_those_of_its_worst_element() -> None:
    span = Span(np.array([4.0, 1.0, 0.0]), np.array([3, 7, 50]))
    assert span.bits == 7
    assert Span(np.zeros(2), np.zeros(2, dtype=np.int64)).bits == 0
