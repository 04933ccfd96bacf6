"""How far the results of HGQ2's tables and softmax reach, and what its sums need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from trigger_ml.frontends.hgq_spans import NONE, Span, SpanRule, quantized

__all__ = ["SPANS"]


def _softmax(layer: Any, spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    """The difference from the largest, exp of it, the sum, 1/x of that, and the product."""
    (span,) = spans
    axes = tuple(axis - 1 for axis in layer.axes)
    summed = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    needed = []
    if layer.stable:
        difference = Span(
            span.reach + span.reach.max(axis=axes, keepdims=True),
            np.maximum(span.fraction, span.fraction.max(axis=axes, keepdims=True)),
        )
        needed += [difference.bits, quantized(layer.exp_table.iq, shape, difference)[1]]
    exponential, own = _entries(layer.exp_table, shape)
    total = Span(
        exponential.reach.sum(axis=axes, keepdims=True),
        exponential.fraction.max(axis=axes, keepdims=True),
    )
    needed += [own, total.bits, quantized(layer.inv_table.iq, summed, total)[1]]
    inverse, own = _entries(layer.inv_table, summed)
    found = Span(exponential.reach * inverse.reach, exponential.fraction + inverse.fraction)
    return found, max(*needed, own, found.bits)


def _table(layer: Any, _spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    """What the table holds, whose entries are the layer's function behind its quantizer."""
    return _entries(layer, shape)


def _entries(layer: Any, shape: tuple[int, ...]) -> tuple[Span, float]:
    """What the quantizer of a table makes of real numbers."""
    nothing = Span(np.zeros(shape), np.full(shape, NONE))
    return quantized(layer.oq, shape, nothing)


SPANS: Final[Mapping[str, SpanRule]] = {
    "QAffinedUnaryFunctionLUT": _table,
    "QSoftmax": _softmax,
    "QUnaryFunctionLUT": _table,
}
