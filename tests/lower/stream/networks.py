"""Small convolutional graphs for the stream tests: random weights, logits as output."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trigger_ml.graph.merge_operations import Add, Average, Maximum, Minimum, Subtract
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    FixedGraph,
    Input,
    MaxPool2D,
    Multiply,
    Node,
    Operation,
    Relu,
    Transpose,
    UpSample2D,
    frozen_codes,
)
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding

BIT = FixedType(1, 1, signed=False)
ACTIVATION = FixedType(3, 1, False, Rounding.TRN, Overflow.SAT)
LOGIT = FixedType(12, 6)


@dataclass
class Sketch:
    """Builds a graph node by node; every method returns the name of the last node."""

    seed: int
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def shape(self, name: str) -> tuple[int, ...]:
        return next(node.shape for node in self.nodes if node.name == name)

    def type(self, name: str) -> FixedType:
        return next(node.type for node in self.nodes if node.name == name)

    def add(
        self,
        name: str,
        operation: Operation,
        inputs: tuple[str, ...],
        shape: tuple[int, ...],
        kind: FixedType,
    ) -> str:
        self.nodes.append(Node(name, operation, inputs, shape, kind))
        return name

    def input(self, shape: tuple[int, int, int], kind: FixedType = BIT) -> str:
        return self.add("hits", Input(), (), shape, kind)

    def conv(
        self,
        name: str,
        source: str,
        kernel: tuple[int, int],
        filters: int,
        *,
        relu: bool = True,
        same: bool = True,
        strides: tuple[int, int] = (1, 1),
    ) -> str:
        height, width, channels = self.shape(source)
        rng = self._rng
        shape = (*kernel, channels, filters)
        weight = rng.integers(-3, 4, shape) * (rng.random(shape) < 0.7)
        above, left = ((size - 1) // 2 if same else 0 for size in kernel)
        below, right = (kernel[0] - 1 - above, kernel[1] - 1 - left) if same else (0, 0)
        operation = Conv2D(
            frozen_codes(weight),
            FixedType(3, 1),
            frozen_codes(rng.integers(0, 6, filters)),
            FixedType(4, 2),
            FixedType(18, 9),
            strides,
            (above, below, left, right),
        )
        rows = (height + above + below - kernel[0]) // strides[0] + 1
        columns = (width + left + right - kernel[1]) // strides[1] + 1
        out = (rows, columns, filters)
        self.add(name, operation, (source,), out, LOGIT)
        if not relu:
            return name
        return self.add(f"{name}_relu", Relu(), (name,), out, ACTIVATION)

    def pool(self, name: str, source: str, size: tuple[int, int]) -> str:
        height, width, channels = self.shape(source)
        out = (height // size[0], width // size[1], channels)
        return self.add(name, MaxPool2D(size), (source,), out, self.type(source))

    def up(self, name: str, source: str, size: tuple[int, int]) -> str:
        height, width, channels = self.shape(source)
        out = (height * size[0], width * size[1], channels)
        return self.add(name, UpSample2D(size), (source,), out, self.type(source))

    def concatenate(self, name: str, *sources: str) -> str:
        height, width, _ = self.shape(sources[0])
        channels = sum(self.shape(source)[2] for source in sources)
        return self.add(name, Concatenate(), sources, (height, width, channels), ACTIVATION)

    def multiply(self, name: str, one: str, other: str) -> str:
        return self.add(name, Multiply(), (one, other), self.shape(one), ACTIVATION)

    def merge(self, name: str, operation: Operation, one: str, other: str) -> str:
        return self.add(name, operation, (one, other), self.shape(one), LOGIT)

    def swap(self, name: str, source: str) -> str:
        height, width, channels = self.shape(source)
        out = (channels, width, height)
        return self.add(name, Transpose((2, 1, 0)), (source,), out, self.type(source))

    def mix(self, name: str, *sources: str, weight: Codes, bias: int = 0) -> str:
        """Sums of the rows of all sources; weight: (columns, rows, new rows)."""
        swapped = [self.swap(f"{name}_{source}", source) for source in sources]
        read = swapped[0]
        if len(swapped) > 1:
            channels, width, _ = self.shape(read)
            rows = sum(self.shape(part)[2] for part in swapped)
            read = f"{name}_joined"
            self.add(read, Concatenate(), tuple(swapped), (channels, width, rows), ACTIVATION)
        channels, width, _ = self.shape(read)
        made = weight.shape[2]
        around = weight.shape[0] // 2
        operation = Conv2D(
            frozen_codes(weight[None]),
            FixedType(3, 3),
            frozen_codes(np.full(made, bias)),
            FixedType(3, 3),
            FixedType(12, 8),
            (1, 1),
            (0, 0, around, weight.shape[0] - 1 - around),
        )
        self.add(f"{name}_sum", operation, (read,), (channels, width, made), FixedType(12, 8))
        return self.swap(name, f"{name}_sum")

    def graph(self) -> FixedGraph:
        return FixedGraph("sketch", tuple(self.nodes), (self.nodes[-1].name,))


def chain(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """Three convolutions with even and odd kernels."""
    net = Sketch(seed)
    name = net.input(shape)
    name = net.conv("c1", name, (1, 5), 3)
    name = net.conv("c2", name, (3, 4), 2)
    net.conv("c3", name, (3, 3), 1, relu=False)
    return net.graph()


def u_net(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """One skip and one pooling level."""
    net = Sketch(seed)
    skip = net.conv("c1", net.input(shape), (3, 3), 2)
    down = net.pool("pool", skip, (2, 2))
    down = net.conv("c2", down, (3, 3), 3)
    up = net.up("up", down, (2, 2))
    both = net.concatenate("both", up, skip)
    net.conv("c3", both, (3, 3), 1, relu=False)
    return net.graph()


def edges_and_nodes(
    seed: int, width: int, reach: int, layers: int = 3, slots: int = 2
) -> FixedGraph:
    """Edges between neighbouring layers, to nodes, to edges again; the last channel says which
    edges there are. reach: columns to either side that an edge may end in."""
    taps = 2 * reach + 1
    ends = [
        (gap * slots + a, (gap + 1) * slots + b, d)
        for gap in range(layers - 1)
        for a in range(slots)
        for d in range(taps)
        for b in range(slots)
    ]
    count, nodes = len(ends), layers * slots
    start, end, out, into = (
        np.zeros((taps, *shape), int) for shape in [(nodes, count)] * 2 + [(count, nodes)] * 2
    )
    for edge, (inner, outer, d) in enumerate(ends):
        start[reach, inner, edge] = end[d, outer, edge] = 1
        out[reach, edge, inner] = into[taps - 1 - d, edge, outer] = 1
    net = Sketch(seed)
    x = net.input((count, width, 2))
    e = net.conv("e", x, (1, 1), 3)
    there = net.conv("there", x, (1, 1), 3)
    both = net.concatenate("both", net.mix("into", e, weight=into), net.mix("out", e, weight=out))
    v = net.conv("v", both, (1, 1), 3)
    ends_of = net.concatenate(
        "ends", net.mix("start", v, weight=start), net.mix("end", v, weight=end)
    )
    hidden = net.conv("hidden", net.concatenate("all", ends_of, e), (1, 1), 3)
    again = net.multiply("again", hidden, there)
    net.conv("score", again, (1, 1), 1, relu=False)
    return net.graph()


def residual(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """Every join of two images, some read by windows, the last read by nothing."""
    net = Sketch(seed)
    start = net.conv("c1", net.input(shape), (3, 3), 2)
    name = start
    for number, operation in enumerate((Add(), Subtract(), Maximum(), Minimum(), Average())):
        beside = net.conv(f"beside{number}", name, (3, 3), 2)
        name = net.merge(f"join{number}", operation, beside, start)
    net.merge("last", Add(), name, net.conv("c2", name, (1, 3), 2))
    return net.graph()


def strided(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """A valid convolution, a strided one, a pooling that leaves a column out."""
    net = Sketch(seed)
    name = net.conv("c1", net.input(shape), (1, 3), 2, same=False)
    name = net.conv("c2", name, (1, 3), 2, strides=(1, 2))
    name = net.pool("pool", name, (1, 2))
    net.conv("c3", name, (1, 3), 1, relu=False)
    return net.graph()
