"""A function of a value as a cast and a table: equal on every code."""

from collections.abc import Callable

import numpy as np
import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.tabulation import tabulated
from trigger_ml.graph.types import FixedType

Function = Callable[[np.ndarray], np.ndarray]


def binary(values: np.ndarray) -> np.ndarray:
    return np.where(values >= 0, 1.0, -1.0).astype(np.float32)


def ternary(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * (np.abs(values) >= np.float32(0.33))


def leaky(values: np.ndarray) -> np.ndarray:
    """quantized_relu(4, 1, negative_slope=0.25): the negative end is -2**1 / 4."""
    step = 2.0**-2
    up = np.clip(np.rint(values / step) * step, 0, 2 - step)
    down = np.clip(np.rint(values * 0.25 / step) * step, -0.5, 0)
    return (up + down).astype(np.float32)


def real_tanh(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(np.tanh(values) * 8) / 8, -1, 0.875).astype(np.float32)


def hard_sigmoid(values: np.ndarray) -> np.ndarray:
    line = np.clip(0.5 * values + 0.5, 0, 1)
    return np.clip(np.rint(line * 16) / 16, 0, 15 / 16).astype(np.float32)


@pytest.mark.parametrize(
    ("function", "bits"),
    [(binary, 1), (ternary, 9), (leaky, 9), (real_tanh, 10), (hard_sigmoid, 5)],
)
@pytest.mark.parametrize("kind", ["fixed<12,5>", "fixed<10,3>", "ufixed<9,2>"])
def test_a_table_is_the_function_on_every_code(function: Function, bits: int, kind: str) -> None:
    source = FixedType.parse(kind)
    table = tabulated("layer act", function, source)
    codes = np.arange(source.min_code, source.max_code + 1)
    places = table.source.cast(codes, source.fraction) - table.source.min_code
    assert np.array_equal(table.values[places], function(source.decode(codes).astype(np.float32)))
    assert len(table.values) == 1 << table.source.width
    assert table.source.width <= bits


def test_a_step_needs_one_bit_of_a_wide_input() -> None:
    table = tabulated("layer act", binary, FixedType(22, 9))
    assert (str(table.source), table.values.tolist()) == ("fixed<1,1,TRN,SAT>", [-1.0, 1.0])


def test_a_function_that_needs_more_entries() -> None:
    with pytest.raises(ModelError, match="needs a table of more than 4096 entries"):
        tabulated("layer act", lambda values: values * values, FixedType(14, 2))


def test_an_input_that_single_precision_cannot_hold() -> None:
    with pytest.raises(ModelError, match="of more than 24 bits"):
        tabulated("layer act", binary, FixedType(25, 9))


def test_results_that_are_no_numbers_in_binary() -> None:
    with pytest.raises(ModelError, match="no numbers in binary"):
        tabulated("layer act", lambda values: values / np.float32(3e7), FixedType(6, 2))
