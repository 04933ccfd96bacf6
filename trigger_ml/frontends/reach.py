"""Which values can be on each element of an edge, and the type that holds them all.

As hls4ml's bit-exact pass infers it (model/optimizer/passes/bit_exact.py, utils/qinterval.py): of
every element a sign, integer bits without it and fraction bits, so a range ends at a power of two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.graph.windows import patches

__all__ = [
    "Reach",
    "affine_reach",
    "difference_reach",
    "dot_reach",
    "either_reach",
    "least_fraction",
    "mean_reach",
    "product_reach",
    "scaled_reach",
    "sum_reach",
]

Values = NDArray[np.float64]

MOST: Final = 126
"""More bits of a kind than any value has; as many as hls4ml says where all that there are count."""
MOST_PLACES: Final = (-31, 32)
"""Fraction bits that hls4ml looks for in a constant."""
NOTHING: Final = FixedType(2, 32, signed=False)
"""The type that hls4ml gives to what is always zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Bits of every element of an edge, each of the edge's shape.

    signed: 0 or 1. integer: bits left of the binary point, the sign not counted. fraction: bits
    right of it. An element that is always zero has none of any.
    """

    signed: Codes
    integer: Codes
    fraction: Codes

    @classmethod
    def of(cls, kind: FixedType, shape: tuple[int, ...]) -> Reach:
        """All values of a type."""
        signed = int(kind.signed)
        parts = (signed, kind.integer - signed, kind.fraction)
        return cls(*(np.full(shape, part, dtype=np.int64) for part in parts))

    @classmethod
    def between(cls, low: Values, high: Values, fraction: Codes) -> Reach:
        """The least bits that hold everything from low to high in steps of 2**-fraction."""
        top = np.maximum(high + np.ldexp(1.0, -fraction), -low)
        zero = (low == 0) & (high == 0)
        # Of a power of two frexp tells one bit more than its logarithm.
        mantissa, exponent = np.frexp(top)
        bits = exponent - (mantissa == 0.5)
        return cls(
            (low < 0).astype(np.int64),
            np.where(zero, 0, bits).astype(np.int64),
            np.where(zero, 0, fraction).astype(np.int64),
        )

    @classmethod
    def everything(cls, shape: tuple[int, ...]) -> Reach:
        """Whatever there may be."""
        most = np.full(shape, MOST, dtype=np.int64)
        return cls(np.ones(shape, dtype=np.int64), most, most)

    @classmethod
    def of_constants(cls, values: NDArray[Any]) -> Reach:
        """The least bits of each of these numbers."""
        exact = np.asarray(values, dtype=np.float64)
        return cls.between(exact, exact, np.clip(least_fraction(exact), *MOST_PLACES))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the edge."""
        return self.signed.shape

    @property
    def low(self) -> Values:
        """Smallest value of each element."""
        return -np.ldexp(self.signed.astype(np.float64), self.integer)

    @property
    def high(self) -> Values:
        """Largest value of each element."""
        return np.asarray(np.ldexp(1.0, self.integer) - np.ldexp(1.0, -self.fraction))

    @property
    def type(self) -> FixedType:
        """The narrowest type that holds every element."""
        signed = int(self.signed.max())
        integer, fraction = int(self.integer.max()), int(self.fraction.max())
        width = signed + integer + fraction
        if width < 1:
            return NOTHING
        return FixedType(width, signed + integer, bool(signed))

    def rectified(self) -> Reach:
        """After max(x, 0)."""
        return Reach(np.zeros_like(self.signed), self.integer, self.fraction)

    def each(self, function: Callable[[Codes], Codes]) -> Reach:
        """After a function that moves elements, repeats them, or takes the largest of some."""
        return Reach(function(self.signed), function(self.integer), function(self.fraction))

    def beside(self, other: Reach) -> Reach:
        """With the elements of another after its own, along the last axis."""
        return Reach(
            np.concatenate([self.signed, other.signed], axis=-1),
            np.concatenate([self.integer, other.integer], axis=-1),
            np.concatenate([self.fraction, other.fraction], axis=-1),
        )

    def common(self, other: Reach) -> Reach:
        """The bits of every element that both have."""
        return Reach(
            np.minimum(self.signed, other.signed),
            np.minimum(self.integer, other.integer),
            np.minimum(self.fraction, other.fraction),
        )

    def windows(
        self, kernel: tuple[int, int], strides: tuple[int, int], padding: tuple[int, int, int, int]
    ) -> tuple[Values, Values, Codes]:
        """Smallest and largest value and fraction bits in a convolution's windows, zeros around."""
        least = self.fraction.min()
        parts = (self.low, self.high, self.fraction - least)
        low, high, above = (patches(p[None], kernel, strides, padding)[0] for p in parts)
        return low, high, above + least


