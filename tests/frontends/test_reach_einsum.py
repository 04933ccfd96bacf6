"""Which values sums of products can have, against those of every corner of their ranges."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from trigger_ml.frontends.reach import Reach
from trigger_ml.frontends.reach_einsum import einsum_reach


def drawn(seed: int, shape: tuple[int, ...]) -> Reach:
    random = np.random.default_rng(seed)
    signed = random.integers(0, 2, shape)
    return Reach(signed, random.integers(0, 3, shape), random.integers(-1, 3, shape))


@pytest.mark.parametrize(
    ("letters", "left", "right"),
    [
        (("ab", "bc", "ac"), (2, 3), (3, 2)),
        (("ab", "cb", "ca"), (2, 2), (2, 2)),
        (("ab", "ab", "ba"), (2, 2), (2, 2)),
        (("a", "b", "ba"), (2,), (3,)),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_sums_reach_the_corners_of_their_inputs(
    letters: tuple[str, str, str], left: tuple[int, ...], right: tuple[int, ...], seed: int
) -> None:
    first, second = drawn(seed, left), drawn(seed + 9, right)
    equation = "{},{}->{}".format(*letters)
    ends = []
    for corner in product((0, 1), repeat=first.low.size):
        chosen = np.where(np.reshape(corner, left), first.high, first.low)
        for other in product((0, 1), repeat=second.low.size):
            picked = np.where(np.reshape(other, right), second.high, second.low)
            ends.append(np.einsum(equation, chosen, picked))
    least, most = np.min(ends, axis=0), np.max(ends, axis=0)
    found = einsum_reach(first, second, letters)
    assert np.all(found.low <= least) and np.all(most <= found.high)
    # A range ends at a power of two: half of it would not do.
    wide = np.maximum(-least, most)
    shown = wide > 0
    assert np.all(np.ldexp(0.5, found.integer)[shown] < wide[shown] + 2.0 ** -found.fraction[shown])
    assert np.array_equal(found.signed, (least < 0).astype(np.int64))


def test_the_finest_product_says_the_step() -> None:
    ones = np.ones((2,), dtype=np.int64)
    first, second = Reach(ones, ones, np.array([1, 4])), Reach(ones, ones, np.array([2, 0]))
    assert einsum_reach(first, second, ("a", "a", "")).fraction == 4
