"""Ranges: bounds that no input exceeds, and integer bits with a stated overflow probability."""

from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from trigger_ml.compress.fixed_point.ranges import (
    choose_ranges,
    fewest_values,
    guaranteed_ranges,
    integer_bits,
    overflow_limit,
)
from trigger_ml.compress.networks.network import (
    DenseLayer,
    FloatNetwork,
    GlobalAverage,
    read_network,
)
from trigger_ml.errors import DataError
from trigger_ml.graph.types import FixedType

DATA = Path(__file__).parents[2] / "data"
GRID = FixedType.parse("fixed<3,2>")


def network(seed: int, sizes: tuple[int, ...]) -> FloatNetwork:
    random = np.random.default_rng(seed)
    layers = [
        DenseLayer(
            f"d{k}",
            random.normal(size=(rows, columns)),
            random.normal(size=columns),
            "relu" if k < len(sizes) - 2 else "linear",
        )
        for k, (rows, columns) in enumerate(pairwise(sizes))
    ]
    return FloatNetwork("n", (sizes[0],), tuple(layers), "", None)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000))
def test_bounds_hold_and_the_first_is_met(seed: int) -> None:
    net = network(seed, (3, 4, 2))
    codes = np.array(list(product(range(GRID.min_code, GRID.max_code + 1), repeat=3)))
    found = net.activations(GRID.decode(codes))
    bounds = guaranteed_ranges(net, GRID)
    for name, values in found.items():
        assert (values >= bounds[name].low - 1e-12).all()
        assert (values <= bounds[name].high + 1e-12).all()
    np.testing.assert_allclose(found["d0"].max(axis=0), bounds["d0"].high, atol=1e-12)
    np.testing.assert_allclose(found["d0"].min(axis=0), bounds["d0"].low, atol=1e-12)


def test_an_average_keeps_bounds() -> None:
    layers = (DenseLayer("d", np.eye(2), np.zeros(2), "linear"), GlobalAverage("m"))
    bounds = guaranteed_ranges(FloatNetwork("n", (4, 2), layers, "", None), GRID)
    assert bounds["m"].low.tolist() == [-2.0, -2.0] and bounds["m"].high.tolist() == [1.5, 1.5]


@pytest.mark.parametrize(
    ("low", "high", "signed", "bits"),
    [
        (0, 0.99, False, 0),
        (0, 1.0, False, 1),
        (0, 3.99, False, 2),
        (0, 4.0, False, 3),
        (-1.0, 0.5, True, 1),
        (-1.01, 0.5, True, 2),
        (-1.0, 1.0, True, 2),
        (-4.0, 3.9, True, 3),
        (0, 0, False, 0),
    ],
)
def test_integer_bits(low: float, high: float, signed: bool, bits: int) -> None:
    assert integer_bits(low, high, signed=signed) == bits


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(31, 5000))
def test_the_limit_is_clopper_and_pearsons(overflows: int, elements: int) -> None:
    upper = overflow_limit(overflows, elements)
    assert binom.cdf(overflows, elements, upper) == pytest.approx(0.05, rel=1e-6)


def test_the_stated_probability_is_kept() -> None:
    net = read_network(DATA / "tiny_float.h5")
    random = np.random.default_rng(5)
    kind = FixedType.parse("fixed<16,6,RND,SAT>")
    chosen = choose_ranges(net, random.normal(size=(20_000, 5)), kind, 1e-3)
    fresh = net.activations(kind.decode(kind.encode(random.normal(size=(50_000, 5)))))
    smaller = 0
    for name, found in chosen.items():
        limit = 2.0 ** (found.integer - found.signed)
        values = fresh[name]
        outside = ((values >= limit) | (values < -limit)).mean()
        assert outside <= 1e-3
        assert found.overflow_rate <= found.overflow_upper <= 1e-3
        tighter = limit / 2
        assert ((values >= tighter) | (values < -tighter)).mean() > 5e-4, "one bit too many"
        smaller += found.integer < found.guaranteed_integer
        assert found.bound_low <= found.low <= found.high <= found.bound_high
    assert smaller == len(chosen)
    assert [found.signed for found in chosen.values()] == [False, False, True]


def test_too_few_events_for_the_probability() -> None:
    net = network(1, (3, 4, 2))
    with pytest.raises(DataError, match="give data with 14978 events or more"):
        choose_ranges(net, np.zeros((100, 3)), GRID, 1e-4)


def test_a_range_that_is_never_left() -> None:
    layers = (DenseLayer("d", np.eye(1), np.zeros(1), "linear"),)
    net = FloatNetwork("n", (1,), layers, "", None)
    values = np.resize([-2.0, 1.5], (1000, 1))
    found = choose_ranges(net, values, GRID, 0.01)["d"]
    assert found.integer == found.guaranteed_integer == 2
    assert found.overflow_upper == found.overflow_rate == 0


@pytest.mark.parametrize("probability", [1e-4, 1e-3, 0.03, 0.5])
def test_the_fewest_values_that_show_a_probability(probability: float) -> None:
    count = fewest_values(probability)
    assert overflow_limit(0, count) <= probability < overflow_limit(0, count - 1)
