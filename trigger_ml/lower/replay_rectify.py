"""The family of ReLU in alkaid's symbolic arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from alkaid.trace.fixed_variable import FVariable

from trigger_ml.graph.model import Node
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.arithmetic import HARDWARE, Symbols, array, cast, if_negative

__all__ = ["replay_rectify"]


def replay_rectify(node: Node, symbols: Symbols, source: FixedType) -> Symbols:
    """Straight lines on both sides of a threshold, with the graph's rules."""
    operation = node.operation
    assert isinstance(operation, Rectify)
    slopes = np.ravel(operation.slope_type.decode(operation.slope))
    cut = _least_above(operation, source)
    bound = None
    if operation.bound is not None:
        value = operation.bound * 2.0**-operation.fraction
        bound = FVariable.from_const(value, HARDWARE)
    chosen = [
        _chosen(element, float(slope), cut, bound)
        for element, slope in zip(np.ravel(symbols), slopes, strict=True)
    ]
    return cast(array(chosen, symbols), node.type).reshape(node.shape)


def _chosen(element: Any, slope: float, cut: float, bound: Any) -> Any:
    high = element if bound is None else element.min_of(bound)
    low = element * slope if slope else FVariable.from_const(0.0, HARDWARE)
    return if_negative(element - cut if cut else element, low, high)


def _least_above(operation: Rectify, source: FixedType) -> float:
    """The least value of the input's type above the threshold; 0 where that is the same, since
    at 0 both lines meet: then the sign bit alone decides."""
    if operation.threshold == 0:
        return 0.0
    shift = source.fraction - operation.fraction
    code = operation.threshold << shift if shift >= 0 else operation.threshold >> -shift
    return float((code + 1) * 2.0**-source.fraction)
