"""Whether HGQ2's own float32 arithmetic gives a model's fixed-point results exactly.

float32 holds every multiple of ``2**-f`` up to ``2**(24 - f)``. So a sum is exact, in any order,
as long as the sum of its largest terms, counted in steps of its finest one, stays within
``2**24``. That is followed through the layers, with the widths and weights that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker

__all__ = ["Span", "contract", "fraction_bits", "inexact_layers"]

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


def inexact_layers(model: Any) -> list[Blocker]:
    """A blocker for each layer of a loaded HGQ2 chain whose float32 results may be rounded."""
    blockers = []
    span: Span | None = None
    for layer in model.layers:
        for name, after, worst in _steps(layer, span):
            span = after
            if worst > MANTISSA_BITS:
                blockers.append(
                    Blocker(
                        f"layer {name}",
                        f"needs sums of {int(np.ceil(worst))} bits, and HGQ2 computes in float32, "
                        f"which is exact up to {MANTISSA_BITS}",
                        "give its quantizers fewer bits and train again",
                    )
                )
                span = Span(np.minimum(span.reach, 1.0), np.minimum(span.fraction, 0))
    return blockers


def _steps(layer: Any, span: Span | None) -> Iterator[tuple[str, Span, float]]:
    """Name, result and needed bits of everything that one layer does."""
    shape = tuple(layer.output.shape[1:])
    reads = tuple(layer.input.shape[1:])
    kind = type(layer).__name__
    if kind == "Quantizer" or getattr(layer, "enable_iq", False):
        quantizer = layer if kind == "Quantizer" else layer.iq
        worst_in, span = _quantize(quantizer, reads, span)
        yield quantizer.name, span, worst_in
    if span is None:
        return
    if hasattr(layer, "qkernel"):
        span = _linear(layer, span, shape)
        yield layer.name, span, span.bits
    elif "Pooling" in kind:
        total = Span(span.reach.sum(axis=0), span.fraction.max(axis=0))
        halvings = int(np.log2(reads[0]))
        span = Span(total.reach / reads[0], total.fraction + halvings)
        yield layer.name, span, total.bits
    if getattr(layer, "enable_oq", False):
        worst_in, span = _quantize(layer.oq, shape, span)
        yield layer.oq.name, span, worst_in


def _quantize(quantizer: Any, shape: tuple[int, ...], span: Span | None) -> tuple[float, Span]:
    """Bits that the quantizer needs to round what it reads, and what it gives.

    span: None for the model's input, which lies on the finest grid of all elements, with one
    bit more for rounding, and reaches as far as the widest.
    """
    k, i, f = (
        np.broadcast_to(np.asarray(part, dtype=np.float64), (1, *shape))[0]
        for part in quantizer.quantizer.kif
    )
    shown = k + i + f > 0
    end = np.where(shown, np.ldexp(1.0, i.astype(np.int64)), 0.0)
    fraction = np.where(shown, f, NONE).astype(np.int64)
    if span is None:
        span = Span(np.full(shape, end.max()), np.full(shape, fraction.max() + 1))
    read = Span(
        np.where(shown, span.reach + end, 0.0),
        np.where(shown, np.maximum(span.fraction, fraction + 1), NONE),
    )
    own = Span(end, fraction)
    worst = read.bits if own.bits <= WIDEST else max(read.bits, MANTISSA_BITS + 1.0)
    return worst, own


def _linear(layer: Any, span: Span, shape: tuple[int, ...]) -> Span:
    kernel = np.asarray(layer.qkernel, dtype=np.float64)
    bias = layer.qbias
    equation = "c,cd->d"
    if hasattr(layer, "equation"):
        reads, rest = str(layer.equation).split(",")
        weights, makes = rest.split("->")
        equation = f"{reads[1:]},{weights}->{makes[1:]}"
    reach = contract(equation, span.reach, np.abs(kernel), np.multiply, np.sum)
    fraction = contract(equation, span.fraction, fraction_bits(kernel), np.add, np.max)
    if bias is not None:
        offsets = np.broadcast_to(np.asarray(bias, dtype=np.float64), shape)
        reach = reach + np.abs(offsets)
        fraction = np.maximum(fraction, fraction_bits(offsets))
    return Span(reach, fraction)
