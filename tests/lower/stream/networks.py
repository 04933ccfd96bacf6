"""Small convolutional graphs for the stream tests: random weights, logits as output."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    FixedGraph,
    Input,
    MaxPool2D,
    Node,
    Operation,
    Relu,
    UpSample2D,
    frozen_codes,
)
from trigger_ml.graph.types import FixedType, Overflow, Rounding

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


def strided(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """A valid convolution, a strided one, a pooling that leaves a column out."""
    net = Sketch(seed)
    name = net.conv("c1", net.input(shape), (1, 3), 2, same=False)
    name = net.conv("c2", name, (1, 3), 2, strides=(1, 2))
    name = net.pool("pool", name, (1, 2))
    net.conv("c3", name, (1, 3), 1, relu=False)
    return net.graph()
