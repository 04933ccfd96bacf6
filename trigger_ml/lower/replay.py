"""Replay of a FixedGraph in alkaid's symbolic arithmetic, one function for each operation.

alkaid turns what is done to its symbolic arrays into shift-and-add logic (constant matrix
products by its CMVM solver), which it then pipelines and prints as RTL. The rules here are the
graph's, so the RTL computes the graph's integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, Final

import numpy as np
from alkaid.trace import FVArray, HWConfig
from alkaid.trace.fixed_variable import FVariable, LookupTable

from trigger_ml.errors import Blocker, ModelError
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
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding

__all__ = ["HARDWARE", "Symbols", "replay"]

Symbols = Any
"""An alkaid FVArray (its module has no type information)."""

HARDWARE: Final = HWConfig(1, 1, -1)
"""alkaid's adder_size and carry_size of one bit, as its own command uses; no cut in tracing."""

_ROUNDINGS: Final = (Rounding.TRN, Rounding.RND, Rounding.RND_CONV)
_OVERFLOWS: Final = (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)


def replay(graph: FixedGraph, delay_constraint: int) -> dict[str, Symbols]:
    """Symbolic arrays on every edge, by node name; inputs in their declared types.

    delay_constraint: adder depth that a matrix product may take beyond the least possible.
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
            edges[node.name] = _symbols(node, delay_constraint)
            continue
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


def _symbols(node: Node, delay_constraint: int) -> Symbols:
    kif = _kif(node.type)
    parts = [np.full(node.shape, value, dtype=np.int8) for value in kif]
    return FVArray.from_kif(*parts, HARDWARE, 0.0, {"hard_dc": delay_constraint})


def _kif(kind: FixedType) -> tuple[int, int, int]:
    """Sign bit, integer bits without it, fraction bits: alkaid's way to name a type."""
    return int(kind.signed), kind.integer - int(kind.signed), kind.fraction


def _cast(symbols: Symbols, kind: FixedType) -> Symbols:
    """Assignment to a type, element by element: round, then handle overflow.

    Constants and ties to even are done here, because alkaid 0.8.2 gets some of them wrong:
    constants in unsigned wrapping types, and RND_CONV where few bits are left.
    """
    cast = [_cast_element(element, kind) for element in np.ravel(symbols)]
    return _array(cast, symbols).reshape(symbols.shape)


def _cast_element(element: Any, kind: FixedType) -> Any:
    if element.low == element.high:
        value = kind.decode(kind.encode(np.array([float(element.low)])))[0]
        return FVariable.from_const(float(value), HARDWARE)
    rounded = _round(element, kind)
    if rounded.low == rounded.high:
        return _cast_element(rounded, kind)
    return rounded.quantize(*_kif(kind), kind.overflow.value, "TRN")


def _round(element: Any, kind: FixedType) -> Any:
    """Drop the bits below the type's last one; no bit above is touched."""
    fraction = kind.fraction
    if element.kif[2] <= fraction or kind.rounding is Rounding.TRN:
        return element
    above = element + 2.0 ** (-fraction - 1)
    signed, integer, below = (int(part) for part in above.kif)
    up = _bits(above, signed, integer, fraction)
    if kind.rounding is Rounding.RND:
        return up
    # A tie has nothing left below after adding one half: then the last bit becomes 0, which is
    # the even neighbour.
    rest = _bits(above, 0, -fraction, below)
    no_tie = rest.unary_bit_op("any") * 2.0**-fraction
    last = _bits(up, 0, 1 - fraction, fraction)
    upper = _bits(up, signed, max(integer, 1 - fraction), fraction - 1)
    return upper + (no_tie & last)


def _bits(element: Any, signed: int, integer: int, fraction: int) -> Any:
    """The bits of an element from 2**-fraction to the top of the given format."""
    if element.low != element.high:
        return element._wrap(signed, integer, fraction)
    span = 2.0**integer
    low = -span * signed
    value = math.floor(float(element.low) * 2.0**fraction) * 2.0**-fraction
    wrapped = (value - low) % (span * (1 + signed)) + low
    return FVariable.from_const(wrapped, HARDWARE)


