"""Windows of images, shape (events, height, width, channels), for the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from trigger_ml.graph.types import Codes

__all__ = ["as_image", "largest", "patches", "repeated", "window_count", "window_views"]


def as_image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Shape of an image; a sequence, (steps, channels), is one of a single row."""
    height, width, channels = shape if len(shape) == 3 else (1, *shape)
    return height, width, channels


def window_count(
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> tuple[int, int]:
    """Windows below and beside each other in an image of ``shape``, (height, width, ...).

    kernel, strides: rows, columns. padding: rows above and below, columns left and right.
    """
    above, below, left, right = padding
    rows = (shape[0] + above + below - kernel[0]) // strides[0] + 1
    columns = (shape[1] + left + right - kernel[1]) // strides[1] + 1
    return rows, columns


def patches(
    codes: NDArray[Any],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> NDArray[Any]:
    """Each window's elements in a row: (events, rows, columns, kernel rows * columns * channels).

    The order within a row is that of a kernel of shape (height, width, channels).
    """
    above, below, left, right = padding
    padded = np.pad(codes, ((0, 0), (above, below), (left, right), (0, 0)))
    views = sliding_window_view(padded, kernel, axis=(1, 2))
    views = views[:, :: strides[0], :: strides[1]]
    # The channels come before the window's axes in a view.
    ordered = views.transpose(0, 1, 2, 4, 5, 3)
    return ordered.reshape(*ordered.shape[:3], -1)


def window_views(
    codes: Codes,
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    rim: int,
) -> Codes:
    """Each window of each channel: (events, rows, columns, channels, window rows, columns).

    rim: what stands beyond the image.
    """
    above, below, left, right = padding
    around = ((0, 0), (above, below), (left, right), (0, 0))
    padded = np.pad(codes, around, constant_values=rim)
    views = sliding_window_view(padded, size, axis=(1, 2))
    return np.asarray(views[:, :: strides[0], :: strides[1]])


def largest(codes: Codes, size: tuple[int, int]) -> Codes:
    """Largest element of each window of ``size`` rows and columns, without a part of a window."""
    rows, columns = codes.shape[1] // size[0], codes.shape[2] // size[1]
    whole = codes[:, : rows * size[0], : columns * size[1]]
    cut = whole.reshape(len(codes), rows, size[0], columns, size[1], codes.shape[3])
    return np.asarray(cut.max(axis=(2, 4)))


def repeated(codes: Codes, size: tuple[int, int]) -> Codes:
    """Every element ``size`` times, rows and columns."""
    return codes.repeat(size[0], axis=1).repeat(size[1], axis=2)
