"""Einsum of two edges in alkaid's symbolic arithmetic."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trigger_ml.graph.einsum import sizes_of
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.model import Node
from trigger_ml.lower.arithmetic import Symbols, array, cast

__all__ = ["replay_einsum"]


def replay_einsum(node: Node, left: Symbols, right: Symbols) -> Symbols:
    """The result of an einsum, with the graph's rules."""
    einsum = node.operation
    assert isinstance(einsum, Einsum)
    sizes = sizes_of(einsum, left.shape, right.shape)
    assert sizes is not None
    first, second = np.asarray(left), np.asarray(right)
    summed = einsum.summed
    totals = []
    for place in _places(einsum.result, sizes):
        products = []
        for term in _places(summed, sizes):
            at = {**place, **term}
            one = first[tuple(at[letter] for letter in einsum.left)]
            products.append(one * second[tuple(at[letter] for letter in einsum.right)])
        totals.append(np.sum(cast(array(products, left), einsum.accumulator)))
    made = cast(cast(array(totals, left), einsum.accumulator), node.type)
    return made.reshape(node.shape)


def _places(letters: str, sizes: dict[str, int]) -> Iterator[dict[str, int]]:
    """Every place of some axes, the last of them running fastest."""
    for place in np.ndindex(*(sizes[letter] for letter in letters)):
        yield dict(zip(letters, place, strict=True))