def affine_reach(low: Values, high: Values, fraction: Codes, weight: Values, bias: Values) -> Reach:
    """Of x @ weight + bias, where x lies between low and high in steps of 2**-fraction."""
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    smallest = low @ up + high @ down + bias
    largest = high @ up + low @ down + bias
    steps = least_fraction(weight)
    nowhere = np.iinfo(np.int32).min
    steps = np.where(weight == 0, nowhere, steps)
    if fraction.min() == fraction.max():
        made = np.broadcast_to(fraction.flat[0] + steps.max(axis=0), smallest.shape)
    else:
        made = np.stack([(fraction + column).max(axis=-1) for column in steps.T], axis=-1)
    own = np.where(bias == 0, nowhere, least_fraction(bias))
    made = np.maximum(made, own)
    # Sums without a term are always zero, or their bias.
    return Reach.between(smallest, largest, np.where(made < nowhere // 2, 0, made))


def scaled_reach(reach: Reach, scale: Values, bias: Values) -> Reach:
    """Of x * scale + bias, with a scale and a bias for each of the last axis."""
    low = np.minimum(reach.low * scale, reach.high * scale)
    high = np.maximum(reach.low * scale, reach.high * scale)
    steps = reach.fraction + np.where(scale == 0, MOST_PLACES[0], least_fraction(scale))
    own = np.where(bias == 0, MOST_PLACES[0], least_fraction(bias))
    return Reach.between(low + bias, high + bias, np.maximum(steps, own))


def dot_reach(left: Reach, right: Reach) -> Reach:
    """Of the sum of the products of two vectors' elements."""
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high = np.minimum.reduce(corners).sum(), np.maximum.reduce(corners).sum()
    fraction = (left.fraction + right.fraction).max()
    return Reach.between(*(np.array([part]) for part in (low, high, fraction)))


def product_reach(left: Reach, right: Reach) -> Reach:
    """Of the product of two edges, element by element."""
    corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    return Reach.between(low, high, left.fraction + right.fraction)


def sum_reach(left: Reach, right: Reach) -> Reach:
    """Of the sum of two edges, element by element."""
    fraction = np.maximum(left.fraction, right.fraction)
    return Reach.between(left.low + right.low, left.high + right.high, fraction)


def difference_reach(left: Reach, right: Reach) -> Reach:
    """Of the first edge less the second, element by element."""
    fraction = np.maximum(left.fraction, right.fraction)
    return Reach.between(left.low - right.high, left.high - right.low, fraction)


def mean_reach(left: Reach, right: Reach) -> Reach:
    """Of half the sum of two edges, element by element."""
    whole = sum_reach(left, right)
    return Reach(whole.signed, whole.integer - 1, whole.fraction + 1)


def either_reach(left: Reach, right: Reach) -> Reach:
    """Of whichever of two elements it is."""
    return Reach(
        np.maximum(left.signed, right.signed),
        np.maximum(left.integer, right.integer),
        np.maximum(left.fraction, right.fraction),
    )


def least_fraction(values: Values) -> Codes:
    """Fraction bits that each value takes, negative for multiples of 2; 0 for zero."""
    mantissa, exponent = np.frexp(values)
    whole = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    trailing = np.where(whole == 0, 0, np.log2(np.maximum(lowest, 1))).astype(np.int64)
    return np.where(values == 0, 0, 53 - trailing - exponent)
