"""Softmax by two tables, and tables at all, in alkaid's symbolic arithmetic."""

from __future__ import annotations

from functools import reduce

import numpy as np
from alkaid.trace.fixed_variable import LookupTable

from trigger_ml.graph.model import Node
from trigger_ml.graph.softmax_operation import Softmax
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.lower.arithmetic import Symbols, array, cast

__all__ = ["look_up", "replay_softmax"]


def look_up(symbols: Symbols, table: Codes, out: FixedType, source: FixedType) -> Symbols:
    """One entry, codes of ``out``, for every code of ``source``, the smallest first."""
    entries = LookupTable(out.decode(table))
    interval = (source.min_code * source.step, source.max_code * source.step, source.step)
    flat = [element.lookup(entries, original_qint=interval) for element in np.ravel(symbols)]
    return array(flat, symbols).reshape(symbols.shape)


def replay_softmax(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    """The result of a Softmax, with the graph's rules."""
    operation = node.operation
    assert isinstance(operation, Softmax)
    outer, _, inner = operation.slices(node.shape)
    elements = np.ravel(symbols).reshape(outer, -1, inner)
    made = np.empty(elements.shape, dtype=object)
    for row in range(outer):
        for column in range(inner):
            one = array(list(elements[row, :, column]), symbols)
            made[row, :, column] = list(_one(operation, node.type, one))
    return array(list(made.ravel()), symbols).reshape(node.shape)


def _one(operation: Softmax, out: FixedType, symbols: Symbols) -> Symbols:
    """The softmax of one slice."""
    if operation.stable:
        largest = reduce(lambda left, right: left.max_of(right), list(symbols))
        symbols = array([largest - element for element in symbols], symbols)
    key = cast(symbols, operation.difference_type)
    exponential = look_up(key, operation.exp_table, operation.exp_type, operation.difference_type)
    total = cast(array([np.sum(exponential)], symbols), operation.sum_type)
    inverse_input = operation.inverse_input_type
    address_bits = len(operation.inverse_table).bit_length() - 1
    address_type = FixedType(address_bits, inverse_input.integer, inverse_input.signed)
    address = cast(cast(total, inverse_input), address_type)
    order = operation.inverse_table
    if inverse_input.signed:
        order = np.roll(order, len(order) // 2)
    inverse = look_up(address, order, operation.inverse_type, address_type)[0]
    return cast(array([element * inverse for element in exponential], symbols), out)
