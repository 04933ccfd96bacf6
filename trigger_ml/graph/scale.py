"""A scale and a bias for each channel: what must hold of them, and what they compute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.graph.model import Node
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import MAX_WIDTH, Codes, FixedType

__all__ = ["evaluate_scale", "scale_problems"]


def scale_problems(node: Node, read: Node) -> Iterator[Blocker]:
    """What is wrong with a node whose operation is a scale."""
    operation = node.operation
    assert isinstance(operation, Scale)
    channels = node.shape[-1:]
    if read.shape != node.shape or {operation.scale.shape, operation.bias.shape} != {channels}:
        what = f"scale {operation.scale.shape} and bias {operation.bias.shape} do not fit"
        yield Blocker(node.name, f"{what} {read.shape} -> {node.shape}")
        return
    for what, codes, kind in (
        ("scale", operation.scale, operation.scale_type),
        ("bias", operation.bias, operation.bias_type),
    ):
        low, high = int(codes.min()), int(codes.max())
        if low < kind.min_code or high > kind.max_code:
            yield Blocker(node.name, f"{what} codes {low}..{high} do not fit {kind}")
    fraction = _fraction(operation, read.type)
    integer = max(read.type.integer + operation.scale_type.integer, operation.bias_type.integer)
    if fraction + integer + 1 > MAX_WIDTH:
        what = f"sums of {fraction + integer + 1} bits do not fit {MAX_WIDTH}"
        yield Blocker(node.name, what, "use narrower inputs")


def evaluate_scale(node: Node, codes: Codes, source: FixedType) -> Codes:
    """Codes of the node. codes: shape (events, *node.shape), of type ``source``."""
    operation = node.operation
    assert isinstance(operation, Scale)
    fraction = _fraction(operation, source)
    product = codes * operation.scale
    product <<= fraction - source.fraction - operation.scale_type.fraction
    bias = operation.bias << (fraction - operation.bias_type.fraction)
    return node.type.cast(np.asarray(product + bias), fraction)


def _fraction(operation: Scale, source: FixedType) -> int:
    """Fraction bits that hold product and bias as they are."""
    return max(source.fraction + operation.scale_type.fraction, operation.bias_type.fraction)
