"""How large a flat pipeline of an HGQ2 network with convolutions gets, before it is converted."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.frontends.flat import MOST_PRODUCTS
from trigger_ml.frontends.hgq_calls import calls_of

__all__ = ["hgq_products", "hgq_size_problems"]


def hgq_size_problems(model: Any) -> list[Blocker]:
    """What is said of a loaded network whose convolutions are too large to be unrolled."""
    counts = hgq_products(model)
    total = sum(counts.values())
    if total <= MOST_PRODUCTS:
        return []
    largest = max(counts, key=lambda name: counts[name])
    what = (
        f"unrolled over all places, its convolutions take {total:,} products with non-zero "
        f"weights ({counts[largest]:,} of them in {largest}), and {MOST_PRODUCTS:,} is the most "
        "that is traced and compiled in minutes"
    )
    fix = (
        "train it with a higher price on bits (beta0), which leaves more zeros, pool earlier, use "
        "strides or fewer filters; or end in an image, with homogeneous_axis=(0, 1, 2, 3) in all "
        "quantizers of data, which makes it a stream of columns"
    )
    return [Blocker("model", what, fix)]


def hgq_products(model: Any) -> dict[str, int]:
    """Products with non-zero quantized weights, over all places, by convolution."""
    return {
        call.layer.name: prod(call.shape[:-1]) * int(np.count_nonzero(call.layer.qkernel))
        for call in calls_of(model)
        if type(call.layer).__name__.startswith("QConv")
    }
