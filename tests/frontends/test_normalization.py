"""Rounded batch normalizations: close to the trained ones, and exact in single precision."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trigger_ml.errors import ModelError
from trigger_ml.frontends.normalization import LEAST_DIGITS, Normalization, constants, rounded
from trigger_ml.graph.types import FixedType

CONFIG = {"scale": True, "center": True, "epsilon": 0.001}


def drawn(seed: int, channels: int = 12) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    gamma, beta, mean = random.normal(0, 1, (3, channels))
    return [gamma, beta, mean, random.lognormal(0, 2, channels)]


def assert_exact_in_single_precision(normal: Normalization) -> None:
    kind = normal.source
    random = np.random.default_rng(0)
    codes = random.integers(kind.min_code, kind.max_code + 1, (2000, len(normal.scale)))
    codes[0], codes[1] = kind.min_code, kind.max_code
    values = kind.decode(codes)
    gamma, beta = normal.weights[:2]
    single = values.astype(np.float32) * gamma + beta
    assert single.dtype == np.float32
    for row in (0, 1, 2, 1999):
        for channel, scale in enumerate(normal.scale.tolist()):
            exact = Fraction(float(values[row, channel])) * Fraction(scale)
            exact += Fraction(float(normal.bias[channel]))
            assert Fraction(float(single[row, channel])) == exact
    assert np.array_equal(single, values * normal.scale + normal.bias)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 30), st.integers(-3, 12), st.booleans())
def test_single_precision_computes_it_exactly(
    seed: int, width: int, integer: int, signed: bool
) -> None:
    scale, bias = constants("layer bn", CONFIG, drawn(seed))
    source = FixedType(width, integer, signed)
    try:
        normal = rounded("layer bn", (scale, bias), source)
    except ModelError as error:
        # A bias far above the products leaves no digits for them.
        assert "do not fit 24 bits" in str(error)
        return
    assert_exact_in_single_precision(normal)
    large = np.abs(scale) > np.abs(scale).max() / 16
    change = np.abs(normal.scale - scale)[large] / np.abs(scale)[large]
    assert change.max() <= 2.0**-LEAST_DIGITS
    assert np.abs(normal.bias - bias).max() <= np.abs(bias).max() * 2.0**-12


def test_a_narrow_input_stays_and_a_wide_one_is_rounded() -> None:
    exact = constants("layer bn", CONFIG, drawn(1))
    narrow = rounded("layer bn", exact, FixedType(10, 4))
    assert not narrow.narrowed
    assert "reads" not in narrow.note("bn")
    wide = rounded("layer bn", exact, FixedType(26, 8))
    assert wide.narrowed
    assert wide.source.width < 20
    assert f"reads its input as {wide.source}" in wide.note("bn")


def test_constants_without_scale_and_center() -> None:
    _, _, mean, variance = drawn(2)
    scale, bias = constants(
        "layer bn", {"scale": False, "center": False, "epsilon": 0.0}, [mean, variance]
    )
    assert np.allclose(scale, 1 / np.sqrt(variance))
    assert np.allclose(bias, -mean / np.sqrt(variance))


def test_a_negative_variance() -> None:
    arrays = drawn(3)
    arrays[-1][4] = -1.0
    with pytest.raises(ModelError, match="moving variance is negative"):
        constants("layer bn", CONFIG, arrays)
