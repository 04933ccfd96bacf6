"""Operations on two edges of one shape in alkaid's symbolic arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from trigger_ml.graph.merge_operations import Add, Average, Dot, Maximum, Merge, Minimum, Subtract
from trigger_ml.graph.model import Node
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.arithmetic import Symbols, array, cast

__all__ = ["replay_merge", "replay_reshape"]


def replay_merge(node: Node, left: Symbols, right: Symbols) -> Symbols:
    """The result of a merge, with the graph's rules."""
    operation = node.operation
    assert isinstance(operation, Merge)
    pairs = list(zip(np.ravel(left), np.ravel(right), strict=True))
    if isinstance(operation, Dot):
        products = cast(array([a * b for a, b in pairs], left), operation.accumulator)
        total = array([np.sum(products)], left)
        return cast(cast(total, operation.accumulator), node.type)
    joined = array([_joined(operation, a, b) for a, b in pairs], left)
    return cast(joined, node.type).reshape(node.shape)


def _joined(operation: Merge, left: Any, right: Any) -> Any:
    match operation:
        case Add():
            return left + right
        case Subtract():
            return left - right
        case Average():
            return (left + right) * 0.5
        case Maximum():
            return left.max_of(right)
        case Minimum():
            return left.min_of(right)
        case _:
            raise AssertionError(f"no logic of {operation.kind}")


def replay_reshape(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    """The same elements in the node's shape."""
    return cast(symbols.reshape(-1), node.type).reshape(node.shape)
