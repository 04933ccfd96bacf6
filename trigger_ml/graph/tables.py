"""The tables that hls4ml 1.3 builds for sigmoid, tanh and softmax, entry by entry.

Each function repeats the arithmetic of the C++ initialiser named in its docstring (file
nnet_activation.h of the Vivado and Vitis backends), single precision included, so that the
graph holds the integers that the C simulation uses. The C simulation then checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.types import Codes, FixedType

__all__ = ["FUNCTIONS", "hls4ml_table", "softmax_tables"]

FUNCTIONS: Final[Mapping[str, float]] = {"sigmoid": 8.0, "tanh": 4.0}
"""Functions with a table, and the half-width of the interval it covers."""


def hls4ml_table(
    function: str, source: FixedType, table_type: FixedType, size: int, out: FixedType
) -> Codes:
    """One output code for every code of ``source``, smallest first.

    ``init_sigmoid_table`` / ``init_tanh_table`` fill ``size`` entries over [-h, h), h = 8 or 4;
    ``sigmoid`` / ``tanh`` index them with int(x * size / 2h) + size / 2, clamped.
    """
    half = FUNCTIONS[function]
    grid = np.arange(size, dtype=np.float32) - np.float32(size) / np.float32(2)
    points = (np.float32(2 * half) * grid / np.float32(size)).astype(np.float32)
    if function == "sigmoid":
        one_plus = np.float32(1) + np.exp(-points.astype(np.float64)).astype(np.float32)
        values = (1.0 / one_plus.astype(np.float64)).astype(np.float32).astype(np.float64)
    else:
        values = np.tanh(points.astype(np.float64))
    entries = table_type.encode(values)
    codes = np.arange(source.min_code, source.max_code + 1, dtype=np.int64)
    index = np.trunc(source.decode(codes) * size / (2 * half)).astype(np.int64) + size // 2
    return out.cast(entries[np.clip(index, 0, size - 1)], table_type.fraction)


def softmax_tables(
    difference: FixedType,
    exp_size: int,
    exp_type: FixedType,
    inverse_input: FixedType,
    inverse_size: int,
    inverse_type: FixedType,
    scale: float = -1.0,
) -> tuple[Codes, Codes]:
    """Tables of exp(scale * d) and 1/s of a softmax; -1 for the plain "stable" one.

    ``init_exp_table`` and ``init_invert_table``: entry i belongs to the value whose top
    log2(size) bits are i, the bits below them zero. 1/0 saturates. The first is given with one
    entry for each code of ``difference``, the smallest first, the second in the order of bits.
    """
    points = _top_bits(difference, exp_size) * np.float32(scale)
    with np.errstate(over="ignore"):
        exponential = np.exp(points.astype(np.float64)).astype(np.float32).astype(np.float64)
    full = np.repeat(_entries(exp_type, exponential), (1 << difference.width) // exp_size)
    if difference.signed:
        full = np.roll(full, len(full) // 2)
    sums = _top_bits(inverse_input, inverse_size).astype(np.float64)
    with np.errstate(divide="ignore"):
        inverse = (np.float32(1) / sums.astype(np.float32)).astype(np.float64)
    return full, _entries(inverse_type, inverse)


def _entries(kind: FixedType, values: NDArray[np.float64]) -> Codes:
    """Codes of values, infinity as the largest."""
    infinite = np.isinf(values)
    return np.where(infinite, kind.max_code, kind.encode(np.where(infinite, 0.0, values)))


def _top_bits(kind: FixedType, size: int) -> NDArray[np.float32]:
    codes = np.arange(size, dtype=np.int64) << (kind.width - (size.bit_length() - 1))
    wrapped = FixedType(kind.width, kind.integer, kind.signed).cast(codes, kind.fraction)
    return kind.decode(wrapped).astype(np.float32)
