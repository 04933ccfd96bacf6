"""The sums and products of HGQ2's layers that join tensors, and what only renames places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from trigger_ml.frontends.hgq_spans import Span, SpanRule

__all__ = ["SPANS"]


def _sum(_layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]) -> tuple[Span, float]:
    found = Span(_combined(np.add, "reach", spans), _combined(np.maximum, "fraction", spans))
    return found, found.bits


def _mean(layer: Any, spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    """Of a power of two of tensors: a sum, and a shift of the point."""
    total, bits = _sum(layer, spans, shape)
    count = len(spans)
    return Span(total.reach / count, total.fraction + (count.bit_length() - 1)), bits


def _product(_layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]) -> tuple[Span, float]:
    found = Span(_combined(np.multiply, "reach", spans), _combined(np.add, "fraction", spans))
    return found, found.bits


def _choice(_layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]) -> tuple[Span, float]:
    """One of its inputs, as it is."""
    found = Span(_combined(np.maximum, "reach", spans), _combined(np.maximum, "fraction", spans))
    return found, 0.0


def _combined(combine: Callable[..., Any], part: str, spans: Sequence[Span]) -> Any:
    first, *others = (getattr(span, part) for span in spans)
    for other in others:
        first = combine(first, other)
    return first


def _side_by_side(_layer: Any, spans: Sequence[Span], _: tuple[int, ...]) -> tuple[Span, float]:
    reach, fraction = (
        np.concatenate([getattr(span, part) for span in spans], axis=-1)
        for part in ("reach", "fraction")
    )
    return Span(reach, fraction), 0.0


def _reshaped(_layer: Any, spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    (span,) = spans
    return Span(span.reach.reshape(shape), span.fraction.reshape(shape)), 0.0


def _turned(layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]) -> tuple[Span, float]:
    (span,) = spans
    order = [axis - 1 for axis in layer.dims]
    return Span(span.reach.transpose(order), span.fraction.transpose(order)), 0.0


_JOINS: Final[Mapping[str, SpanRule]] = {
    "Add": _sum,
    "Average": _mean,
    "Maximum": _choice,
    "Minimum": _choice,
    "Multiply": _product,
    "Subtract": _sum,
}
SPANS: Final[Mapping[str, SpanRule]] = {
    **_JOINS,
    **{f"Q{kind}": rule for kind, rule in _JOINS.items() if kind != "Average"},
    "QAveragePow2": _mean,
    "Concatenate": _side_by_side,
    "Flatten": _reshaped,
    "Permute": _turned,
    "Reshape": _reshaped,
}
