"""Softmax by two tables: what must hold of it, and what it computes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.graph.model import Node
from trigger_ml.graph.softmax_operation import Softmax
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["evaluate_softmax", "softmax_problems"]


def softmax_problems(node: Node, read: Node) -> Iterator[Blocker]:
    """What is wrong with a node whose operation is a softmax."""
    operation = node.operation
    assert isinstance(operation, Softmax)
    if read.shape != node.shape:
        yield Blocker(node.name, f"makes {node.shape} of {read.shape}, not the same shape")
    parts = operation.outer * operation.inner
    if min(operation.outer, operation.inner) < 1 or node.size % max(parts, 1):
        what = f"{node.shape} is not {operation.outer} x slices x {operation.inner}"
        yield Blocker(node.name, what)
    entries, found = 1 << operation.difference_type.width, len(operation.exp_table)
    if found != entries:
        yield Blocker(node.name, f"the exponential table needs {entries} entries, found {found}")
    size = len(operation.inverse_table)
    if size & (size - 1) or not 0 < size <= 1 << operation.inverse_input_type.width:
        yield Blocker(node.name, f"the inverse table has {size} entries, not a power of two")
    for what, table, kind in (
        ("exponential", operation.exp_table, operation.exp_type),
        ("inverse", operation.inverse_table, operation.inverse_type),
    ):
        low, high = int(table.min(initial=0)), int(table.max(initial=0))
        if low < kind.min_code or high > kind.max_code:
            yield Blocker(node.name, f"{what} table codes {low}..{high} do not fit {kind}")


def evaluate_softmax(node: Node, codes: Codes, source: FixedType) -> Codes:
    """Codes of the node. codes: shape (events, *node.shape), of type ``source``."""
    operation = node.operation
    assert isinstance(operation, Softmax)
    parts = codes.reshape(len(codes), *operation.slices(node.shape))
    if operation.stable:
        parts = parts.max(axis=2, keepdims=True) - parts
    key = operation.difference_type.cast(parts, source.fraction)
    exponential = operation.exp_table[key - operation.difference_type.min_code]
    total = exponential.sum(axis=2, keepdims=True)
    total = operation.sum_type.cast(total, operation.exp_type.fraction)
    kind = operation.inverse_input_type
    inverse_key = kind.cast(total, operation.sum_type.fraction) & ((1 << kind.width) - 1)
    address_bits = len(operation.inverse_table).bit_length() - 1
    inverse = operation.inverse_table[inverse_key >> (kind.width - address_bits)]
    fraction = operation.exp_type.fraction + operation.inverse_type.fraction
    made = node.type.cast(np.asarray(exponential * inverse), fraction)
    return made.reshape(len(codes), *node.shape)
