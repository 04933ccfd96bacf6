"""Ranges of edges: they hold everything that can be there, and nothing wider than need be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trigger_ml.frontends.reach import Reach, affine_reach, least_fraction, product_reach
from trigger_ml.graph.types import FixedType

KINDS = st.builds(
    lambda width, integer, signed: FixedType(width + signed, integer, bool(signed)),
    st.integers(1, 5),
    st.integers(-2, 6),
    st.integers(0, 1),
)


@given(KINDS)
def test_all_values_of_a_type(kind: FixedType) -> None:
    reach = Reach.of(kind, (2,))
    assert reach.type == kind
    assert reach.low.tolist() == [kind.min_code * kind.step] * 2
    assert reach.high.tolist() == [kind.max_code * kind.step] * 2


@given(st.integers(-300, 300), st.integers(0, 300), st.integers(-3, 5))
def test_the_narrowest_type_between_two_codes(start: int, length: int, fraction: int) -> None:
    codes = np.array([start, start + length])
    values = np.ldexp(codes.astype(float), -fraction)
    kind = Reach.between(values[:1], values[1:], np.array([fraction])).type
    assert np.array_equal(kind.decode(kind.encode(values)), values)
    if codes.any() and kind.width > 1:
        narrow = FixedType(kind.width - 1, kind.integer - 1, kind.signed)
        assert not np.array_equal(narrow.decode(narrow.encode(values)), values)


@settings(max_examples=50, deadline=None)
@given(KINDS, st.integers(0, 10**6))
def test_sums_hold_every_result_and_their_ends_are_met(kind: FixedType, seed: int) -> None:
    random = np.random.default_rng(seed)
    weight = random.integers(-8, 8, (3, 2)) / 4
    bias = random.integers(-8, 8, 2) / 8
    reach = Reach.of(kind, (3,))
    made = affine_reach(reach.low, reach.high, reach.fraction, weight, bias)
    ends = np.array(np.meshgrid(*[[kind.min_code, kind.max_code]] * 3)).reshape(3, -1).T
    inner = random.integers(kind.min_code, kind.max_code + 1, (50, 3))
    results = kind.decode(np.concatenate([ends, inner])) @ weight + bias
    assert np.array_equal(made.type.decode(made.type.encode(results)), results)
    assert (made.low <= results.min(axis=0)).all()
    assert (made.high >= results.max(axis=0)).all()
    for column in range(2):
        largest = max(-results[:, column].min(), results[:, column].max())
        if made.integer[column] > -made.fraction[column]:
            assert largest >= 2.0 ** (made.integer[column] - 1) - 2.0 ** -made.fraction[column]


@settings(max_examples=50, deadline=None)
@given(KINDS, KINDS)
def test_products_hold_every_result(left: FixedType, right: FixedType) -> None:
    a = left.decode(np.arange(left.min_code, left.max_code + 1))
    b = right.decode(np.arange(right.min_code, right.max_code + 1))
    kind = product_reach(Reach.of(left, (1,)), Reach.of(right, (1,))).type
    results = np.outer(a, b)
    assert np.array_equal(kind.decode(kind.encode(results)), results)


@pytest.mark.parametrize(
    ("value", "bits"), [(1.0, 0), (0.5, 1), (3.0, 0), (8.0, -3), (-0.375, 3), (0.0, 0), (12.5, 1)]
)
def test_fraction_bits_of_a_value(value: float, bits: int) -> None:
    assert least_fraction(np.array([value]))[0] == bits


def test_a_sum_of_nothing_is_zero() -> None:
    reach = Reach.of(FixedType(4, 2), (3,))
    made = affine_reach(reach.low, reach.high, reach.fraction, np.zeros((3, 1)), np.zeros(1))
    assert made.type.decode(np.array([0, made.type.min_code])).tolist() == [0.0, 0.0]
