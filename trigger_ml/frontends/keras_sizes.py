"""Sizes and places of windows in Keras layers: what their parameters say, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trigger_ml.errors import Blocker

__all__ = ["Shape", "axis_order", "places", "rims", "sizes_of"]

Shape = tuple[int, ...]


def sizes_of(value: Any, axes: int) -> list[int] | None:
    """As many positive integers, given as such or as one; None for anything else."""
    values = [value] * axes if isinstance(value, int) else value
    if not isinstance(values, list | tuple) or len(values) != axes:
        return None
    if not all(isinstance(size, int) and size > 0 for size in values):
        return None
    return [int(size) for size in values]


def rims(value: Any, axes: int) -> list[list[int]] | None:
    """What is put on or taken off before and after each axis; None where that cannot be read.

    Keras takes one number for all, one for each axis, or two for each.
    """
    parts = [value] * axes if isinstance(value, int) else value
    if axes == 1 and isinstance(parts, list | tuple) and len(parts) == 2:
        parts = [parts]
    if not isinstance(parts, list | tuple) or len(parts) != axes:
        return None
    pairs = [[part, part] if isinstance(part, int) else part for part in parts]
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            return None
        if not all(isinstance(size, int) and size >= 0 for size in pair):
            return None
    return [[int(size) for size in pair] for pair in pairs]


def axis_order(where: str, config: Mapping[str, Any]) -> list[Blocker]:
    """A blocker for a layer whose channels do not come last."""
    order = config.get("data_format") or "channels_last"
    if order == "channels_last":
        return []
    return [Blocker(where, f"data_format {order!r}", "use channels_last")]


def places(
    shape: Shape, window: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[int, ...]:
    """Windows along each axis, below 1 where one is larger than its axis. shape: with channels."""
    if padding in ("same", "causal"):
        return tuple(-(-size // step) for size, step in zip(shape, strides, strict=False))
    return tuple(
        (size - part) // step + 1 for size, part, step in zip(shape, window, strides, strict=False)
    )
