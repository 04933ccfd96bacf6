"""Which values the sums of products of two edges can have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.reach import Reach

__all__ = ["einsum_reach"]


def einsum_reach(left: Reach, right: Reach, letters: tuple[str, str, str]) -> Reach:
    """Of ``numpy.einsum`` of two edges. letters: of their axes and the result's."""
    first, second, result = letters
    summed = "".join(a for a in first if a in second and a not in result)
    order = result + summed

    def one(part: NDArray[Any], own: str) -> NDArray[Any]:
        """With every axis of the result and of the sum, of size one where it has none."""
        here = [a for a in order if a in own]
        turned = part.transpose([own.index(a) for a in here])
        shape = iter(turned.shape)
        return turned.reshape([next(shape) if a in own else 1 for a in order])

    corners = [
        one(a, first) * one(b, second)
        for a in (left.low, left.high)
        for b in (right.low, right.high)
    ]
    axes = tuple(range(len(result), len(order)))
    low = np.minimum.reduce(corners).sum(axis=axes)
    high = np.maximum.reduce(corners).sum(axis=axes)
    fraction = one(left.fraction, first) + one(right.fraction, second)
    return Reach.between(low, high, fraction.max(axis=axes))
