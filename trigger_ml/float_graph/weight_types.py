"""Types of constant weights: as many bits as are asked for, and no sum that is not exact.

QKeras computes in single precision, which holds 24 digits: so many, and no more, may a sum with
constant weights have, or the source would not be what firmware computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor, log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.quantizers import canonical_quantizer
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["SINGLE", "reach_bits", "weight_quantizer", "weight_types"]

SINGLE: Final = 24
"""Digits of a number in single precision."""
BIAS_BITS: Final = 2
"""That a bias has more than a weight."""

Array = NDArray[np.float64]


def reach_bits(low: float, high: float, *, signed: bool) -> int:
    """Fewest integer bits, the sign included, of a type that reaches from low to high; negative
    for small values."""
    reaches = []
    if high > 0:
        reaches.append(floor(log2(high)) + 1)
    if low < 0 and signed:
        reaches.append(ceil(log2(-low)))
    return max(reaches, default=0) + int(signed)


def weight_types(
    kernel: Array,
    bias: Sequence[Array],
    bits: int,
    reach: float,
    fraction: int,
    *,
    depthwise: bool,
) -> list[FixedType]:
    """Types of a kernel and of a bias with which every sum has at most 24 digits.

    kernel: its last axis is that of the sums, or its last two of a depthwise one. bias: none or
    one. bits: of a weight. reach, fraction: size and fraction bits of what is read, at most.
    """
    kind = _grid(kernel, bits)
    axes = tuple(range(kernel.ndim - (2 if depthwise else 1)))
    largest = float((np.abs(kernel).sum(axis=axes) * reach).max(initial=0.0))
    largest += float(np.abs(bias[0]).max(initial=0.0)) if bias else 0.0
    digits = ceil(log2(largest)) if largest > 0 else 0
    excess = max(digits + kind.fraction + fraction - SINGLE, 0)
    width = max(kind.width - excess, 2)
    kernel_type = replace(kind, width=width)
    if not bias:
        return [kernel_type]
    own = _grid(bias[0], bits + BIAS_BITS)
    # Digits below the last one of the products would make every sum wider.
    last = min(own.fraction, kernel_type.fraction + fraction)
    return [kernel_type, replace(own, width=max(own.integer + last, 2))]


def weight_quantizer(kind: FixedType) -> dict[str, Any] | None:
    """The quantizer of QKeras that rounds weights to a type."""
    options = {"bits": kind.width, "integer": kind.integer - 1, "alpha": 1}
    return canonical_quantizer({"class_name": "quantized_bits", "config": options}, "weights")


def _grid(values: Array, bits: int) -> FixedType:
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    integer = reach_bits(low, high, signed=True)
    return FixedType(bits, integer, True, Rounding.RND_CONV, Overflow.SAT)
