"""Operations on images, shape height x width x channels, and on sequences, steps x channels.

A sequence is an image of one row: where these operations speak of rows and columns, its steps are
the columns. The operations of streams, :class:`Conv2D`, :class:`MaxPool2D` and
:class:`UpSample2D`, are in :mod:`trigger_ml.graph.operations`, and take sequences likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from trigger_ml.graph.operation import Operation
from trigger_ml.graph.types import FixedType

__all__ = ["IMAGE_OPERATIONS", "AveragePool", "Crop", "MaxPool", "ZeroPad"]


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool(Operation):
    """Largest element of each window, of those inside the image, cast into the node's type.

    size, strides: rows, columns. padding: rows above, rows below, columns left, columns right by
    which windows may reach beyond the image.
    """

    kind: ClassVar[str] = "max_pool"
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class AveragePool(Operation):
    """Mean of each window's elements inside the image, whose number is a power of two.

    Windows as in :class:`MaxPool`. The sum wraps in ``accumulator``, which has enough fraction
    bits to hold the quotient; then a cast into the node's type (``avg`` in hls4ml's
    nnet_pooling.h).
    """

    kind: ClassVar[str] = "average_pool"
    size: tuple[int, int]
    strides: tuple[int, int]
    padding: tuple[int, int, int, int]
    accumulator: FixedType


@dataclass(frozen=True, slots=True, eq=False)
class ZeroPad(Operation):
    """Zeros around an image, then a cast into the node's type.

    padding: rows above, rows below, columns left, columns right.
    """

    kind: ClassVar[str] = "zero_pad"
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Crop(Operation):
    """An image without its rim, then a cast into the node's type.

    cropping: rows above, rows below, columns left, columns right that are left out.
    """

    kind: ClassVar[str] = "crop"
    cropping: tuple[int, int, int, int]


IMAGE_OPERATIONS: Final = (MaxPool, AveragePool, ZeroPad, Crop)
"""All of them."""
