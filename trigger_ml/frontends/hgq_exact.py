"""Whether HGQ2's own float32 arithmetic gives a model's fixed-point results exactly.

The reach and the fineness of every tensor are followed through the model's layers, with the widths
and weights that they have (see :mod:`trigger_ml.frontends.hgq_spans`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.frontends import (
    hgq_exact_dense,
    hgq_exact_einsum,
    hgq_exact_images,
    hgq_exact_merges,
    hgq_exact_tables,
)
from trigger_ml.frontends.hgq_calls import Call, calls_of, input_quantizers
from trigger_ml.frontends.hgq_spans import MANTISSA_BITS, Span, SpanRule, input_span, quantized

__all__ = ["inexact_layers"]

SPANS: Final[Mapping[str, SpanRule]] = {
    **hgq_exact_dense.SPANS,
    **hgq_exact_einsum.SPANS,
    **hgq_exact_images.SPANS,
    **hgq_exact_merges.SPANS,
    **hgq_exact_tables.SPANS,
}
"""By class. A layer that is not there gives what it reads, or less of it."""


def inexact_layers(model: Any) -> list[Blocker]:
    """A blocker for each layer of a loaded HGQ2 model whose float32 results may be rounded."""
    blockers = []
    calls = calls_of(model)
    spans: dict[str, Span] = {}
    for call in calls:
        if not call.reads:
            spans[call.layer.name] = input_span(_readers(call, calls), call.shape)
            continue
        span = spans[call.reads[0]]
        for name, after, worst in _steps(call, [spans[name] for name in call.reads]):
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
        spans[call.layer.name] = span
    return blockers


def _readers(source: Call, calls: Sequence[Call]) -> list[tuple[Any, tuple[int, ...]]]:
    """Quantizers that read a layer's result, whatever renames places between, and its shape there.

    calls: of all layers, in order.
    """
    carried, found = {source.layer.name}, []
    for call in calls:
        quantizers = input_quantizers(call.layer)
        hits = [place for place, name in enumerate(call.reads) if name in carried]
        if hits and not quantizers:
            carried.add(call.layer.name)
        elif quantizers:
            found += [(quantizers[place], call.shapes[place]) for place in hits]
    return found


def _steps(call: Call, spans: Sequence[Span]) -> Iterator[tuple[str, Span, float]]:
    """Name, result and needed bits of everything that one layer does."""
    read = list(spans)
    for place, quantizer in enumerate(input_quantizers(call.layer)):
        read[place], worst = quantized(quantizer, call.shapes[place], read[place])
        yield quantizer.name, read[place], worst
    after = read[0]
    rule = SPANS.get(type(call.layer).__name__)
    if rule is not None:
        after, worst = rule(call.layer, read, call.shape)
        yield call.layer.name, after, worst
    if getattr(call.layer, "enable_oq", False):
        after, worst = quantized(call.layer.oq, call.shape, after)
        yield call.layer.oq.name, after, worst