def _quantize(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    return _cast(symbols, node.type)


def _relu(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    return _cast(np.maximum(symbols, 0), node.type)


def _quantize_each(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, QuantizeEach)
    zero = FVariable.from_const(0.0, HARDWARE)
    kinds = [operation.type_at(element) for element in range(node.size)]
    own = [
        zero if kind is None else _cast_element(element, kind)
        for element, kind in zip(np.ravel(symbols), kinds, strict=True)
    ]
    return _cast(_array(own, symbols).reshape(symbols.shape), node.type)


def _dense(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Dense)
    return _affine(node, operation, symbols, source, operation.weight, operation.bias)


def _einsum_dense(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, EinsumDense)
    blocks, contracted, _ = operation.weight.shape
    ordered = symbols.transpose(operation.input_axes).reshape(blocks, -1, contracted)
    results = [
        _affine(node, operation, ordered[block], source, weight, bias)
        for block, (weight, bias) in enumerate(zip(operation.weight, operation.bias, strict=True))
    ]
    flat = [element for result in results for element in np.ravel(result)]
    unfolded = _array(flat, symbols).reshape(operation.unfolded_shape)
    return unfolded.transpose(operation.output_axes)


def _affine(
    node: Node,
    operation: Dense | EinsumDense,
    symbols: Symbols,
    source: FixedType,
    weight_codes: Codes,
    bias_codes: Codes,
) -> Symbols:
    """symbols @ weight + bias in the operation's accumulator, then in the node's type."""
    accumulator = operation.accumulator
    weight = operation.weight_type.decode(weight_codes)
    bias = accumulator.decode(accumulator.cast(bias_codes, operation.bias_type.fraction))
    if source.fraction + operation.weight_type.fraction <= accumulator.fraction:
        total = _without_sign_tables(symbols) @ weight + bias
    else:
        products = _cast(symbols[..., :, None] * weight, accumulator)
        total = np.sum(products, axis=-2) + bias
    return _cast(_cast(total, accumulator), node.type)


def _without_sign_tables(symbols: Symbols) -> Symbols:
    """The same elements, multiplied without tables of bits where one is a lone sign bit.

    alkaid 0.8.2 takes every one-bit element of a product for 0 or one step and addresses a table
    with six of them; a sign bit is 0 or minus one step, and its tracer stops there.
    """
    lone = any(element.low < 0 and sum(element.kif) == 1 for element in np.ravel(symbols))
    if not lone:
        return symbols
    return FVArray(np.asarray(symbols), {**symbols.solver_options, "binary_lut": False})


def _global_average(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, GlobalAverage)
    total = _cast(np.sum(symbols, axis=0), operation.accumulator)
    return _cast(_cast(total * (1.0 / symbols.shape[0]), operation.accumulator), node.type)


def _look_up(symbols: Symbols, table: Codes, out: FixedType, source: FixedType) -> Symbols:
    """Element-wise table: one entry for each code of ``source``."""
    entries = LookupTable(out.decode(table))
    interval = (source.min_code * source.step, source.max_code * source.step, source.step)
    flat = [element.lookup(entries, original_qint=interval) for element in np.ravel(symbols)]
    return _array(flat, symbols).reshape(symbols.shape)


def _array(elements: list[Any], like: Symbols) -> Symbols:
    packed = np.empty(len(elements), dtype=object)
    packed[:] = elements
    return FVArray(packed, like.solver_options)


def _lookup(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Lookup)
    return _look_up(symbols, operation.table, node.type, source)


def _softmax(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Softmax)
    if symbols.ndim != 1:
        raise ModelError(
            Blocker(node.name, f"softmax over one axis of {node.shape}", "flatten it to a vector")
        )
    largest = reduce(lambda left, right: left.max_of(right), list(symbols))
    distance = _array([largest - element for element in symbols], symbols)
    key = _cast(distance, operation.difference_type)
    exponential = _look_up(key, operation.exp_table, operation.exp_type, operation.difference_type)
    total = _cast(_array([np.sum(exponential)], symbols), operation.sum_type)
    inverse_input = operation.inverse_input_type
    address_bits = len(operation.inverse_table).bit_length() - 1
    address_type = FixedType(address_bits, inverse_input.integer, inverse_input.signed)
    address = _cast(_cast(total, inverse_input), address_type)
    order = operation.inverse_table
    if inverse_input.signed:
        order = np.roll(order, len(order) // 2)
    inverse = _look_up(address, order, operation.inverse_type, address_type)[0]
    return _cast(_array([element * inverse for element in exponential], symbols), node.type)


def _argmax(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    pairs = [
        (element, FVariable.from_const(float(index), HARDWARE))
        for index, element in enumerate(symbols)
    ]
    while len(pairs) > 1:
        merged = [_larger(*pair) for pair in zip(pairs[::2], pairs[1::2], strict=False)]
        pairs = merged + ([pairs[-1]] if len(pairs) % 2 else [])
    return _cast(_array([pairs[0][1]], symbols), node.type)


def _larger(left: tuple[Any, Any], right: tuple[Any, Any]) -> tuple[Any, Any]:
    """The larger of two values with its index; the left one wins a tie."""
    index = _if_negative(left[0] - right[0], right[1], left[1])
    return left[0].max_of(right[0]), index


def _if_negative(key: Any, then: Any, otherwise: Any) -> Any:
    """``then`` where key < 0. alkaid's own choice looks at the top bit, sign or not."""
    if key.low >= 0:
        return otherwise
    if key.high < 0:
        return then
    return key.msb_mux(then, otherwise)


def _threshold(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    operation = node.operation
    assert isinstance(operation, Threshold)
    fraction = max(source.fraction, 0)
    drop = operation.fraction - fraction
    smallest = -(-operation.threshold >> drop) if drop > 0 else operation.threshold << -drop
    cut = smallest * 2.0**-fraction
    one, zero = (FVariable.from_const(value, HARDWARE) for value in (1.0, 0.0))
    flat = [_if_negative(element - cut, zero, one) for element in np.ravel(symbols)]
    return _array(flat, symbols).reshape(symbols.shape)


_RULES: Final[Mapping[type[Operation], Callable[[Node, Symbols, FixedType], Symbols]]] = {
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
