"""Operations on images and sequences: what must hold of them, and what they compute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.model import Node
from trigger_ml.graph.types import Codes, FixedType, Overflow
from trigger_ml.graph.windows import as_image, window_count, window_views

__all__ = ["evaluate_image", "image_problems", "window_sizes"]


def image_problems(node: Node, read: Node) -> Iterator[Blocker]:
    """What is wrong with a node of one of IMAGE_OPERATIONS."""
    operation, kind = node.operation, node.operation.kind
    if len(read.shape) not in (2, 3):
        yield Blocker(node.name, f"{kind} reads {read.shape}, neither an image nor a sequence")
        return
    height, width, channels = as_image(read.shape)
    match operation:
        case MaxPool() | AveragePool():
            if min(*operation.size, *operation.strides) < 1 or min(operation.padding) < 0:
                yield Blocker(node.name, f"windows {operation.size} each {operation.strides}")
                return
            places = window_count(
                (height, width), operation.size, operation.strides, operation.padding
            )
            if min(places) >= 1:
                yield from _window_problems(node, operation, read)
        case ZeroPad(padding=padding):
            places = (height + padding[0] + padding[1], width + padding[2] + padding[3])
            if min(padding) < 0:
                yield Blocker(node.name, f"padding {padding}: each must be at least 0")
        case Crop(cropping=cropping):
            places = (height - cropping[0] - cropping[1], width - cropping[2] - cropping[3])
            if min(cropping) < 0:
                yield Blocker(node.name, f"cropping {cropping}: each must be at least 0")
        case _:
            raise AssertionError(f"no meaning of {kind}")
    made = (*places, channels)
    # A pooling of everything leaves the channels alone.
    fits: list[tuple[int, ...]] = [made, made[2:] if places == (1, 1) else made]
    if len(read.shape) == 2:
        fits.append(made[1:])
        if places[0] != 1:
            yield Blocker(node.name, f"{kind} makes {places[0]} rows of a sequence")
    if node.shape not in fits or min(places) < 1:
        yield Blocker(node.name, f"{kind} makes {made} of {read.shape}, not {node.shape}")


def _window_problems(node: Node, pool: MaxPool | AveragePool, read: Node) -> Iterator[Blocker]:
    sizes = window_sizes(pool, read.shape)
    if sizes.min() < 1:
        yield Blocker(node.name, "a window has no element inside the image")
    elif isinstance(pool, AveragePool):
        odd = [int(size) for size in np.unique(sizes) if size & (size - 1)]
        if odd:
            yield Blocker(
                node.name,
                f"an average over {odd[0]} elements is not exact in fixed point",
                "use windows of 2, 4, 8 ... elements, or pool the largest ones",
            )
        halvings = int(sizes.max()).bit_length() - 1
        kind = pool.accumulator
        if kind.fraction < read.type.fraction + halvings:
            yield Blocker(node.name, f"the accumulator {kind} cannot hold the quotient")
        if kind.overflow is not Overflow.WRAP:
            yield Blocker(
                node.name,
                f"the accumulator {kind} saturates, so its result depends on the order of sums",
                "use a wrapping accumulator wide enough for the sum",
            )


def window_sizes(pool: MaxPool | AveragePool, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Elements of each window inside an image of ``shape``, (rows, columns) of windows."""
    inside = np.ones((1, *as_image(shape)[:2], 1), dtype=np.int64)
    views = window_views(inside, pool.size, pool.strides, pool.padding, 0)
    return np.asarray(views.sum(axis=(4, 5))[0, :, :, 0])


def evaluate_image(node: Node, codes: Codes, source: FixedType) -> Codes:
    """Codes of one of IMAGE_OPERATIONS. codes: shape (events, *shape of what it reads)."""
    shape = codes.shape[1:]
    images = codes.reshape(len(codes), *as_image(shape))
    fraction = source.fraction
    match node.operation:
        case MaxPool() as pool:
            views = window_views(images, pool.size, pool.strides, pool.padding, source.min_code)
            result = views.max(axis=(4, 5))
        case AveragePool() as pool:
            result = _means(pool, images, window_sizes(pool, shape), source)
            fraction = pool.accumulator.fraction
        case ZeroPad(padding=(above, below, left, right)):
            result = np.pad(images, ((0, 0), (above, below), (left, right), (0, 0)))
        case Crop(cropping=(above, below, left, right)):
            height, width = images.shape[1:3]
            result = images[:, above : height - below, left : width - right]
        case _:
            raise AssertionError(f"no meaning of {node.operation.kind}")
    return node.type.cast(result.reshape(len(codes), *node.shape), fraction)


def _means(
    pool: AveragePool, images: Codes, sizes: NDArray[np.int64], source: FixedType
) -> NDArray[np.int64]:
    """Mean of each window in the accumulator: the sum wraps there before it is divided."""
    kind = pool.accumulator
    views = window_views(images, pool.size, pool.strides, pool.padding, 0)
    total = kind.cast(views.sum(axis=(4, 5)), source.fraction)
    halvings = np.log2(sizes).round().astype(np.int64)[..., None]
    return total >> halvings
