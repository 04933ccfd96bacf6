"""The sums of products of two tensors in HGQ2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from trigger_ml.frontends.hgq_spans import Span, SpanRule, contract
from trigger_ml.frontends.keras_v3_einsum import axes_of_events

__all__ = ["SPANS"]


def _einsum(layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]) -> tuple[Span, float]:
    axes = axes_of_events(layer.equation, [span.reach.ndim for span in spans])
    return _products("{},{}->{}".format(*axes), spans)


def _dot(_layer: Any, spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    found, bits = _products("a,a->", spans)
    return Span(found.reach.reshape(shape), found.fraction.reshape(shape)), bits


def _products(equation: str, spans: Sequence[Span]) -> tuple[Span, float]:
    left, right = spans
    found = Span(
        contract(equation, left.reach, right.reach, np.multiply, np.sum),
        contract(equation, left.fraction, right.fraction, np.add, np.max),
    )
    return found, found.bits


SPANS: Final[Mapping[str, SpanRule]] = {"QDot": _dot, "QEinsum": _einsum}
