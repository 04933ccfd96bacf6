"""How far sums and means of images reach, against a plain walk through every window."""

from __future__ import annotations

from itertools import product
from math import log2
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trigger_ml.frontends.hgq_exact_images import SPANS
from trigger_ml.frontends.hgq_spans import NONE, Span, fraction_bits


def span_of(shape: tuple[int, ...], seed: int = 2) -> Span:
    """Elements of different reach and fineness, some with neither."""
    random = np.random.default_rng(seed)
    shown = random.random(shape) > 0.2
    reach = np.where(shown, 2.0 ** random.integers(-2, 4, shape), 0.0)
    return Span(reach, np.where(shown, random.integers(-1, 5, shape), NONE).astype(np.int64))


def starts(length: int, window: int, step: int, padding: str) -> list[int]:
    """Where the windows begin along an axis, as Keras' documentation says."""
    if padding == "valid":
        return list(range(0, length - window + 1, step))
    count = -(-length // step)
    before = max((count - 1) * step + window - length, 0) // 2
    before = window - 1 if padding == "causal" else before
    return [place * step - before for place in range(count)]


def convolution(kernel: Any, bias: Any, axes: int, **options: Any) -> Any:
    default = {"strides": (1,) * axes, "dilation_rate": (1,) * axes, "groups": 1}
    layer = {**default, "padding": "valid", **options}
    return SimpleNamespace(qkernel=kernel, qbias=bias, use_bias=bias is not None, **layer)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same"},
        {"padding": "same", "strides": (2, 3)},
        {"dilation_rate": (2, 1), "padding": "same"},
        {"groups": 2},
    ],
)
def test_a_convolution_reaches_what_its_terms_do(options: dict[str, Any]) -> None:
    random = np.random.default_rng(1)
    groups = options.get("groups", 1)
    kernel = random.integers(-3, 4, (3, 2, 4 // groups, 4)) / 4
    bias = np.array([0.0, 0.5, -0.125, 2.0])
    layer = convolution(kernel, bias, 2, **options)
    span = span_of((5, 6, 4))
    height, width = layer.dilation_rate
    rows = starts(5, 2 * height + 1, layer.strides[0], layer.padding)
    columns = starts(6, width + 1, layer.strides[1], layer.padding)
    made = (len(rows), len(columns), 4)
    found, bits = SPANS["QConv2D"](layer, [span], made)
    finest = fraction_bits(kernel)
    for (i, row), (j, column), out in product(enumerate(rows), enumerate(columns), range(4)):
        reach, fraction = abs(bias[out]), [int(fraction_bits(bias)[out])]
        for a, b, c in product(range(3), range(2), range(4 // groups)):
            y, x = row + a * height, column + b * width
            channel = out // (4 // groups) * (4 // groups) + c
            if 0 <= y < 5 and 0 <= x < 6:
                reach += span.reach[y, x, channel] * abs(kernel[a, b, c, out])
                fraction.append(int(span.fraction[y, x, channel] + finest[a, b, c, out]))
        assert found.reach[i, j, out] == reach
        assert found.fraction[i, j, out] == max(fraction) or max(fraction) < NONE / 2
    assert bits == found.bits


def test_a_causal_sequence_looks_back() -> None:
    kernel = np.array([[[1.0]], [[2.0]]])
    span = Span(np.array([[1.0], [4.0], [16.0]]), np.array([[0], [1], [2]]))
    layer = convolution(kernel, None, 1, padding="causal")
    found, _ = SPANS["QConv1D"](layer, [span], (3, 1))
    assert found.reach[:, 0].tolist() == [2.0, 9.0, 36.0]
    assert found.fraction[:, 0].tolist() == [-1, 0, 1]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kind", ["QMaxPooling2D", "AveragePooling2D"])
def test_pooling(kind: str, padding: str) -> None:
    span = span_of((3, 5, 2))
    layer = type(kind, (), {"pool_size": (2, 2), "strides": (2, 2), "padding": padding})()
    rows, columns = (starts(size, 2, 2, padding) for size in (3, 5))
    made = (len(rows), len(columns), 2)
    found, bits = SPANS[kind](layer, [span], made)
    totals = []
    for (i, row), (j, column), channel in product(enumerate(rows), enumerate(columns), range(2)):
        inside = [
            (y, x, channel)
            for y, x in product(range(row, row + 2), range(column, column + 2))
            if y < 3 and x < 5
        ]
        reaches = [float(span.reach[place]) for place in inside]
        fraction = max(int(span.fraction[place]) for place in inside)
        if "Max" in kind:
            assert found.reach[i, j, channel] == max(reaches)
            assert found.fraction[i, j, channel] == fraction
            continue
        count = len(inside)
        assert found.reach[i, j, channel] == sum(reaches) / count
        assert found.fraction[i, j, channel] == fraction + log2(count)
        if sum(reaches):
            totals.append(log2(sum(reaches)) + fraction)
    assert bits == pytest.approx(max(totals) if totals else 0.0)


def test_pooling_of_everything() -> None:
    span = Span(np.array([[1.0, 2.0], [4.0, 0.5]]), np.array([[0, 3], [2, 1]]))
    mean, bits = SPANS["QGlobalAveragePooling1D"](object(), [span], (2,))
    assert mean.reach.tolist() == [2.5, 1.25]
    assert mean.fraction.tolist() == [3, 4]
    assert bits == pytest.approx(log2(5.0) + 2)
    most, none = SPANS["GlobalMaxPooling1D"](type("GlobalMax", (), {})(), [span], (2,))
    assert (most.reach.tolist(), most.fraction.tolist(), none) == ([4.0, 2.0], [2, 3], 0.0)


def test_normalization() -> None:
    span = Span(np.array([[2.0, 1.0]]), np.array([[1, 4]]))
    layer = SimpleNamespace(qscaler_and_qoffset=(np.array([0.75, -2.0]), np.array([8.0, 0.125])))
    found, bits = SPANS["QBatchNormalization"](layer, [span], (1, 2))
    assert found.reach.tolist() == [[9.5, 2.125]]
    assert found.fraction.tolist() == [[3, 3]]
    assert bits == pytest.approx(log2(9.5) + 3)


def test_rims_and_copies() -> None:
    span = Span(np.array([[1.0], [2.0], [4.0]]), np.array([[1], [2], [3]]))
    wide, _ = SPANS["ZeroPadding1D"](SimpleNamespace(padding=(1, 0)), [span], (4, 1))
    assert wide.reach[:, 0].tolist() == [0.0, 1.0, 2.0, 4.0]
    assert wide.fraction[:, 0].tolist() == [NONE, 1, 2, 3]
    part, _ = SPANS["Cropping1D"](SimpleNamespace(cropping=(1, 1)), [span], (1, 1))
    assert (part.reach.tolist(), part.fraction.tolist()) == ([[2.0]], [[2]])
    twice, _ = SPANS["UpSampling1D"](SimpleNamespace(size=2), [span], (6, 1))
    assert twice.reach[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]
    image = Span(span.reach.reshape(3, 1, 1), span.fraction.reshape(3, 1, 1))
    large, _ = SPANS["UpSampling2D"](SimpleNamespace(size=(1, 2)), [image], (3, 2, 1))
    assert large.fraction[:, :, 0].tolist() == [[1, 1], [2, 2], [3, 3]]
    inner, _ = SPANS["Cropping2D"](SimpleNamespace(cropping=((0, 1), (0, 0))), [image], (2, 1, 1))
    assert inner.reach[:, 0, 0].tolist() == [1.0, 2.0]
