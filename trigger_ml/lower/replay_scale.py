"""A scale and a bias for each channel in alkaid's symbolic arithmetic."""

from __future__ import annotations

import numpy as np

from trigger_ml.graph.model import Node
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.arithmetic import Symbols, array, cast

__all__ = ["replay_scale"]


def replay_scale(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    """The result of a Scale, with the graph's rules."""
    operation = node.operation
    assert isinstance(operation, Scale)
    scales = np.broadcast_to(operation.scale_type.decode(operation.scale), node.shape).ravel()
    biases = np.broadcast_to(operation.bias_type.decode(operation.bias), node.shape).ravel()
    made = [
        element * float(scale) + float(bias)
        for element, scale, bias in zip(np.ravel(symbols), scales, biases, strict=True)
    ]
    return cast(array(made, symbols), node.type).reshape(node.shape)
