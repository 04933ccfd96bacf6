"""Counts of large values, and the integer bits that they ask for."""

import numpy as np
import pytest

from trigger_ml.errors import DataError
from trigger_ml.float_graph.spread import EXPONENTS, Spread, integer_bits, require_enough


def test_counts_are_those_of_comparisons() -> None:
    values = np.random.default_rng(1).normal(0, 3, (40, 7)).astype(np.float32)
    values[:4, 0] = [4, -4, 0, -0.5]
    found = Spread.of(values[:10]) + Spread.of(values[10:])
    assert (found.events, found.elements) == (40, 280)
    for exponent, outside, above in zip(EXPONENTS, found.outside, found.above, strict=True):
        limit = 2.0**exponent
        assert outside == int(((values >= limit) | (values < -limit)).sum())
        assert above == int((values >= limit).sum())
    assert Spread.from_json(found.to_json()) == found


def test_integer_bits_hold_what_is_not_rare() -> None:
    values = np.full(100_000, 0.7)
    values[:3] = 5.0
    spread = Spread.of(values)
    assert integer_bits(spread, 1e-3, unsigned=True) == 0
    assert integer_bits(spread, 0.0, unsigned=True) == 3
    assert integer_bits(spread, 0.0, unsigned=False) == 4
    # At 95 % confidence three of 7,000 may be more than one in a thousand.
    assert integer_bits(Spread.of(values[:7000]), 1e-3, unsigned=True) == 3


def test_too_few_events() -> None:
    spreads = {"conv": Spread.of(np.zeros((10, 30)))}
    with pytest.raises(DataError, match="give the data with 100 events or more"):
        require_enough("the data with", spreads, 1e-3)
    require_enough("the data with", {"conv": Spread.of(np.zeros((100, 30)))}, 1e-3)
