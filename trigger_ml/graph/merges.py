"""Operations on two edges of one shape: what must hold of them, and what they compute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.graph.merge_operations import Add, Average, Dot, Maximum, Merge, Minimum, Subtract
from trigger_ml.graph.model import Node
from trigger_ml.graph.types import MAX_WIDTH, Codes, FixedType, Overflow

__all__ = ["evaluate_merge", "merge_problems", "reshape_problems"]


def merge_problems(node: Node, reads: list[Node]) -> Iterator[Blocker]:
    """What is wrong with a node whose operation is a merge."""
    kind = node.operation.kind
    if len(reads) != 2:
        yield Blocker(node.name, f"{kind} reads two edges, found {len(reads)}")
        return
    left, right = reads
    if isinstance(node.operation, Dot):
        yield from _dot_problems(node, node.operation, left, right)
        return
    if left.shape != node.shape or right.shape != node.shape:
        what = f"{kind} of {left.shape} and {right.shape}, element by element, is not {node.shape}"
        yield Blocker(node.name, what)
    types = (left.type, right.type)
    width = max(t.integer for t in types) + max(t.fraction for t in types) + 1
    # Of mixed signs, one bit more holds the unsigned range; an average has one below.
    if width + 2 > MAX_WIDTH:
        what = f"results of {width + 2} bits do not fit {MAX_WIDTH}"
        yield Blocker(node.name, what, "use narrower inputs")


def _dot_problems(node: Node, dot: Dot, left: Node, right: Node) -> Iterator[Blocker]:
    if len(left.shape) != 1 or left.shape != right.shape or node.shape != (1,):
        yield Blocker(node.name, f"dot of {left.shape} and {right.shape} is not {node.shape}")
        return
    if dot.accumulator.overflow is not Overflow.WRAP:
        yield Blocker(
            node.name,
            f"the accumulator {dot.accumulator} saturates, so its result depends on the order of "
            "sums",
            "use a wrapping accumulator wide enough for the sum",
        )
    product = left.type.width + right.type.width + left.size.bit_length()
    spread = max(dot.accumulator.fraction - left.type.fraction - right.type.fraction, 0)
    if product + spread > MAX_WIDTH:
        what = f"sums of {product + spread} bits do not fit {MAX_WIDTH}"
        yield Blocker(node.name, what, "use narrower inputs")


def reshape_problems(node: Node, read: Node) -> Iterator[Blocker]:
    """What is wrong with a node that puts the same elements into another shape."""
    if read.size != node.size:
        what = f"the {read.size} elements of {read.shape} are not those of {node.shape}"
        yield Blocker(node.name, what)


def evaluate_merge(node: Node, reads: list[tuple[Codes, FixedType]]) -> Codes:
    """Codes of a merge. reads: codes, shape (events, *shape), and type of the two edges."""
    operation = node.operation
    assert isinstance(operation, Merge)
    (left, left_type), (right, right_type) = reads
    if isinstance(operation, Dot):
        accumulator = operation.accumulator
        products = accumulator.cast(left * right, left_type.fraction + right_type.fraction)
        total = accumulator.cast(products.sum(axis=-1, keepdims=True), accumulator.fraction)
        return node.type.cast(total, accumulator.fraction)
    fraction = max(left_type.fraction, right_type.fraction)
    left = left << (fraction - left_type.fraction)
    right = right << (fraction - right_type.fraction)
    match operation:
        case Add():
            result = left + right
        case Subtract():
            result = left - right
        case Average():
            result, fraction = left + right, fraction + 1
        case Maximum():
            result = np.maximum(left, right)
        case Minimum():
            result = np.minimum(left, right)
        case _:
            raise AssertionError(f"no meaning of {operation.kind}")
    return node.type.cast(result, fraction)
