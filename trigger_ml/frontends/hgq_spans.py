"""How far the numbers in a tensor reach and how fine they are, and what float32 holds of them.

float32 holds every multiple of ``2**-f`` up to ``2**(24 - f)``. So a sum is exact, in any order,
as long as the sum of its largest terms, counted in steps of its finest one, stays within
``2**24``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MANTISSA_BITS",
    "NONE",
    "Array",
    "Ints",
    "Span",
    "SpanRule",
    "contract",
    "fraction_bits",
    "input_span",
    "quantized",
]

MANTISSA_BITS: Final = 24
"""Bits of a float32's significand (IEEE 754 binary32), the hidden one included."""
NONE: Final = -(1 << 20)
"""Fraction bits of a zero: fewer than any number has."""
WIDEST: Final = 23
"""Widest quantizer: its rounding adds half a step, which takes one bit more."""

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """What the elements of a tensor can be: multiples of 2**-fraction up to reach in size."""

    reach: Array
    fraction: Ints

    @property
    def bits(self) -> float:
        """Significand bits that the worst element needs."""
        shown = self.reach > 0
        if not shown.any():
            return 0.0
        return float((np.log2(self.reach[shown]) + self.fraction[shown]).max())


SpanRule = Callable[[Any, Sequence[Span], tuple[int, ...]], tuple[Span, float]]
"""From a layer as Keras has it, the spans of what it reads (behind its quantizers) and the shape of
what it makes (without the batch axis) to the span of that, and the bits that its sums need."""


def fraction_bits(values: Array) -> Ints:
    """The least f for which each value is a multiple of 2**-f; NONE for zero."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(np.abs(mantissa), 53).astype(np.int64)
    lowest = np.maximum(whole & -whole, 1)
    trailing = np.log2(lowest.astype(np.float64)).astype(np.int64)
    return np.where(whole == 0, NONE, 53 - exponent - trailing).astype(np.int64)


def contract(
    equation: str,
    left: NDArray[Any],
    right: NDArray[Any],
    combine: Callable[[Any, Any], Any],
    reduce: Callable[..., Any],
) -> NDArray[Any]:
    """einsum with another product and sum, for "c,cd->d" and the like."""
    reads, rest = equation.split(",")
    kernel, makes = rest.split("->")
    letters = makes + "".join(sorted({*reads, *kernel} - {*makes}))

    def spread(array: NDArray[Any], axes: str) -> NDArray[Any]:
        ordered = array.transpose([axes.index(x) for x in letters if x in axes])
        sizes = iter(ordered.shape)
        return ordered.reshape([next(sizes) if x in axes else 1 for x in letters])

    combined = combine(spread(left, reads), spread(right, kernel))
    summed = tuple(range(len(makes), len(letters)))
    return np.asarray(reduce(combined, axis=summed))


def quantized(quantizer: Any, shape: tuple[int, ...], span: Span) -> tuple[Span, float]:
    """What a quantizer of HGQ2 gives, and the bits that it needs to round what it reads."""
    own = _own_span(quantizer, shape)
    shown = own.reach > 0
    read = Span(
        np.where(shown, span.reach + own.reach, 0.0),
        np.where(shown, np.maximum(span.fraction, own.fraction + 1), NONE),
    )
    worst = read.bits if own.bits <= WIDEST else max(read.bits, MANTISSA_BITS + 1.0)
    return own, worst


def _own_span(quantizer: Any, shape: tuple[int, ...]) -> Span:
    """The numbers that a quantizer makes."""
    k, i, f = (
        np.broadcast_to(np.asarray(part, dtype=np.float64), (1, *shape))[0]
        for part in quantizer.quantizer.kif
    )
    shown = k + i + f > 0
    end = np.where(shown, np.ldexp(1.0, i.astype(np.int64)), 0.0)
    return Span(end, np.where(shown, f, NONE).astype(np.int64))


def input_span(quantizers: Sequence[tuple[Any, tuple[int, ...]]], shape: tuple[int, ...]) -> Span:
    """What a model's input of this shape can be, from the quantizers that read it and the shapes
    in which they do.

    All elements lie on the finest grid of all quantizers' elements, with one bit more for rounding,
    and reach as far as the widest.
    """
    own = [_own_span(quantizer, seen) for quantizer, seen in quantizers]
    end = max(float(span.reach.max()) for span in own)
    finest = max(int(span.fraction.max()) for span in own)
    return Span(np.full(shape, end), np.full(shape, finest + 1))
