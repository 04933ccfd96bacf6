"""Replay of a FixedGraph in alkaid's symbolic arithmetic, one function for each operation.

alkaid turns what is done to its symbolic arrays into shift-and-add logic (constant matrix
products by its CMVM solver), which it then pipelines and prints as RTL. The rules here are the
graph's, so the RTL computes the graph's integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, Final

import numpy as np
from alkaid.trace import FVArray
from alkaid.trace.fixed_variable import FVariable

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.image_operations import IMAGE_OPERATIONS
from trigger_ml.graph.merge_operations import Merge, Reshape
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
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.graph.windows import as_image
from trigger_ml.lower.arithmetic import (
    HARDWARE,
    Symbols,
    affine,
    array,
    cast,
    cast_element,
    if_negative,
    kif,
)
from trigger_ml.lower.replay_einsum import replay_einsum
from trigger_ml.lower.replay_images import image_of, replay_image, with_zeros
from trigger_ml.lower.replay_merges import replay_merge, replay_reshape
from trigger_ml.lower.replay_rectify import replay_rectify
from trigger_ml.lower.replay_scale import replay_scale
from trigger_ml.lower.replay_softmax import look_up, replay_softmax

__all__ = ["replay"]

_ROUNDINGS: Final = (Rounding.TRN, Rounding.RND, Rounding.RND_CONV)
_OVERFLOWS: Final = (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)


def replay(graph: FixedGraph, adder_depth: int) -> dict[str, Symbols]:
    """Symbolic arrays on every edge, by node name; inputs in their declared types.

    adder_depth: levels of adders that a matrix product may take beyond the least possible.
    Raises ModelError listing every node that alkaid cannot express.
    """
    edges: dict[str, Symbols] = {}
    blockers: list[Blocker] = []
    for node in graph.nodes:
        blockers.extend(_mode_problems(node))
    if blockers:
        raise ModelError(blockers)
    for node in graph.nodes:
        if isinstance(node.operation, Input):
            edges[node.name] = _symbols(node, adder_depth)
        elif isinstance(node.operation, Concatenate):
            edges[node.name] = _concatenate(node, [edges[name] for name in node.inputs])
        elif isinstance(node.operation, Multiply):
            edges[node.name] = _multiply(node, *(edges[name] for name in node.inputs))
        elif isinstance(node.operation, Merge):
            edges[node.name] = replay_merge(node, *(edges[name] for name in node.inputs))
        elif isinstance(node.operation, Einsum):
            edges[node.name] = replay_einsum(node, *(edges[name] for name in node.inputs))
        else:
            source = graph.by_name[node.inputs[0]]
            edges[node.name] = _RULES[type(node.operation)](node, edges[source.name], source.type)
    return edges


def _mode_problems(node: Node) -> list[Blocker]:
    if isinstance(node.operation, Input):
        return []
    kinds = [node.type]
    if isinstance(node.operation, QuantizeEach):
        kinds.append(
            replace(node.type, rounding=node.operation.rounding, overflow=node.operation.overflow)
        )
    return [problem for kind in kinds for problem in _type_problems(node.name, kind)]


def _type_problems(name: str, kind: FixedType) -> list[Blocker]:
    found = []
    if kind.rounding not in _ROUNDINGS:
        found.append(Blocker(name, f"rounding {kind.rounding.value} has no RTL", "use RND or TRN"))
    if kind.overflow not in _OVERFLOWS:
        found.append(Blocker(name, f"overflow {kind.overflow.value} has no RTL", "use SAT or WRAP"))
    return found


def _symbols(node: Node, adder_depth: int) -> Symbols:
    parts = [np.full(node.shape, value, dtype=np.int8) for value in kif(node.type)]
    return FVArray.from_kif(*parts, HARDWARE, 0.0, {"hard_dc": adder_depth})


def _quantize(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    return cast(symbols, node.type)


def _relu(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    return cast(np.maximum(symbols, 0), node.type)


def _quantize_each(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, QuantizeEach)
    zero = FVariable.from_const(0.0, HARDWARE)
    kinds = [operation.type_at(element) for element in range(node.size)]
    own = [
        zero if kind is None else cast_element(element, kind)
        for element, kind in zip(np.ravel(symbols), kinds, strict=True)
    ]
    return cast(array(own, symbols).reshape(symbols.shape), node.type)


def _dense(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Dense)
    return affine(node, operation, symbols, source, operation.weight, operation.bias)


def _einsum_dense(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, EinsumDense)
    blocks, contracted, _ = operation.weight.shape
    ordered = symbols.transpose(operation.input_axes).reshape(blocks, -1, contracted)
    results = [
        affine(node, operation, ordered[block], source, weight, bias)
        for block, (weight, bias) in enumerate(zip(operation.weight, operation.bias, strict=True))
    ]
    flat = [element for result in results for element in np.ravel(result)]
    unfolded = array(flat, symbols).reshape(operation.unfolded_shape)
    return unfolded.transpose(operation.output_axes)


def _conv2d(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Conv2D)
    rows, columns, _, channels = operation.weight.shape
    padded = with_zeros(image_of(symbols), operation.padding)
    weight = operation.weight.reshape(-1, channels)
    flat: list[Any] = []
    for i, j in np.ndindex(as_image(node.shape)[:2]):
        row, column = i * operation.strides[0], j * operation.strides[1]
        window = padded[row : row + rows, column : column + columns].reshape(-1)
        result = affine(node, operation, window, source, weight, operation.bias)
        flat.extend(np.ravel(result))
    return array(flat, symbols).reshape(node.shape)


def _max_pool2d(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, MaxPool2D)
    rows, columns = operation.size
    image = image_of(symbols)
    largest = []
    for i, j, channel in np.ndindex(as_image(node.shape)):
        window = image[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns, channel]
        largest.append(reduce(lambda left, right: left.max_of(right), list(np.ravel(window))))
    return cast(array(largest, symbols).reshape(node.shape), node.type)


def _up_sample2d(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, UpSample2D)
    rows, columns = operation.size
    repeated = np.asarray(image_of(symbols)).repeat(rows, axis=0).repeat(columns, axis=1)
    return cast(FVArray(repeated, symbols.solver_options), node.type).reshape(node.shape)


def _concatenate(node: Node, parts: list[Symbols]) -> Symbols:
    casts = [np.asarray(cast(part, node.type)) for part in parts]
    return FVArray(np.concatenate(casts, axis=-1), parts[0].solver_options)


def _multiply(node: Node, left: Symbols, right: Symbols) -> Symbols:
    pairs = zip(np.ravel(left), np.ravel(right), strict=True)
    products = [first * second for first, second in pairs]
    return cast(array(products, left), node.type).reshape(node.shape)


def _transpose(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Transpose)
    return cast(symbols.transpose(operation.axes), node.type)


def _global_average(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, GlobalAverage)
    total = cast(np.sum(symbols, axis=0), operation.accumulator)
    return cast(cast(total * (1.0 / symbols.shape[0]), operation.accumulator), node.type)


def _lookup(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Lookup)
    return look_up(symbols, operation.table, node.type, source)


def _argmax(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    pairs = [
        (element, FVariable.from_const(float(index), HARDWARE))
        for index, element in enumerate(symbols)
    ]
    while len(pairs) > 1:
        merged = [_larger(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=False)]
        pairs = merged + ([pairs[-1]] if len(pairs) % 2 else [])
    return cast(array([pairs[0][1]], symbols), node.type)


def _larger(left: tuple[Any, Any], right: tuple[Any, Any]) -> tuple[Any, Any]:
    """The larger of two values with its index; the left one wins a tie."""
    index = if_negative(left[0] - right[0], right[1], left[1])
    return left[0].max_of(right[0]), index


def _threshold(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Threshold)
    fraction = max(source.fraction, 0)
    drop = operation.fraction - fraction
    smallest = -(-operation.threshold >> drop) if drop > 0 else operation.threshold << -drop
    cut = smallest * 2.0**-fraction
    one, zero = (FVariable.from_const(value, HARDWARE) for value in (1.0, 0.0))
    flat = [if_negative(element - cut, zero, one) for element in np.ravel(symbols)]
    return array(flat, symbols).reshape(symbols.shape)


_RULES: Final[Mapping[type[Operation], Callable[[Node, Symbols, FixedType], Symbols]]] = {
    Quantize: _quantize,
    Relu: _relu,
    QuantizeEach: _quantize_each,
    Dense: _dense,
    Conv2D: _conv2d,
    MaxPool2D: _max_pool2d,
    UpSample2D: _up_sample2d,
    Transpose: _transpose,
    Reshape: replay_reshape,
    Rectify: replay_rectify,
    **dict.fromkeys(IMAGE_OPERATIONS, replay_image),
    EinsumDense: _einsum_dense,
    GlobalAverage: _global_average,
    Scale: replay_scale,
    Lookup: _lookup,
    Softmax: replay_softmax,
    ArgMax: _argmax,
    Threshold: _threshold,
}
