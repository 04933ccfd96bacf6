"""Layers that pool, stretch, pad and crop images and sequences, made in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2, prod
from typing import ClassVar, Final

import numpy as np

from trigger_ml.frontends.direct_affine import Padding, same_padding
from trigger_ml.frontends.direct_rules import Reading, Rule, Typed
from trigger_ml.frontends.keras_windows import axes_of
from trigger_ml.frontends.reach import Reach, least_fraction
from trigger_ml.graph.hls4ml_images import require_rim
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.model import GlobalAverage, MaxPool2D, Operation, UpSample2D
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.graph.windows import as_image, window_views

__all__ = ["WINDOWS"]

NO_PADDING: Final[Padding] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PoolRule(Rule):
    """Largest elements or means of windows, or one of each channel, which has no places left.

    axes: of the layer's class. whole: one window that is the image.
    """

    mean: bool
    axes: int
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding
    whole: bool

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,) = reads
        image = read.each(lambda part: part.reshape(as_image(read.shape)))
        most = image.each(lambda part: self._windows(part).max(axis=(-2, -1)))
        if self.mean:
            counts = self._windows(np.ones(image.shape, dtype=np.int64)).sum(axis=(-2, -1))
            more = least_fraction(1 / counts)
            most = Reach(most.signed, most.integer, most.fraction + more)
        shape = most.shape[-1:] if self.whole else most.shape[2 - self.axes :]
        return most.each(lambda part: part.reshape(shape))

    def _windows(self, part: Codes) -> Codes:
        return np.asarray(window_views(part[None], self.size, self.strides, self.padding, 0)[0])

    def operation(self, node: Typed) -> Operation:
        if self.mean:
            more = ceil(log2(prod(self.size)))
            sums = node.made.type
            sums = FixedType(sums.width + more, sums.integer + more, sums.signed)
            if self.whole and self.axes == 1:
                return GlobalAverage(sums)
            return AveragePool(self.size, self.strides, self.padding, sums)
        if self.size == self.strides and self.padding == NO_PADDING and not self.whole:
            return MaxPool2D(self.size)
        require_rim(node.name, self.padding, node.reads[0].type)
        return MaxPool(self.size, self.strides, self.padding)


@dataclass(frozen=True, slots=True)
class StretchRule(Rule):
    """Every element several times: rows, columns."""

    carries: ClassVar[bool] = True
    size: tuple[int, int]

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,) = reads
        rows, columns = self.size
        if len(read.shape) == 3:
            read = read.each(lambda part: part.repeat(rows, axis=0))
        return read.each(lambda part: part.repeat(columns, axis=-2))

    def asks(self, wanted: Reach, reads: Sequence[Reach]) -> tuple[Reach, ...]:
        (read,) = reads
        height, width, channels = as_image(read.shape)
        cut = (height, self.size[0], width, self.size[1], channels)
        return (wanted.each(lambda part: part.reshape(cut).max(axis=(1, 3)).reshape(read.shape)),)

    def operation(self, _node: Typed) -> Operation:
        return UpSample2D(self.size)


@dataclass(frozen=True, slots=True)
class RimRule(Rule):
    """Zeros around an image, or an image without its rim. around: places, as of Padding."""

    pads: bool
    around: Padding

    def reach(self, reads: Sequence[Reach]) -> Reach:
        return reads[0].each(self._padded if self.pads else self._cropped)

    def asks(self, wanted: Reach, _reads: Sequence[Reach]) -> tuple[Reach, ...]:
        return (wanted.each(self._cropped if self.pads else self._padded),)

    def operation(self, _node: Typed) -> Operation:
        return ZeroPad(self.around) if self.pads else Crop(self.around)

    def _pairs(self, rank: int) -> list[tuple[int, int]]:
        above, below, left, right = self.around
        return [(above, below), (left, right), (0, 0)][3 - rank :]

    def _padded(self, part: Codes) -> Codes:
        return np.pad(part, self._pairs(part.ndim))

    def _cropped(self, part: Codes) -> Codes:
        pairs = zip(part.shape, self._pairs(part.ndim), strict=True)
        return part[tuple(slice(a, size - b) for size, (a, b) in pairs)]


def _pooling(reading: Reading) -> Rule:
    kind, config = reading.layer.kind, reading.config
    image = as_image(reading.reads[0])
    mean, axes = "Average" in kind, axes_of(kind)
    if kind.startswith("Global"):
        size = (image[0], image[1])
        return PoolRule(mean, axes, size, size, NO_PADDING, whole=True)
    size, strides = (_pair(config[key]) for key in ("pool_size", "strides"))
    padding = same_padding(image, size, strides, config["padding"])
    return PoolRule(mean, axes, size, strides, padding, whole=False)


def _stretching(reading: Reading) -> Rule:
    size = reading.config["size"]
    return StretchRule(_pair([size] if isinstance(size, int) else size))


def _rim(reading: Reading) -> Rule:
    pads = reading.layer.kind.startswith("ZeroPadding")
    around = reading.config["padding" if pads else "cropping"]
    if axes_of(reading.layer.kind) == 1:
        around = [[0, 0], around]
    (above, below), (left, right) = around
    return RimRule(pads, (int(above), int(below), int(left), int(right)))


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    """Rows and columns; a sequence has one row."""
    rows, columns = sizes if len(sizes) == 2 else (1, *sizes)
    return int(rows), int(columns)


WINDOWS: Final[Mapping[str, Callable[[Reading], Rule]]] = {
    **{
        f"{whole}{kind}Pooling{axes}D": _pooling
        for whole in ("", "Global")
        for kind in ("Max", "Average")
        for axes in (1, 2)
    },
    **{f"UpSampling{axes}D": _stretching for axes in (1, 2)},
    **{f"{kind}{axes}D": _rim for kind in ("ZeroPadding", "Cropping") for axes in (1, 2)},
}
"""Makers of the rules of these layers, by class."""
