"""Pooling, padding and cropping of images and sequences, one element at a time."""

from fractions import Fraction

import numpy as np

from tests.graph.images import cast
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.model import FixedGraph, Input, Node
from trigger_ml.graph.operation import Operation
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.verify import verify
from trigger_ml.graph.windows import as_image

__all__ = ["by_element", "one"]

Element = tuple[int, int, int]


def one(
    operation: Operation,
    read: tuple[int, ...],
    made: tuple[int, ...],
    source: FixedType,
    out: FixedType,
) -> FixedGraph:
    """A verified graph of one operation."""
    nodes = (Node("x", Input(), (), read, source), Node("y", operation, ("x",), made, out))
    return verify(FixedGraph("one", nodes, ("y",)))


def by_element(graph: FixedGraph, row: list[int]) -> list[int]:
    """Output codes of one event: every window, sum and cast written out."""
    source, node = graph.nodes
    shape = as_image(source.shape)
    image = {
        place: Fraction(code) / Fraction(2) ** source.type.fraction
        for place, code in zip(np.ndindex(*shape), row, strict=True)
    }
    made = _places(node.operation, shape)
    results = (cast(_element(node.operation, image, place), node.type) for place in made)
    return [int(value * Fraction(2) ** node.type.fraction) for value in results]


def _places(operation: Operation, shape: Element) -> list[Element]:
    height, width, channels = shape
    match operation:
        case MaxPool(size, strides, around) | AveragePool(size, strides, around):
            rows = range(-around[0], height + around[1] - size[0] + 1, strides[0])
            columns = range(-around[2], width + around[3] - size[1] + 1, strides[1])
        case ZeroPad(around):
            rows = range(-around[0], height + around[1])
            columns = range(-around[2], width + around[3])
        case Crop(around):
            rows = range(around[0], height - around[1])
            columns = range(around[2], width - around[3])
        case _:
            raise AssertionError(operation)
    return [(i, j, c) for i in rows for j in columns for c in range(channels)]


def _element(operation: Operation, image: dict[Element, Fraction], place: Element) -> Fraction:
    i, j, channel = place
    if isinstance(operation, ZeroPad | Crop):
        return image.get(place, Fraction(0))
    assert isinstance(operation, MaxPool | AveragePool)
    inside = [
        image[i + a, j + b, channel]
        for a in range(operation.size[0])
        for b in range(operation.size[1])
        if (i + a, j + b, channel) in image
    ]
    if isinstance(operation, MaxPool):
        return max(inside)
    total = Fraction(0)
    for value in inside:
        total = cast(total + value, operation.accumulator)
    return cast(total / len(inside), operation.accumulator)
