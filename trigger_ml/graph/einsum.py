"""Einsum of two edges: what must hold of it, and what it computes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Final

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.model import Node
from trigger_ml.graph.types import MAX_WIDTH, Codes, FixedType, Overflow

__all__ = ["einsum_problems", "evaluate_einsum", "sizes_of"]

EXACT_DOUBLE: Final = 53
"""Bits of a sum that double precision holds, in whatever order it is taken."""


def sizes_of(
    einsum: Einsum, left: tuple[int, ...], right: tuple[int, ...]
) -> dict[str, int] | None:
    """Size of every axis; None where the two shapes do not fit the letters or each other."""
    if len(einsum.left) != len(left) or len(einsum.right) != len(right):
        return None
    sizes = dict(zip(einsum.left, left, strict=True))
    for letter, size in zip(einsum.right, right, strict=True):
        if sizes.setdefault(letter, size) != size:
            return None
    return sizes


def einsum_problems(node: Node, reads: list[Node]) -> Iterator[Blocker]:
    """What is wrong with a node whose operation is an einsum of two edges."""
    einsum = node.operation
    assert isinstance(einsum, Einsum)
    if len(reads) != 2:
        yield Blocker(node.name, f"einsum reads two edges, found {len(reads)}")
        return
    left, right = reads
    sizes = sizes_of(einsum, left.shape, right.shape)
    operands = (einsum.left, einsum.right, einsum.result)
    once = all(len(set(letters)) == len(letters) for letters in operands)
    alone = {*einsum.left} ^ {*einsum.right}
    known = alone <= {*einsum.result} <= {*einsum.left, *einsum.right}
    if sizes is None or not once or not known or _shape(einsum.result, sizes) != node.shape:
        what = f"{einsum.equation} of {left.shape} and {right.shape} is not {node.shape}"
        yield Blocker(node.name, what)
        return
    accumulator = einsum.accumulator
    if accumulator.overflow is not Overflow.WRAP:
        yield Blocker(
            node.name,
            f"the accumulator {accumulator} saturates, so its result depends on the order of sums",
            "use a wrapping accumulator wide enough for the sum",
        )
    terms = prod(sizes[letter] for letter in einsum.summed)
    width = left.type.width + right.type.width + terms.bit_length()
    width += max(accumulator.fraction - left.type.fraction - right.type.fraction, 0)
    if width > MAX_WIDTH:
        what = f"sums of {width} bits do not fit {MAX_WIDTH}"
        yield Blocker(node.name, what, "use narrower inputs")


def _shape(letters: str, sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(sizes[letter] for letter in letters)


def evaluate_einsum(node: Node, reads: list[tuple[Codes, FixedType]]) -> Codes:
    """Codes of an einsum. reads: codes, shape (events, *shape), and type of the two edges."""
    einsum = node.operation
    assert isinstance(einsum, Einsum)
    (left, left_type), (right, right_type) = reads
    accumulator, events = einsum.accumulator, len(left)
    sizes = sizes_of(einsum, left.shape[1:], right.shape[1:])
    assert sizes is not None
    places, summed = einsum.places, einsum.summed
    first = _ordered(left, einsum.left, (places, einsum.left_alone, summed), sizes)
    second = _ordered(right, einsum.right, (places, summed, einsum.right_alone), sizes)
    fraction = left_type.fraction + right_type.fraction
    bits = left_type.width + right_type.width + first.shape[-1].bit_length()
    if fraction <= accumulator.fraction:
        if bits <= EXACT_DOUBLE:
            sums = (first.astype(np.float64) @ second.astype(np.float64)).astype(np.int64)
        else:
            sums = first @ second
        total = sums << (accumulator.fraction - fraction)
    else:
        total = np.zeros((*first.shape[:-1], second.shape[-1]), dtype=np.int64)
        for k in range(first.shape[-1]):
            products = first[..., k, None] * second[..., k, None, :]
            total += accumulator.cast(products, fraction)
    made = node.type.cast(accumulator.cast(total, accumulator.fraction), accumulator.fraction)
    behind = places + einsum.left_alone + einsum.right_alone
    order = [1 + behind.index(letter) for letter in einsum.result]
    return made.reshape(events, *_shape(behind, sizes)).transpose(0, *order)


def _ordered(
    codes: Codes, letters: str, groups: tuple[str, str, str], sizes: dict[str, int]
) -> Codes:
    """Codes with their axes in the order of the groups, each of which becomes one axis."""
    order = [1 + letters.index(letter) for group in groups for letter in group]
    lengths = [prod(_shape(group, sizes)) for group in groups]
    return codes.transpose(0, *order).reshape(len(codes), *lengths)
