"""The graph's own witness: exact integer evaluation in NumPy.

It shares no code with hls4ml's C++ or alkaid. Sums of products go through double-precision
BLAS only where every partial sum is below 2**53 and therefore an exact integer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from trigger_ml.graph.model import (
    ArgMax,
    Dense,
    EinsumDense,
    FixedGraph,
    GlobalAverage,
    Input,
    Lookup,
    Node,
    Operation,
    Quantize,
    QuantizeEach,
    Relu,
    Softmax,
    Threshold,
)
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["evaluate", "trace_edges"]

CHUNK: Final = 8192
EXACT_DOUBLE: Final = 2**53


def evaluate(
    graph: FixedGraph, codes: Codes, progress: Callable[[int, int], None] | None = None
) -> Codes:
    """Outputs for rows of inputs.

    codes: shape (events, input_size). progress: called with (done, all) events.
    Returns codes of shape (events, output_size).
    """
    out = np.empty((len(codes), graph.output_size), dtype=np.int64)
    for start in range(0, len(codes), CHUNK):
        rows = slice(start, start + CHUNK)
        edges = trace_edges(graph, codes[rows])
        parts = [edges[name].reshape(len(codes[rows]), -1) for name in graph.outputs]
        out[rows] = np.concatenate(parts, axis=1)
        if progress is not None:
            progress(min(start + CHUNK, len(codes)), len(codes))
    return out


def trace_edges(graph: FixedGraph, codes: Codes) -> dict[str, Codes]:
    """Codes on every edge, each of shape (events, *node.shape)."""
    inputs = graph.split_inputs(codes)
    edges: dict[str, Codes] = {}
    for node in graph.nodes:
        if isinstance(node.operation, Input):
            edges[node.name] = inputs[node.name]
            continue
        reads = [(edges[name], graph.by_name[name].type) for name in node.inputs]
        edges[node.name] = _EVALUATORS[type(node.operation)](node, *reads[0])
    return edges


def _quantize(node: Node, codes: Codes, source: FixedType) -> Codes:
    return node.type.cast(codes, source.fraction)


def _relu(node: Node, codes: Codes, source: FixedType) -> Codes:
    return node.type.cast(np.maximum(codes, 0), source.fraction)


def _quantize_each(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, QuantizeEach)
    flat = codes.reshape(len(codes), -1)
    out = np.zeros_like(flat)
    for element in range(node.size):
        own = operation.type_at(element)
        if own is not None:
            out[:, element] = node.type.cast(
                own.cast(flat[:, element], source.fraction), own.fraction
            )
    return out.reshape(codes.shape)


def _dense(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, Dense)
    return _affine(node, operation, codes, source, operation.weight, operation.bias)


def _einsum_dense(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, EinsumDense)
    blocks, contracted, _ = operation.weight.shape
    ordered = codes.transpose(0, *(axis + 1 for axis in operation.input_axes))
    ordered = ordered.reshape(len(codes), blocks, -1, contracted)
    results = [
        _affine(node, operation, ordered[:, block], source, weight, bias)
        for block, (weight, bias) in enumerate(zip(operation.weight, operation.bias, strict=True))
    ]
    unfolded = np.stack(results, axis=1).reshape(len(codes), *operation.unfolded_shape)
    return unfolded.transpose(0, *(axis + 1 for axis in operation.output_axes))


def _affine(
    node: Node,
    operation: Dense | EinsumDense,
    codes: Codes,
    source: FixedType,
    weight: Codes,
    bias: Codes,
) -> Codes:
    """codes @ weight + bias in the operation's accumulator, then in the node's type."""
    accumulator = operation.accumulator
    fraction = source.fraction + operation.weight_type.fraction
    offset = accumulator.cast(bias, operation.bias_type.fraction)
    if fraction <= accumulator.fraction:
        total = _matmul(codes, weight) << (accumulator.fraction - fraction)
    else:
        total = np.zeros((*codes.shape[:-1], weight.shape[1]), dtype=np.int64)
        for k in range(weight.shape[0]):
            product = codes[..., k, None] * weight[k]
            total += accumulator.cast(product, fraction)
    summed = accumulator.cast(total + offset, accumulator.fraction)
    return node.type.cast(summed, accumulator.fraction)


def _matmul(codes: Codes, weight: Codes) -> Codes:
    largest = int(np.abs(codes).max(initial=0)) * int(np.abs(weight).sum(axis=0).max(initial=0))
    if largest < EXACT_DOUBLE:
        return (codes.astype(np.float64) @ weight.astype(np.float64)).astype(np.int64)
    return codes @ weight


def _global_average(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, GlobalAverage)
    accumulator = operation.accumulator
    total = accumulator.cast(codes.sum(axis=1), source.fraction)
    halvings = codes.shape[1].bit_length() - 1
    mean = accumulator.cast(total, accumulator.fraction + halvings)
    return node.type.cast(mean, accumulator.fraction)


def _lookup(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, Lookup)
    return np.asarray(operation.table[codes - source.min_code])


def _softmax(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, Softmax)
    distance = codes.max(axis=-1, keepdims=True) - codes
    key = operation.difference_type.cast(distance, source.fraction)
    exponential = operation.exp_table[key - operation.difference_type.min_code]
    total = operation.sum_type.cast(exponential.sum(axis=-1), operation.exp_type.fraction)
    inverse_key = operation.inverse_input_type.cast(total, operation.sum_type.fraction)
    address_bits = len(operation.inverse_table).bit_length() - 1
    mask = (1 << operation.inverse_input_type.width) - 1
    address = (inverse_key & mask) >> (operation.inverse_input_type.width - address_bits)
    inverse = operation.inverse_table[address]
    product = exponential * inverse[..., None]
    return node.type.cast(product, operation.exp_type.fraction + operation.inverse_type.fraction)


def _argmax(_node: Node, codes: Codes, _source: FixedType) -> Codes:
    return np.asarray(codes.argmax(axis=-1)[..., None], dtype=np.int64)


def _threshold(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, Threshold)
    fraction = max(source.fraction, operation.fraction)
    left = codes << (fraction - source.fraction)
    return (left >= operation.threshold << (fraction - operation.fraction)).astype(np.int64)


_EVALUATORS: Final[Mapping[type[Operation], Callable[[Node, Codes, FixedType], Codes]]] = {
    Quantize: _quantize,
    Relu: _relu,
    QuantizeEach: _quantize_each,
    Dense: _dense,
    EinsumDense: _einsum_dense,
    GlobalAverage: _global_average,
    Lookup: _lookup,
    Softmax: _softmax,
    ArgMax: _argmax,
    Threshold: _threshold,
}
