"""Operations on images and sequences in alkaid's symbolic arithmetic."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from alkaid.trace import FVArray
from alkaid.trace.fixed_variable import FVariable

from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.model import Node
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.windows import as_image
from trigger_ml.lower.arithmetic import HARDWARE, Symbols, array, cast

__all__ = ["image_of", "replay_image", "with_zeros"]


def image_of(symbols: Symbols) -> Symbols:
    """The array as height x width x channels; a sequence is an image of one row."""
    return symbols.reshape(as_image(symbols.shape))


def with_zeros(symbols: Symbols, padding: tuple[int, int, int, int]) -> Symbols:
    """An image with constant zeros around it: rows above and below, columns left and right."""
    above, below, left, right = padding
    zero = FVariable.from_const(0.0, HARDWARE)
    around = ((above, below), (left, right), (0, 0))
    padded = np.pad(np.asarray(symbols), around, constant_values=zero)
    return FVArray(padded, symbols.solver_options)


def replay_image(node: Node, symbols: Symbols, _source: FixedType) -> Symbols:
    """The result of one of IMAGE_OPERATIONS, with the graph's rules."""
    image = image_of(symbols)
    match node.operation:
        case MaxPool() | AveragePool() as pool:
            made = _pooled(pool, np.asarray(image), symbols)
        case ZeroPad(padding=padding):
            made = with_zeros(image, padding)
        case Crop(cropping=(above, below, left, right)):
            height, width, _ = image.shape
            made = image[above : height - below, left : width - right]
        case _:
            raise AssertionError(f"no meaning of {node.operation.kind}")
    return cast(made, node.type).reshape(node.shape)


def _pooled(pool: MaxPool | AveragePool, image: Any, like: Symbols) -> Symbols:
    """One element for each window and channel; a window leaves out what is not in the image."""
    height, width, channels = image.shape
    rows = _windows(height, pool.size[0], pool.strides[0], pool.padding[:2])
    columns = _windows(width, pool.size[1], pool.strides[1], pool.padding[2:])
    made = [
        _window(pool, list(image[row, column, channel].ravel()), like)
        for row in rows
        for column in columns
        for channel in range(channels)
    ]
    return array(made, like)


def _windows(length: int, size: int, stride: int, around: tuple[int, ...]) -> list[slice]:
    before, after = around
    starts = range(-before, length + after - size + 1, stride)
    return [slice(max(start, 0), min(start + size, length)) for start in starts]


def _window(pool: MaxPool | AveragePool, elements: list[Any], like: Symbols) -> Any:
    if isinstance(pool, MaxPool):
        return reduce(lambda left, right: left.max_of(right), elements)
    total = cast(array([np.sum(array(elements, like))], like), pool.accumulator)
    return total[0] * (1.0 / len(elements))
