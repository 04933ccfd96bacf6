"""Small networks of every family with drawn weights, for the calibration study.

Weights are drawn like those of a trained and pruned network: many zeros, more small than large
codes. Activations saturate, as QKeras' do; the types between are wide enough for every sum. What
is returned makes the network from random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log2
from pathlib import Path
from typing import Final

import numpy as np

from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.graph.merge_operations import Add, Maximum, Reshape, Subtract
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    Dense,
    FixedGraph,
    Input,
    Lookup,
    MaxPool2D,
    Multiply,
    Node,
    Operation,
    QuantizeEach,
    Relu,
    Softmax,
    Transpose,
    frozen_codes,
)
from trigger_ml.graph.tail import with_argmax, with_threshold
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify

__all__ = ["committed", "dense", "edges", "flat", "merged", "stream", "tables"]

ROOT: Final = Path(__file__).resolve().parents[1]
Shape = tuple[int, ...]
Make = Callable[[np.random.Generator], FixedGraph]


class _Builder:
    """A graph in the making. bits: of weights and of activations. zeros: share of the weights."""

    def __init__(self, random: np.random.Generator, bits: tuple[int, int], zeros: float) -> None:
        self.random, self.zeros = random, zeros
        self.weight = FixedType(bits[0], 1)
        self.value = FixedType(bits[1], 2, False, Rounding.RND_CONV, Overflow.SAT)
        self.nodes: list[Node] = []
        self.kinds: dict[str, FixedType] = {}
        self.shapes: dict[str, Shape] = {}

    def add(
        self, name: str, operation: Operation, reads: tuple[str, ...], shape: Shape, kind: FixedType
    ) -> str:
        self.nodes.append(Node(name, operation, reads, shape, kind))
        self.kinds[name], self.shapes[name] = kind, shape
        return name

    def input(self, shape: Shape, kind: FixedType, name: str = "x") -> str:
        return self.add(name, Input(), (), shape, kind)

    def codes(self, shape: Shape) -> Codes:
        """Normal weights, cut off at the ends of their type."""
        kind = self.weight
        drawn = np.rint(self.random.normal(0, (kind.max_code + 0.5) / 2, shape))
        drawn = np.clip(drawn, kind.min_code, kind.max_code).astype(np.int64)
        return frozen_codes(drawn * (self.random.random(shape) >= self.zeros))

    def total(self, read: str, terms: int) -> FixedType:
        """Wide enough for sums of products with one value of an edge."""
        kind = self.kinds[read]
        fraction = max(kind.fraction, 0) + self.weight.fraction
        integer = max(kind.integer, 0) + 1 + self.weight.integer + ceil(log2(terms + 1))
        return FixedType(fraction + integer, integer)

    def bias(self, size: int) -> Codes:
        top = self.weight.max_code // 2
        return frozen_codes(self.random.integers(-top, top + 1, size))

    def dense(self, name: str, read: str, outputs: int) -> str:
        inputs = self.shapes[read][0]
        kind = self.total(read, inputs)
        bias = self.bias(outputs)
        weight = self.codes((inputs, outputs))
        made = Dense(weight, self.weight, bias, self.weight, kind)
        return self.add(name, made, (read,), (outputs,), kind)

    def conv(
        self, name: str, read: str, kernel: tuple[int, int], filters: int, same: bool = False
    ) -> str:
        rows, columns, channels = self.shapes[read]
        high, wide = kernel
        shape = (rows, columns, filters) if same else (rows - high + 1, columns - wide + 1, filters)
        pads = ((high - 1) // 2, high // 2, (wide - 1) // 2, wide // 2) if same else (0, 0, 0, 0)
        kind = self.total(read, high * wide * channels)
        weight, bias = self.codes((high, wide, channels, filters)), self.bias(filters)
        made = Conv2D(weight, self.weight, bias, self.weight, kind, (1, 1), pads)
        return self.add(name, made, (read,), shape, kind)

    def relu(self, read: str) -> str:
        return self.add(f"{read}_relu", Relu(), (read,), self.shapes[read], self.value)

    def done(self, *outputs: str) -> FixedGraph:
        return verify(FixedGraph("network", tuple(self.nodes), outputs))


def dense(
    sizes: tuple[int, ...],
    bits: tuple[int, int],
    zeros: float,
    tail: str = "logits",
    each: bool = False,
) -> Make:
    """Dense layers. tail: of the outputs. each: a width of its own for every activation."""

    def build(random: np.random.Generator) -> FixedGraph:
        b = _Builder(random, bits, zeros)
        at = b.input((sizes[0],), FixedType(bits[1], 3))
        for level, size in enumerate(sizes[1:]):
            at = b.dense(f"fc{level}", at, size)
            if level < len(sizes) - 2:
                at = b.relu(at)
                at = _narrowed(b, at) if each else at
        graph = b.done(at)
        tails = {"argmax": with_argmax, "threshold": lambda made: with_threshold(made, 0.25)}
        return tails[tail](graph) if tail in tails else graph

    return build


def _narrowed(b: _Builder, read: str) -> str:
    """Every element in a width of its own, some in none, as HGQ trains them."""
    kind, shape = b.kinds[read], b.shapes[read]
    cut = b.random.integers(0, kind.width + 1, shape)
    width = frozen_codes(kind.width - cut)
    signed, integer = np.zeros(shape), np.full(shape, kind.integer)
    made = QuantizeEach(
        frozen_codes(signed), width, frozen_codes(integer), Rounding.RND, Overflow.WRAP
    )
    return b.add(f"{read}_each", made, (read,), shape, kind)


def flat(
    image: tuple[int, int, int], filters: int, bits: tuple[int, int], zeros: float, pool: bool
) -> Make:
    """A convolution over a small image, perhaps a maximum of windows, and dense on what is left."""

    def build(random: np.random.Generator) -> FixedGraph:
        b = _Builder(random, bits, zeros)
        at = b.input(image, FixedType(bits[1], 2))
        high, wide = min(3, image[0]), min(3, image[1])
        at = b.relu(b.conv("conv", at, (high, wide), filters))
        rows, columns, channels = b.shapes[at]
        if pool:
            size = (min(2, rows), min(2, columns))
            rows, columns = rows // size[0], columns // size[1]
            shape = (rows, columns, channels)
            at = b.add("pool", MaxPool2D(size), (at,), shape, b.value)
        at = b.conv("head", at, (rows, columns), 3)
        return _as_vector(b, at)

    return build


def _as_vector(b: _Builder, read: str) -> FixedGraph:
    size = int(np.prod(b.shapes[read]))
    return b.done(b.add("logits", Reshape(), (read,), (size,), b.kinds[read]))


def stream(
    image: tuple[int, int, int], filters: tuple[int, ...], bits: tuple[int, int], zeros: float
) -> Make:
    """Convolutions that keep the image, a column or more each clock."""

    def build(random: np.random.Generator) -> FixedGraph:
        b = _Builder(random, bits, zeros)
        width = min(bits[1], 2)
        at = b.input(image, FixedType(width, width, False))
        for level, count in enumerate(filters):
            at = b.conv(f"c{level}", at, (3, 3), count, same=True)
            at = b.relu(at) if level < len(filters) - 1 else at
        return b.done(at)

    return build


def edges(nodes: int, width: int, bits: tuple[int, int], zeros: float, gate: bool = False) -> Make:
    """An interaction network of one round on a line of nodes; with streaming off all at once.

    gate: messages are multiplied with a bit of the input, as padding does.
    """

    def build(random: np.random.Generator) -> FixedGraph:
        b = _Builder(random, bits, zeros)
        ends = [(a, c) for a in range(nodes) for c in (a + 1, a + 2) if c < nodes]
        inner, outer = np.eye(nodes, dtype=np.int64)[np.transpose(ends)]
        edge = b.input((len(ends), 1, 4), FixedType(bits[1], 2))
        message = b.relu(b.conv("message", edge, (1, 1), width))
        if gate:
            mask = b.input((len(ends), 1, width), FixedType(1, 1, False), "mask")
            shape, kind = b.shapes[message], b.value
            message = b.add("gate", Multiply(), (message, mask), shape, kind)
        entering = _mixed(b, "entering", message, outer)
        leaving = _mixed(b, "leaving", message, inner)
        sums = b.add(
            "sums", Concatenate(), (entering, leaving), (nodes, 1, 2 * width), b.kinds[entering]
        )
        node = b.relu(b.conv("node", sums, (1, 1), width))
        sides = (_mixed(b, "sender", node, inner.T), _mixed(b, "receiver", node, outer.T))
        both = b.add("sides", Concatenate(), sides, (len(ends), 1, 2 * width), b.kinds[sides[0]])
        hidden = b.relu(b.conv("hidden", both, (1, 1), width))
        return b.done(b.conv("score", hidden, (1, 1), 1))

    return build


def _mixed(b: _Builder, name: str, read: str, ones: Codes) -> str:
    """Sums of rows. ones: (rows, new rows)."""
    rows, _, channels = b.shapes[read]
    kind = b.kinds[read]
    grown = ceil(log2(ones.sum(axis=0).max() + 1))
    total = FixedType(kind.width + grown + 1, kind.integer + grown + 1)
    swapped = b.add(f"{name}_in", Transpose((2, 1, 0)), (read,), (channels, 1, rows), kind)
    two = FixedType(2, 2)
    made = Conv2D(
        frozen_codes(ones[None, None]),
        two,
        frozen_codes(np.zeros(ones.shape[1])),
        two,
        total,
        (1, 1),
        (0, 0, 0, 0),
    )
    shape = (channels, 1, ones.shape[1])
    summed = b.add(f"{name}_sum", made, (swapped,), shape, total)
    return b.add(name, Transpose((2, 1, 0)), (summed,), (ones.shape[1], 1, channels), total)


def merged(kind: str, size: int, bits: tuple[int, int], zeros: float) -> Make:
    """Two branches joined element by element, then dense."""

    def build(random: np.random.Generator) -> FixedGraph:
        b = _Builder(random, bits, zeros)
        source = b.input((size,), FixedType(bits[1], 3))
        left, right = (b.relu(b.dense(name, source, size)) for name in ("left", "right"))
        wide = FixedType(2 * bits[1] + 2, 6)
        joined: dict[str, Operation] = {
            "add": Add(),
            "subtract": Subtract(),
            "maximum": Maximum(),
            "multiply": Multiply(),
        }
        at = b.add("joined", joined[kind], (left, right), (size,), wide)
        return b.done(b.dense("logits", b.relu(at), 4))

    return build


def tables(size: int, bits: tuple[int, int], zeros: float, address: int, softmax: bool) -> Make:
    """Dense, an element-wise table of ``address`` bits, dense, and perhaps a softmax."""

    def build(random: np.random.Generator) -> FixedGraph:
        b = _Builder(random, bits, zeros)
        at = b.dense("first", b.input((size,), FixedType(bits[1], 3)), size)
        key = FixedType(address, 3, True, Rounding.RND, Overflow.SAT)
        b.nodes[-1] = Node(at, b.nodes[-1].operation, b.nodes[-1].inputs, (size,), key)
        out = FixedType(8, 1, False)
        points = key.decode(np.arange(key.min_code, key.max_code + 1))
        codes = np.minimum(np.rint(256 / (1 + np.exp(-2 * points))), 255)
        at = b.add("table", Lookup("sigmoid", frozen_codes(codes)), (at,), (size,), out)
        b.kinds[at] = out
        at = b.dense("second", at, 4)
        return b.done(_softmax(b, at) if softmax else at)

    return build


def _softmax(b: _Builder, read: str) -> str:
    """hls4ml's stable softmax with tables of 256 entries."""
    key, small = FixedType(8, 4, True, Rounding.TRN, Overflow.SAT), FixedType(10, 1, False)
    total = FixedType(13, 4, False)
    top = FixedType(8, 4, False)
    differences = key.decode(np.arange(key.min_code, key.max_code + 1))
    exponential = np.minimum(np.rint(512 * np.exp(np.minimum(-differences, 0))), 1023)
    inverse = np.minimum(np.rint(512 / np.maximum(np.arange(256) / 16, 0.5)), 1023)
    made = Softmax(key, frozen_codes(exponential), small, total, top, frozen_codes(inverse), small)
    return b.add("softmax", made, (read,), b.shapes[read], FixedType(10, 1, False))


def committed(path: str) -> Make:
    """A model file of the repository, by its path in it."""

    def build(_random: np.random.Generator) -> FixedGraph:
        return direct_graph(read_keras(ROOT / path), None).graph

    return build
