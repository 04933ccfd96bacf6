"""Small graphs with the layers that are not convolutions alone, for the stream tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.lower.stream.networks import ACTIVATION, Sketch
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.merge_operations import Add
from trigger_ml.graph.model import Conv2D, FixedGraph, Lookup, Quantize, frozen_codes
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.windows import as_image, window_count

SIGNED = FixedType(8, 5)


class Layers(Sketch):
    """Sketch with more layers."""

    def scale(self, name: str, source: str) -> str:
        """A batch normalization, whose zero is not zero."""
        shape = self.shape(source)
        channels = np.arange(shape[2])
        operation = Scale(
            frozen_codes(channels - 2), FixedType(4, 3), frozen_codes(3 - channels), FixedType(4, 3)
        )
        return self.add(name, operation, (source,), shape, SIGNED)

    def rectify(self, name: str, source: str, *, by_row: bool = False) -> str:
        """Slopes below zero, of the channel, and of the row where asked for."""
        shape = self.shape(source)
        rows = np.arange(shape[0])[:, None, None] if by_row else 0
        slope = np.broadcast_to((rows + np.arange(shape[2])) % 3 - 1, shape)
        operation = Rectify(frozen_codes(slope), FixedType(3, 2), 0, None, 0)
        return self.add(name, operation, (source,), shape, SIGNED)

    def table(self, name: str, source: str) -> str:
        """A function whose zero is not zero."""
        kind = self.type(source)
        table = np.random.default_rng(7).integers(0, 8, 1 << kind.width)
        table[-kind.min_code] = 5
        return self.add(
            name, Lookup("f", frozen_codes(table)), (source,), self.shape(source), ACTIVATION
        )

    def window(
        self,
        name: str,
        source: str,
        size: tuple[int, int],
        strides: tuple[int, int],
        *,
        mean: bool = False,
    ) -> str:
        shape = self.shape(source)
        none = (0, 0, 0, 0)
        places = window_count(as_image(shape), size, strides, none)
        kind = self.type(source)
        sums = FixedType(kind.width + 6, kind.integer + 3, kind.signed)
        if mean:
            operation: AveragePool | MaxPool = AveragePool(size, strides, none, sums)
        else:
            operation = MaxPool(size, strides, none)
        return self.add(name, operation, (source,), (*places, shape[2]), kind)

    def pad(self, name: str, source: str, around: tuple[int, int, int, int]) -> str:
        height, width, channels = self.shape(source)
        shape = (height + around[0] + around[1], width + around[2] + around[3], channels)
        return self.add(name, ZeroPad(around), (source,), shape, self.type(source))

    def crop(self, name: str, source: str, rim: tuple[int, int, int, int]) -> str:
        height, width, channels = self.shape(source)
        shape = (height - rim[0] - rim[1], width - rim[2] - rim[3], channels)
        return self.add(name, Crop(rim), (source,), shape, self.type(source))

    def cast(self, name: str, source: str) -> str:
        return self.add(name, Quantize(), (source,), self.shape(source), ACTIVATION)

    def same(self, name: str, source: str, kernel: tuple[int, int], stride: int) -> str:
        """A strided convolution with padding='same': the odd column of zeros is on the right."""
        height, width, _ = self.shape(source)
        made = self.conv(name, source, kernel, 2, same=False, strides=(stride, stride))
        around: list[int] = []
        for length, size in zip((height, width), kernel, strict=True):
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
            around += [total // 2, total - total // 2]
        for place in (-2, -1):
            node = self.nodes[place]
            shape = (-(-height // stride), -(-width // stride), 2)
            operation = node.operation
            if isinstance(operation, Conv2D):
                first, second, third, fourth = around
                operation = replace(operation, padding=(first, second, third, fourth))
            self.nodes[place] = replace(node, operation=operation, shape=shape)
        return made


def elementwise(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """Scales, slopes and tables: behind a convolution, before one, and read by several."""
    net = Layers(seed)
    name = net.scale("norm_in", net.input(shape))
    name = net.conv("c1", name, (3, 3), 2, relu=False)
    name = net.rectify("leaky", net.scale("norm", name))
    name = net.conv("c2", name, (3, 2), 2, relu=False)
    rows = net.rectify("by_row", net.cast("grid", name), by_row=True)
    beside = net.conv("c3", rows, (1, 3), 2, relu=False)
    both = net.merge("both", Add(), beside, net.table("table", "grid"))
    net.conv("c4", net.cast("joined", both), (2, 3), 1, relu=False)
    return net.graph()


def strides(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """Strided windows with padding='same', even and odd."""
    net = Layers(seed)
    name = net.same("c1", net.input(shape), (3, 3), 2)
    name = net.same("c2", name, (2, 2), 2)
    name = net.same("c3", name, (1, 1), 1)
    net.conv("c4", name, (3, 3), 1, relu=False)
    return net.graph()


def pools(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """Means, and windows that overlap."""
    net = Layers(seed)
    name = net.conv("c1", net.input(shape), (3, 3), 2)
    name = net.window("overlapping", name, (2, 3), (1, 1))
    name = net.window("mean", name, (2, 2), (2, 2), mean=True)
    name = net.conv("c2", net.cast("grid", name), (1, 3), 2)
    name = net.window("skipping", name, (1, 3), (1, 2))
    net.conv("c3", name, (1, 2), 1, relu=False)
    return net.graph()


def rims(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """Zeros around images and images without a rim, over rows and over columns."""
    net = Layers(seed)
    name = net.pad("zeros", net.input(shape), (1, 0, 2, 1))
    name = net.conv("c1", name, (2, 3), 2, same=False, relu=False)
    name = net.crop("inside", name, (0, 0, 2, 3))
    name = net.cast("grid", name)
    name = net.conv("c2", name, (1, 3), 2)
    name = net.pad("around", net.pad("left", name, (0, 0, 1, 0)), (1, 1, 1, 3))
    name = net.window("mean", name, (2, 2), (2, 2), mean=True)
    name = net.pad("rows", net.crop("top", name, (1, 0, 0, 0)), (0, 1, 0, 0))
    net.conv("c3", name, (2, 3), 1, relu=False)
    return net.graph()


def narrowed(seed: int, shape: tuple[int, int, int]) -> FixedGraph:
    """Whole groups without a column of the output."""
    net = Layers(seed)
    name = net.conv("c1", net.input(shape), (1, 4), 2, same=False)
    name = net.crop("inside", name, (0, 0, 1, 4))
    net.conv("c2", name, (1, 3), 1, relu=False)
    return net.graph()
