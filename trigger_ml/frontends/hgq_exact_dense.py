"""The sums of HGQ2's dense layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from trigger_ml.frontends.hgq_spans import Span, SpanRule, contract, fraction_bits

__all__ = ["SPANS"]


def _linear(layer: Any, spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    (span,) = spans
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
    found = Span(reach, fraction)
    return found, found.bits


SPANS: Final[Mapping[str, SpanRule]] = {
    "QBatchNormDense": _linear,
    "QDense": _linear,
    "QEinsumDense": _linear,
    "QEinsumDenseBatchnorm": _linear,
}
