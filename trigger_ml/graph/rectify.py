"""The family of ReLU: what must hold of such a node, and what it computes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.graph.model import Node
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.types import MAX_WIDTH, Codes, FixedType

__all__ = ["evaluate_rectify", "rectify_problems"]


def rectify_problems(node: Node, rectify: Rectify, read: Node) -> Iterator[Blocker]:
    """What is wrong with a node of this operation."""
    slope, kind = rectify.slope, rectify.slope_type
    if read.shape != node.shape or slope.shape != node.shape:
        what = f"slopes {slope.shape} do not fit {read.shape} -> {node.shape}"
        yield Blocker(node.name, what)
        return
    low, high = int(slope.min(initial=0)), int(slope.max(initial=0))
    if low < kind.min_code or high > kind.max_code:
        yield Blocker(node.name, f"slope codes {low}..{high} do not fit {kind}")
    if rectify.bound is not None and rectify.bound <= rectify.threshold:
        yield Blocker(node.name, "the bound is not above the threshold")
    ends = max(abs(rectify.threshold), abs(rectify.bound or 0)).bit_length()
    fraction = _fraction(rectify, read.type)
    widths = (
        read.type.width + kind.width + fraction - read.type.fraction - kind.fraction,
        read.type.width + fraction - read.type.fraction,
        ends + fraction - rectify.fraction,
    )
    if max(widths) > MAX_WIDTH:
        what = f"values of {max(widths)} bits do not fit {MAX_WIDTH}"
        yield Blocker(node.name, what, "use narrower inputs or slopes")


def evaluate_rectify(node: Node, codes: Codes, source: FixedType) -> Codes:
    """Codes of such a node. codes: shape (events, *shape), of type ``source``."""
    operation = node.operation
    assert isinstance(operation, Rectify)
    fraction = _fraction(operation, source)
    above = codes << (fraction - source.fraction)
    ends = fraction - operation.fraction
    below = (codes * operation.slope) << (
        fraction - source.fraction - operation.slope_type.fraction
    )
    high = above if operation.bound is None else np.minimum(above, operation.bound << ends)
    return node.type.cast(np.where(above > operation.threshold << ends, high, below), fraction)


def _fraction(operation: Rectify, source: FixedType) -> int:
    """Fraction bits that hold everything."""
    product = source.fraction + operation.slope_type.fraction
    return max(product, source.fraction, operation.fraction)
