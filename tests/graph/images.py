"""Small convolutional graphs for tests, and their evaluation one product at a time."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    FixedGraph,
    Input,
    MaxPool2D,
    Multiply,
    Node,
    Relu,
    Transpose,
    UpSample2D,
    frozen_codes,
)
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.graph.verify import verify

Image = dict[tuple[int, int, int], Fraction]
"""Value at (row, column, channel)."""


def cast(value: Fraction, kind: FixedType) -> Fraction:
    """Assignment to a fixed-point variable."""
    fraction = max(value.denominator.bit_length() - 1, kind.fraction, 0)
    code = int(kind.cast(np.array([int(value * 2**fraction)]), fraction)[0])
    return Fraction(code) / Fraction(2) ** kind.fraction


def draw(random: np.random.Generator, kind: FixedType, shape: tuple[int, ...]) -> Codes:
    """Uniform codes of a type."""
    return random.integers(kind.min_code, kind.max_code + 1, shape)


def convolution(
    random: np.random.Generator,
    shape: tuple[int, int, int, int],
    kind: Callable[[], FixedType],
    accumulator: FixedType,
    strides: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Conv2D:
    """A convolution with drawn weights and biases."""
    weight_type, bias_type = kind(), kind()
    return Conv2D(
        frozen_codes(draw(random, weight_type, shape)),
        weight_type,
        frozen_codes(draw(random, bias_type, shape[3:])),
        bias_type,
        accumulator,
        strides,
        padding,
    )


def single(
    operation: Conv2D | MaxPool2D | Transpose | UpSample2D,
    read: tuple[int, ...],
    source: FixedType,
    made: tuple[int, ...],
    out: FixedType,
) -> FixedGraph:
    """A verified graph of one operation."""
    nodes = (Node("x", Input(), (), read, source), Node("y", operation, ("x",), made, out))
    return verify(FixedGraph("one", nodes, ("y",)))


def u_net(seed: int) -> FixedGraph:
    """Convolution, pool, convolution, up, beside the first one, convolution: 4 x 6 x 2 pixels."""
    random = np.random.default_rng(seed)
    small, wide = FixedType(4, 2), FixedType(14, 8)
    around = (1, 1, 1, 1)

    def made(filters: int, channels: int) -> Conv2D:
        return convolution(random, (3, 3, channels, filters), lambda: small, wide, padding=around)

    unsigned = FixedType(5, 3, signed=False)
    nodes = (
        Node("x", Input(), (), (4, 6, 2), FixedType(3, 1)),
        Node("down", made(3, 2), ("x",), (4, 6, 3), wide),
        Node("skip", Relu(), ("down",), (4, 6, 3), unsigned),
        Node("pool", MaxPool2D((2, 2)), ("skip",), (2, 3, 3), unsigned),
        Node("deep", made(2, 3), ("pool",), (2, 3, 2), FixedType(9, 5)),
        Node("up", UpSample2D((2, 2)), ("deep",), (4, 6, 2), FixedType(9, 5)),
        Node("both", Concatenate(), ("up", "skip"), (4, 6, 5), FixedType(8, 4)),
        Node("mask", made(1, 5), ("both",), (4, 6, 1), wide),
    )
    return verify(FixedGraph("u_net", nodes, ("mask",)))


def by_hand(graph: FixedGraph, row: list[int]) -> list[int]:
    """Output codes of one event, every product and comparison written out."""
    edges: dict[str, Image] = {}
    for node in graph.nodes:
        if isinstance(node.operation, Input):
            places = np.ndindex(*node.shape)
            edges[node.name] = {
                place: Fraction(code) / Fraction(2) ** node.type.fraction
                for place, code in zip(places, row, strict=True)
            }
            continue
        reads = [edges[name] for name in node.inputs]
        edges[node.name] = {
            place: cast(_element(node, reads, place), node.type)
            for place in np.ndindex(*node.shape)
        }
    out = graph.output_nodes[0]
    return [int(value * Fraction(2) ** out.type.fraction) for value in edges[out.name].values()]


def _element(node: Node, reads: list[Image], place: tuple[int, ...]) -> Fraction:
    i, j, channel = place
    image = reads[0]
    match node.operation:
        case Relu():
            return max(image[i, j, channel], Fraction(0))
        case Conv2D() as layer:
            return _window_sum(layer, image, i, j, channel)
        case MaxPool2D(size=(rows, columns)):
            return max(
                image[i * rows + a, j * columns + b, channel]
                for a in range(rows)
                for b in range(columns)
            )
        case UpSample2D(size=(rows, columns)):
            return image[i // rows, j // columns, channel]
        case Multiply():
            return image[i, j, channel] * reads[1][i, j, channel]
        case Transpose(axes=axes):
            return image[tuple(place[axes.index(axis)] for axis in range(3))]
        case Concatenate():
            for read in reads:
                channels = 1 + max(c for _, _, c in read)
                if channel < channels:
                    return read[i, j, channel]
                channel -= channels
    raise AssertionError(node.operation)


def _window_sum(layer: Conv2D, image: Image, i: int, j: int, out: int) -> Fraction:
    height, width, channels, _ = layer.weight.shape
    total = cast(
        Fraction(int(layer.bias[out])) / Fraction(2) ** layer.bias_type.fraction,
        layer.accumulator,
    )
    for a in range(height):
        for b in range(width):
            row = i * layer.strides[0] + a - layer.padding[0]
            column = j * layer.strides[1] + b - layer.padding[2]
            for c in range(channels):
                value = image.get((row, column, c), Fraction(0))
                weight = Fraction(int(layer.weight[a, b, c, out]))
                product = value * weight / Fraction(2) ** layer.weight_type.fraction
                total = cast(total + cast(product, layer.accumulator), layer.accumulator)
    return total
