"""The sums and means of HGQ2's convolutions, pooling and normalizations.

A sequence is an image of one row, and what stands beyond an image is zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from trigger_ml.frontends.hgq_spans import NONE, Array, Ints, Span, SpanRule, fraction_bits
from trigger_ml.frontends.hls_v3_images import plain_kernel
from trigger_ml.graph.windows import as_image, patches, window_views

__all__ = ["SPANS"]

Sizes = tuple[int, int]
Around = tuple[int, int, int, int]


def _pair(sizes: Sequence[int]) -> Sizes:
    """Rows and columns; along a sequence, there are columns alone."""
    rows, columns = (1, *sizes)[-2:]
    return int(rows), int(columns)


def _around(shape: Sizes, window: Sizes, strides: Sizes, padding: str) -> Around:
    """Rows above and below, columns left and right beyond an image, as Keras places windows."""
    found: list[int] = []
    for length, size, step in zip(shape, window, strides, strict=True):
        count = -(-length // step)
        whole = max((count - 1) * step + size - length, 0)
        before = {"same": whole // 2, "causal": size - 1}.get(padding, 0)
        found += [before, whole - before if padding == "same" else 0]
    above, below, left, right = found
    return above, below, left, right


def _convolution(layer: Any, spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    (span,) = spans
    kernel = np.asarray(layer.qkernel, dtype=np.float64)
    kernel = plain_kernel(kernel, layer.dilation_rate, int(layer.groups))
    height, width, channels = as_image(span.reach.shape)
    window, strides = _pair(kernel.shape[:-2]), _pair(layer.strides)
    around = _around((height, width), window, strides, layer.padding)
    flat = kernel.reshape(-1, kernel.shape[-1])

    def cut(values: Array | Ints) -> Any:
        """Each place's window in a row."""
        rows = patches(values.reshape(1, height, width, channels), window, strides, around)
        return rows.reshape(-1, len(flat))

    reach = cut(span.reach) @ np.abs(flat)
    # Zeros around the image have fewer fraction bits than any number: what is above NONE is kept.
    fractions = cut(span.fraction - NONE) + NONE
    finest = [(fractions + bits).max(axis=1) for bits in fraction_bits(flat).T]
    found = Span(reach.reshape(shape), np.stack(finest, axis=1).reshape(shape))
    if layer.use_bias:
        bias = np.asarray(layer.qbias, dtype=np.float64)
        fraction = np.maximum(found.fraction, fraction_bits(bias))
        found = Span(found.reach + np.abs(bias), fraction)
    return found, found.bits


def _pooling(layer: Any, spans: Sequence[Span], shape: tuple[int, ...]) -> tuple[Span, float]:
    """The largest element, or a sum and a shift of the point, of each window."""
    (span,) = spans
    height, width, _ = as_image(span.reach.shape)
    window = strides = (height, width)
    padding = "valid"
    if hasattr(layer, "pool_size"):
        window, strides, padding = _pair(layer.pool_size), _pair(layer.strides), layer.padding
    around = _around((height, width), window, strides, padding)

    def cut(values: Any, rim: int) -> Any:
        image = values.reshape(1, height, width, -1)
        return window_views(image, window, strides, around, rim)[0]

    fraction = cut(span.fraction, NONE).max(axis=(-2, -1))
    if "Max" in type(layer).__name__:
        reach = cut(span.reach, 0).max(axis=(-2, -1))
        return Span(reach.reshape(shape), fraction.reshape(shape)), 0.0
    total = Span(cut(span.reach, 0).sum(axis=(-2, -1)), fraction)
    counts = cut(np.ones((height, width), dtype=np.int64), 0).sum(axis=(-2, -1))
    halvings = np.log2(counts).astype(np.int64)
    means = Span(total.reach / counts, total.fraction + halvings)
    return Span(means.reach.reshape(shape), means.fraction.reshape(shape)), total.bits


def _normalization(
    layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]
) -> tuple[Span, float]:
    (span,) = spans
    scale, offset = (np.asarray(part, dtype=np.float64) for part in layer.qscaler_and_qoffset)
    product = span.fraction + fraction_bits(scale)
    reach = span.reach * np.abs(scale) + np.abs(offset)
    found = Span(reach, np.maximum(product, fraction_bits(offset)))
    return found, found.bits


def _rim(layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]) -> tuple[Span, float]:
    """Zeros around it, or what is within."""
    (span,) = spans
    padded = hasattr(layer, "padding")
    around = layer.padding if padded else layer.cropping
    pairs = [*([around] if span.reach.ndim == 2 else around), (0, 0)]
    if padded:
        fraction = np.pad(span.fraction, pairs, constant_values=NONE)
        return Span(np.pad(span.reach, pairs), fraction), 0.0
    sizes = zip(pairs, span.reach.shape, strict=True)
    inner = tuple(slice(before, size - after) for (before, after), size in sizes)
    return Span(span.reach[inner], span.fraction[inner]), 0.0


def _copies(layer: Any, spans: Sequence[Span], _shape: tuple[int, ...]) -> tuple[Span, float]:
    """Every element several times."""
    (span,) = spans
    reach, fraction = span.reach, span.fraction
    for axis, factor in enumerate([layer.size] if span.reach.ndim == 2 else layer.size):
        reach, fraction = np.repeat(reach, factor, axis), np.repeat(fraction, factor, axis)
    return Span(reach, fraction), 0.0


KINDS: Final = ("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling")

SPANS: Final[Mapping[str, SpanRule]] = {
    **{f"QConv{axes}D": _convolution for axes in (1, 2)},
    **{f"{q}{kind}{axes}D": _pooling for q in ("", "Q") for kind in KINDS for axes in (1, 2)},
    **{f"{kind}{axes}D": _rim for kind in ("ZeroPadding", "Cropping") for axes in (1, 2)},
    **{f"UpSampling{axes}D": _copies for axes in (1, 2)},
    "QBatchNormalization": _normalization,
}
