"""The graph's own witness: exact integer evaluation in NumPy.

It shares no code with hls4ml's C++ or alkaid. Sums of products go through floating-point BLAS
only where every partial sum is an exact integer there: below 2**24 in single and 2**53 in double
precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.einsum import evaluate_einsum
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.image_operations import IMAGE_OPERATIONS
from trigger_ml.graph.images import evaluate_image
from trigger_ml.graph.merge_operations import Merge, Reshape
from trigger_ml.graph.merges import evaluate_merge
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
from trigger_ml.graph.rectify import evaluate_rectify
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale import evaluate_scale
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.softmax import evaluate_softmax
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.graph.windows import as_image, largest, patches, repeated

__all__ = ["chunk_events", "evaluate", "trace_edges"]

CHUNK: Final = 8192
CHUNK_ELEMENTS: Final = 2**23
"""Elements of the largest array of a chunk, 64 MiB as codes."""
EXACT_SINGLE: Final = 2**24
EXACT_DOUBLE: Final = 2**53


def evaluate(
    graph: FixedGraph, codes: Codes, progress: Callable[[int, int], None] | None = None
) -> Codes:
    """Outputs for rows of inputs.

    codes: shape (events, input_size). progress: called with (done, all) events.
    Returns codes of shape (events, output_size).
    """
    out = np.empty((len(codes), graph.output_size), dtype=np.int64)
    chunk = chunk_events(graph)
    for start in range(0, len(codes), chunk):
        rows = slice(start, start + chunk)
        edges = trace_edges(graph, codes[rows])
        parts = [edges[name].reshape(len(codes[rows]), -1) for name in graph.outputs]
        out[rows] = np.concatenate(parts, axis=1)
        if progress is not None:
            progress(min(start + chunk, len(codes)), len(codes))
    return out


def chunk_events(graph: FixedGraph) -> int:
    """Events to evaluate at once, so that the windows of convolutions fit in memory."""
    largest_array = max(
        prod((*as_image(node.shape)[:2], *node.operation.weight.shape[:3]))
        if isinstance(node.operation, Conv2D)
        else node.size
        for node in graph.nodes
    )
    return max(min(CHUNK, CHUNK_ELEMENTS // max(largest_array, 1)), 1)


def trace_edges(graph: FixedGraph, codes: Codes) -> dict[str, Codes]:
    """Codes on every edge, each of shape (events, *node.shape).

    codes: shape (events, input_size); at most :func:`chunk_events` of them keep memory small.
    """
    inputs = graph.split_inputs(codes)
    edges: dict[str, Codes] = {}
    for node in graph.nodes:
        if isinstance(node.operation, Input):
            edges[node.name] = inputs[node.name]
            continue
        reads = [(edges[name], graph.by_name[name].type) for name in node.inputs]
        if isinstance(node.operation, Concatenate):
            edges[node.name] = _concatenate(node, reads)
        elif isinstance(node.operation, Multiply):
            edges[node.name] = _multiply(node, reads)
        elif isinstance(node.operation, Merge):
            edges[node.name] = evaluate_merge(node, reads)
        elif isinstance(node.operation, Einsum):
            edges[node.name] = evaluate_einsum(node, reads)
        else:
            edges[node.name] = _EVALUATORS[type(node.operation)](node, *reads[0])
    return edges


def _quantize(node: Node, codes: Codes, source: FixedType) -> Codes:
    return node.type.cast(codes, source.fraction)


def _relu(node: Node, codes: Codes, source: FixedType) -> Codes:
    return node.type.cast(np.maximum(codes, 0), source.fraction)


def _reshape(node: Node, codes: Codes, source: FixedType) -> Codes:
    return node.type.cast(codes.reshape(len(codes), *node.shape), source.fraction)


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


def _conv2d(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, Conv2D)
    height, width, _, filters = operation.weight.shape
    # Codes that fit are copied into windows as single precision, at half the size.
    images = codes.astype(np.float32) if source.width <= EXACT_SINGLE.bit_length() - 1 else codes
    images = images.reshape(len(codes), *as_image(codes.shape[1:]))
    rows = patches(images, (height, width), operation.strides, operation.padding)
    weight = operation.weight.reshape(-1, filters)
    made = _affine(node, operation, rows, source, weight, operation.bias)
    return made.reshape(len(codes), *node.shape)


def _max_pool2d(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, MaxPool2D)
    images = codes.reshape(len(codes), *as_image(codes.shape[1:]))
    made = largest(images, operation.size).reshape(len(codes), *node.shape)
    return node.type.cast(made, source.fraction)


def _up_sample2d(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, UpSample2D)
    images = codes.reshape(len(codes), *as_image(codes.shape[1:]))
    made = repeated(images, operation.size).reshape(len(codes), *node.shape)
    return node.type.cast(made, source.fraction)


def _concatenate(node: Node, reads: list[tuple[Codes, FixedType]]) -> Codes:
    parts = [node.type.cast(codes, source.fraction) for codes, source in reads]
    return np.concatenate(parts, axis=-1)


def _multiply(node: Node, reads: list[tuple[Codes, FixedType]]) -> Codes:
    (left, left_type), (right, right_type) = reads
    return node.type.cast(left * right, left_type.fraction + right_type.fraction)


def _transpose(node: Node, codes: Codes, source: FixedType) -> Codes:
    operation = node.operation
    assert isinstance(operation, Transpose)
    moved = codes.transpose(0, *(axis + 1 for axis in operation.axes))
    return node.type.cast(moved, source.fraction)


def _affine(
    node: Node,
    operation: Dense | EinsumDense | Conv2D,
    codes: NDArray[Any],
    source: FixedType,
    weight: Codes,
    bias: Codes,
) -> Codes:
    """codes @ weight + bias in the operation's accumulator, then in the node's type.

    codes: integers, of any numeric type that holds them.
    """
    accumulator = operation.accumulator
    fraction = source.fraction + operation.weight_type.fraction
    offset = accumulator.cast(bias, operation.bias_type.fraction)
    if fraction <= accumulator.fraction:
        total = _matmul(codes, weight, source) << (accumulator.fraction - fraction)
    else:
        total = np.zeros((*codes.shape[:-1], weight.shape[1]), dtype=np.int64)
        for k in range(weight.shape[0]):
            product = codes[..., k, None].astype(np.int64) * weight[k]
            total += accumulator.cast(product, fraction)
    summed = accumulator.cast(total + offset, accumulator.fraction)
    return node.type.cast(summed, accumulator.fraction)


def _matmul(codes: NDArray[Any], weight: Codes, source: FixedType) -> Codes:
    column = int(np.abs(weight).sum(axis=0).max(initial=0))
    largest_sum = max(-source.min_code, source.max_code) * column
    if largest_sum >= EXACT_DOUBLE:
        largest_sum = int(np.abs(codes).max(initial=0)) * column
    if largest_sum >= EXACT_DOUBLE:
        return codes.astype(np.int64) @ weight
    kind = np.float32 if largest_sum < EXACT_SINGLE else np.float64
    sums: NDArray[Any] = codes.astype(kind, copy=False) @ weight.astype(kind)
    return sums.astype(np.int64)


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
    Conv2D: _conv2d,
    MaxPool2D: _max_pool2d,
    UpSample2D: _up_sample2d,
    Transpose: _transpose,
    Reshape: _reshape,
    Rectify: evaluate_rectify,
    **dict.fromkeys(IMAGE_OPERATIONS, evaluate_image),
    GlobalAverage: _global_average,
    Scale: evaluate_scale,
    Lookup: _lookup,
    Softmax: evaluate_softmax,
    ArgMax: _argmax,
    Threshold: _threshold,
}
