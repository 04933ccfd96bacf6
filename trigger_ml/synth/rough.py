"""LUTs and logic delay of a graph by rules of thumb: in milliseconds, with nothing traced.

A product with constants is one adder for each signed binary digit but one in a column, and costs
by the width of what it adds; activations and maxima cost by the bit. The constants were fitted
(least squares of logarithms) to alkaid's cost model on the kernels and layers of the jet tagger,
the muon segmenter, two edge classifiers and three small networks: a layer's LUTs and its delay
scatter there by 17 %, and the worst are 0.75 and 1.56 times what they should be. Sums that layers
share, and what a synthesizer makes of it all, are not in them. How far whole networks are off that
had no part in it is in ``calibration.yaml``, as ``rough_lut`` and ``rough_cycles``.
:mod:`trigger_ml.synth.cost_model` counts instead of guessing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.einsum import sizes_of
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.model import (
    ArgMax,
    Concatenate,
    Conv2D,
    Dense,
    EinsumDense,
    FixedGraph,
    GlobalAverage,
    Input,
    Lookup,
    MaxPool2D,
    Multiply,
    Node,
    Operation,
    Quantize,
    QuantizeEach,
    Relu,
    Softmax,
    Threshold,
    Transpose,
    UpSample2D,
)
from trigger_ml.graph.types import Codes

__all__ = ["Rough", "multiplications", "rough_counts", "signed_digits"]

LUT_PER_ADDER: Final = 1.9
"""Times the root of the width of what is added; sharing of sums between columns is in it."""
LUT_PER_ACTIVATION_BIT: Final = 0.15
"""Most of a cast merges into the LUTs of the sum before it."""
LUT_PER_MAXIMUM_BIT: Final = 1.25
LUT_PER_PRODUCT_BIT: Final = 0.5
"""Of a product of two edges: times both widths."""
LUT_PER_SUMMED_PRODUCT_BIT: Final = 0.75
"""The same where products are summed, as alkaid counts it; a sum of them takes one LUT a bit."""
LUT_INPUTS: Final = 6
NS_PER_ADDER: Final = 1.2
NS_PER_CAST: Final = 1.0
NS_PER_CHOICE: Final = 2.3
"""A maximum of two, or a product of two edges."""

WIRES: Final = (Input, Transpose, UpSample2D, Concatenate)
"""Nothing but names, where no type changes."""

Widths = NDArray[np.float64]
"""Bits of every element of an edge: of a concatenation each part keeps its own."""


@dataclass(frozen=True, slots=True)
class Rough:
    """What one node takes for one event, all its positions side by side.

    lut: LUTs, about. delay_ns: logic on its longest path, without routing, about.
    """

    lut: float
    delay_ns: float


def rough_counts(graph: FixedGraph) -> dict[str, Rough]:
    """Counts by node. The graph may be a part of one, without outputs."""
    widths: dict[str, Widths] = {}
    found: dict[str, Rough] = {}
    for node in graph.nodes:
        reads = [graph.by_name[name] for name in node.inputs]
        given = [widths[name] for name in node.inputs]
        widths[node.name] = _widths(node, given)
        found[node.name] = _count(node, reads, given)
    return found


def multiplications(node: Node) -> int:
    """Products with a weight for one event, those with a zero too; 0 without weights."""
    match node.operation:
        case Dense(weight=weight) | Conv2D(weight=weight):
            return int(node.size // weight.shape[-1] * weight.size)
        case EinsumDense(weight=weight, bias=bias):
            return int(weight.size * bias.shape[1])
        case _:
            return 0


def signed_digits(codes: Codes) -> Codes:
    """Digits that are not zero in the canonical signed form of each integer: 7 = 8 - 1 has two."""
    magnitude = np.abs(codes.astype(np.int64))
    changed = magnitude ^ (3 * magnitude)
    return np.asarray(np.bitwise_count(changed), dtype=np.int64)


def _widths(node: Node, reads: Sequence[Widths]) -> Widths:
    operation = node.operation
    match operation:
        case Concatenate():
            return np.concatenate(reads, axis=-1)
        case Transpose(axes=axes):
            return reads[0].transpose(axes)
        case UpSample2D(size=size):
            return reads[0].repeat(size[0], axis=0).repeat(size[1], axis=1)
        case QuantizeEach():
            return operation.width.astype(np.float64)
        case _:
            return np.full(node.shape, float(node.type.width))


def _count(node: Node, reads: Sequence[Node], widths: Sequence[Widths]) -> Rough:
    if isinstance(node.operation, WIRES):
        return Rough(0.0, 0.0)
    counter = _COUNTERS.get(type(node.operation))
    if counter is not None:
        return counter(node, reads, widths)
    adders = node.size * max(len(reads) - 1, 0)
    lut = adders * LUT_PER_ADDER * node.type.width**0.5
    return Rough(lut, NS_PER_ADDER if adders else 0.0)


def _dense(node: Node, _reads: Sequence[Node], widths: Sequence[Widths]) -> Rough:
    assert isinstance(node.operation, Dense)
    weight = node.operation.weight
    bits = widths[0].reshape(-1, len(weight)).mean(axis=0)
    return _affine(weight, node.operation.bias, bits, node.size // weight.shape[1])


def _conv2d(node: Node, _reads: Sequence[Node], widths: Sequence[Widths]) -> Rough:
    assert isinstance(node.operation, Conv2D)
    weight = node.operation.weight
    rows, columns, channels, filters = weight.shape
    bits = np.tile(widths[0].reshape(-1, channels).mean(axis=0), rows * columns)
    return _affine(weight.reshape(-1, filters), node.operation.bias, bits, node.size // filters)


def _einsum(node: Node, _reads: Sequence[Node], widths: Sequence[Widths]) -> Rough:
    operation = node.operation
    assert isinstance(operation, EinsumDense)
    blocks, contracted, _ = operation.weight.shape
    ordered = widths[0].transpose(operation.input_axes).reshape(blocks, -1, contracted)
    parts = [
        _affine(weight, bias, bits, 1)
        for weight, biases, rows in zip(operation.weight, operation.bias, ordered, strict=True)
        for bias, bits in zip(biases, rows, strict=True)
    ]
    return Rough(
        sum(part.lut for part in parts),
        max(part.delay_ns for part in parts),
    )


def _affine(weight: Codes, bias: Codes, bits: Widths, positions: int) -> Rough:
    """A product with a constant matrix. bits: of each row of it, 0 where the input is zero."""
    digits = signed_digits(weight) * (bits > 0)[:, None]
    terms = digits.sum(axis=0)
    adders = np.maximum(terms + (bias != 0) - 1, 0)
    roots = np.sqrt(bits) @ digits / np.maximum(terms, 1)
    depth = ceil(log2(max(int((terms + (bias != 0)).max(initial=1)), 1)))
    lut = positions * LUT_PER_ADDER * float(adders @ roots)
    return Rough(lut, NS_PER_ADDER * depth)


def _activation(node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    source = reads[0].type
    same = (source.fraction, source.integer, source.signed) == (
        node.type.fraction,
        node.type.integer,
        node.type.signed,
    )
    if same and not isinstance(node.operation, Relu):
        return Rough(0.0, 0.0)
    return Rough(LUT_PER_ACTIVATION_BIT * node.size * node.type.width, NS_PER_CAST)


def _each(node: Node, _reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    assert isinstance(node.operation, QuantizeEach)
    return Rough(LUT_PER_ACTIVATION_BIT * float(node.operation.width.sum()), NS_PER_CAST)


def _max_pool(node: Node, _reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    assert isinstance(node.operation, MaxPool2D)
    return _choices(node.size, prod(node.operation.size), node.type.width)


def _argmax(_node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    return _choices(1, reads[0].size, reads[0].type.width)


def _threshold(node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    return Rough(node.size * reads[0].type.width / 2, NS_PER_CAST)


def _choices(count: int, among: int, width: int) -> Rough:
    lut = LUT_PER_MAXIMUM_BIT * count * (among - 1) * width
    return Rough(lut, NS_PER_CHOICE * ceil(log2(max(among, 1))))


def _multiply(node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    bits = prod(read.type.width for read in reads)
    return Rough(LUT_PER_PRODUCT_BIT * node.size * bits, NS_PER_CHOICE)


def _pairs(node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    """Products of two edges, and their sums."""
    operation = node.operation
    assert isinstance(operation, Einsum)
    sizes = sizes_of(operation, reads[0].shape, reads[1].shape)
    assert sizes is not None
    terms = prod(sizes[letter] for letter in operation.summed)
    products = LUT_PER_SUMMED_PRODUCT_BIT * terms * prod(read.type.width for read in reads)
    adders = (terms - 1) * sum(read.type.width for read in reads)
    delay = NS_PER_CHOICE + NS_PER_ADDER * ceil(log2(terms))
    return Rough(node.size * (products + adders), delay)


def _average(node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    count = reads[0].shape[0]
    lut = LUT_PER_ADDER * reads[0].type.width ** 0.5 * node.size * (count - 1)
    return Rough(lut, NS_PER_ADDER * ceil(log2(count)))


def _lookup(node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    return _table(node.size, reads[0].type.width, node.type.width)


def _table(count: int, address: int, width: int) -> Rough:
    more = max(address - LUT_INPUTS, 0)
    return Rough(float(count * width * 2**more), NS_PER_CAST + more * NS_PER_CAST / 2)


def _softmax(node: Node, reads: Sequence[Node], _widths: Sequence[Widths]) -> Rough:
    operation = node.operation
    assert isinstance(operation, Softmax)
    outer, size, inner = operation.slices(node.shape)
    kind = operation.exp_type
    parts = (
        _choices(1, size, reads[0].type.width) if operation.stable else Rough(0.0, 0.0),
        _table(size, operation.difference_type.width, kind.width),
        Rough(LUT_PER_ADDER * kind.width**0.5 * (size - 1), NS_PER_ADDER * ceil(log2(size + 1))),
        _table(1, ceil(log2(len(operation.inverse_table))), operation.inverse_type.width),
        Rough(
            LUT_PER_PRODUCT_BIT * size * kind.width * operation.inverse_type.width,
            NS_PER_CHOICE,
        ),
    )
    lut = sum(part.lut for part in parts) * outer * inner
    return Rough(lut, sum(part.delay_ns for part in parts))


_COUNTERS: Final[
    Mapping[type[Operation], Callable[[Node, Sequence[Node], Sequence[Widths]], Rough]]
] = {
    Dense: _dense,
    Conv2D: _conv2d,
    EinsumDense: _einsum,
    Quantize: _activation,
    Relu: _activation,
    QuantizeEach: _each,
    MaxPool2D: _max_pool,
    Multiply: _multiply,
    Einsum: _pairs,
    GlobalAverage: _average,
    Lookup: _lookup,
    Softmax: _softmax,
    ArgMax: _argmax,
    Threshold: _threshold,
}
