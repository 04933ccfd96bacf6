"""Test inputs: the user's events, the corners of the types, and random draws.

The corners are there because events never reach them: every type's smallest and largest code,
one step around zero, alternating patterns, single active inputs, and, for each neuron of the
first layer, the inputs that drive it furthest up and down, where accumulators and saturating
activations have their edges. Images have corners of their own: a checkerboard, and one pixel in
each corner of the image instead of each input alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import Segment, Vectors
from trigger_ml.graph.model import Conv2D, Dense, FixedGraph
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.graph.windows import as_image

__all__ = ["CORNERS", "EVENTS", "RANDOM", "make_vectors"]

EVENTS: Final = "events"
CORNERS: Final = "corner:"
RANDOM: Final = "random"
MOST_NEURONS: Final = 256
IMAGE_AXES: Final = 3
"""Height, width and channels."""
SPARSEST: Final = 8


def make_vectors(
    graph: FixedGraph,
    events: NDArray[np.floating] | None,
    labels: NDArray[np.int64] | None,
    *,
    total: int,
    random_events: int,
    seed: int,
) -> Vectors:
    """Vectors for a graph: corners first, then events, then random draws.

    Corners come first so that every witness that sees only a part sees those.

    events: values, shape (n, input_size), rounded onto the input types, or None. total: how
    many vectors there shall be at least; random draws fill up. random_events: draws in any
    case.
    """
    types = graph.input_types
    parts = [(CORNERS + name, codes) for name, codes in _corners(graph, types)]
    if events is not None:
        parts.append((EVENTS, encode_inputs(graph, events)))
    so_far = sum(len(codes) for _, codes in parts)
    draws = max(random_events, total - so_far)
    if draws:
        parts.append((RANDOM, _draws(graph, draws, np.random.default_rng(seed))))
    segments: list[Segment] = []
    start = 0
    for name, codes in parts:
        segments.append(Segment(name, start, start + len(codes)))
        start += len(codes)
    codes = np.ascontiguousarray(np.concatenate([codes for _, codes in parts]))
    return Vectors(codes, tuple(segments), seed, labels)


def encode_inputs(graph: FixedGraph, values: NDArray[np.floating]) -> Codes:
    """Values, shape (events, input_size), to codes with the input types' own rounding."""
    columns: list[Codes] = []
    start = 0
    for node in graph.input_nodes:
        columns.append(node.type.encode(values[:, start : start + node.size]))
        start += node.size
    return np.concatenate(columns, axis=1)


def _corners(graph: FixedGraph, types: tuple[FixedType, ...]) -> Iterator[tuple[str, Codes]]:
    low = np.array([kind.min_code for kind in types], dtype=np.int64)
    high = np.array([kind.max_code for kind in types], dtype=np.int64)
    even = np.arange(len(types)) % 2 == 0
    yield "zero", np.zeros((1, len(types)), dtype=np.int64)
    yield "min", low[None]
    yield "max", high[None]
    yield "one step", np.stack([np.minimum(1, high), np.maximum(-1, low)])
    yield "alternating", np.stack([np.where(even, low, high), np.where(even, high, low)])
    yield (
        "inner alternating",
        np.stack([np.where(even, -1, 1), np.where(even, 1, -1)]).clip(low, high),
    )
    levels = (low, high, np.minimum(1, high), np.maximum(-1, low))
    yield "single input", _distinct(np.concatenate([_singles(graph) * level for level in levels]))
    if _has_images(graph):
        board = _checkerboard(graph)
        yield "checkerboard", np.stack([np.where(board, low, high), np.where(board, high, low)])
    bits = max(kind.width for kind in types)
    powers = np.array([1 << bit for bit in range(bits)], dtype=np.int64)[:, None]
    yield "powers of two", np.concatenate([powers, -powers]).clip(low, high)
    extremes = list(_first_layer_extremes(graph, low, high))
    if extremes:
        yield "first layer extremes", np.concatenate(extremes)


def _has_images(graph: FixedGraph) -> bool:
    return any(len(node.shape) == IMAGE_AXES for node in graph.input_nodes)


def _singles(graph: FixedGraph) -> Codes:
    """Rows with a single 1: at each input, or in the corners of an image, channel by channel."""
    rows: list[Codes] = []
    start = 0
    for node in graph.input_nodes:
        places = np.arange(node.size)
        if len(node.shape) == IMAGE_AXES:
            places = places.reshape(node.shape)[np.ix_([0, -1], [0, -1])].reshape(-1)
        block = np.zeros((len(places), graph.input_size), dtype=np.int64)
        block[np.arange(len(places)), start + places] = 1
        rows.append(block)
        start += node.size
    return np.concatenate(rows)


def _checkerboard(graph: FixedGraph) -> NDArray[np.bool_]:
    """True where the sum of an element's indices is even."""
    boards = [np.indices(node.shape).sum(axis=0).ravel() % 2 == 0 for node in graph.input_nodes]
    return np.concatenate(boards)


def _distinct(rows: Codes) -> Codes:
    """Each row once, in the order in which they come first."""
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)]


def _first_layer_extremes(graph: FixedGraph, low: Codes, high: Codes) -> Iterator[Codes]:
    names = {node.name for node in graph.input_nodes}
    if len(names) != 1:
        return
    for node in graph.nodes:
        if not names.intersection(node.inputs):
            continue
        match node.operation:
            case Dense() as dense if dense.weight.shape[0] == len(low):
                weight = dense.weight.T[:MOST_NEURONS]
            case Conv2D() as layer:
                weight = _tiled(layer.weight, graph.input_nodes[0].shape)[:MOST_NEURONS]
            case _:
                continue
        yield np.where(weight > 0, high, np.where(weight < 0, low, 0))
        yield np.where(weight > 0, low, np.where(weight < 0, high, 0))


def _tiled(weight: Codes, shape: tuple[int, ...]) -> Codes:
    """Each filter's kernel side by side all over an image: whole windows lie on whole kernels."""
    rows, columns, channels = np.indices(as_image(shape))
    tiles = weight[rows % weight.shape[0], columns % weight.shape[1], channels]
    return np.ascontiguousarray(tiles.reshape(rows.size, -1).T)


def _draws(graph: FixedGraph, count: int, random: np.random.Generator) -> Codes:
    """Half uniform over all codes, half with a uniform number of bits, so small ones occur.

    In images that half is sparse as well: between all pixels and one in 2**SPARSEST.
    """
    types = graph.input_types
    low = np.array([kind.min_code for kind in types], dtype=np.int64)
    high = np.array([kind.max_code for kind in types], dtype=np.int64)
    uniform = random.integers(low, high + 1, (count, len(types)), dtype=np.int64)
    widths = np.array([kind.width for kind in types])
    shift = random.integers(0, widths, (count, len(types)), dtype=np.int64)
    shift[: count // 2] = 0
    draws = uniform >> shift
    if _has_images(graph):
        share = 2.0 ** -random.uniform(0, SPARSEST, (count, 1))
        share[: count // 2] = 1.0
        draws[random.random(draws.shape) >= share] = 0
    return draws
