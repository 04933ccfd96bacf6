"""Which inputs the witnesses are compared on."""

import numpy as np
import pytest

from tests.graph.images import convolution, single
from tests.graph.networks import chain
from trigger_ml.artifacts import Vectors
from trigger_ml.graph.interpreter import trace_edges
from trigger_ml.graph.model import Conv2D, FixedGraph
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.simulate.vectors import EVENTS, RANDOM, make_vectors

BIT = FixedType(1, 1, signed=False)
WIDE = FixedType(24, 16)


def image_graph(source: FixedType, padding: tuple[int, int, int, int]) -> FixedGraph:
    layer = convolution(
        np.random.default_rng(2), (3, 3, 2, 4), lambda: FixedType(4, 4), WIDE, padding=padding
    )
    rows, columns = 4 + padding[0] + padding[1], 4 + padding[2] + padding[3]
    return single(layer, (6, 6, 2), source, (rows, columns, 4), WIDE)


def vectors_of(graph: FixedGraph, **changes: int) -> Vectors:
    counts = {"total": 1, "random_events": 40, "seed": 3, **changes}
    return make_vectors(graph, None, None, **counts)


def corner(vectors: Vectors, name: str) -> Codes:
    rows = vectors.rows(f"corner:{name}")
    assert rows.stop > rows.start, name
    return vectors.codes[rows]


def test_corners_of_an_image_of_bits() -> None:
    vectors = vectors_of(image_graph(BIT, (1, 1, 1, 1)))
    assert not corner(vectors, "zero").any()
    assert corner(vectors, "max").all()
    board = corner(vectors, "checkerboard").reshape(2, 6, 6, 2)
    assert np.array_equal(board[0], 1 - board[1])
    for axis in (1, 2, 3):
        assert (np.diff(board, axis=axis) != 0).all()
    singles = corner(vectors, "single input").reshape(-1, 6, 6, 2)
    places = {tuple(place) for image in singles for place in np.argwhere(image).tolist()}
    assert places == {(i, j, k) for i in (0, 5) for j in (0, 5) for k in (0, 1)}
    assert len(singles) == len(places) + 1  # and an empty one


def test_a_large_image_has_few_corners() -> None:
    """One image for each of 18,432 inputs would be 2.7 GB, and an hour of C simulation."""
    layer = convolution(
        np.random.default_rng(2), (3, 7, 6, 4), lambda: FixedType(3, 3), WIDE, padding=(1, 1, 3, 3)
    )
    graph = single(layer, (8, 384, 6), BIT, (8, 384, 4), WIDE)
    assert len(vectors_of(graph, random_events=1).codes) < 60


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 2)])
def test_some_window_drives_each_filter_to_its_ends(padding: tuple[int, int, int, int]) -> None:
    source = FixedType(3, 3)
    graph = image_graph(source, padding)
    sums = trace_edges(graph, vectors_of(graph).codes)["y"].reshape(-1, 4) >> 8
    layer = graph.by_name["y"].operation
    assert isinstance(layer, Conv2D)
    ends = np.stack([layer.weight * source.min_code, layer.weight * source.max_code])
    highest = ends.max(axis=0).sum(axis=(0, 1, 2)) + layer.bias
    lowest = ends.min(axis=0).sum(axis=(0, 1, 2)) + layer.bias
    assert sums.max(axis=0).tolist() == highest.tolist()
    assert sums.min(axis=0).tolist() == lowest.tolist()


def test_random_images_are_dense_and_sparse() -> None:
    vectors = vectors_of(image_graph(BIT, (0, 0, 0, 0)), random_events=200)
    share = vectors.codes[vectors.rows(RANDOM)].mean(axis=1)
    assert abs(share[:100].mean() - 0.5) < 0.05
    assert np.median(share[100:]) < 0.1


def test_features_keep_one_vector_for_each_input() -> None:
    graph = chain(np.random.default_rng(1), [5, 3], lambda: FixedType(6, 2))
    vectors = vectors_of(graph, total=500)
    singles = corner(vectors, "single input")
    assert len(singles) == 4 * 5
    assert (np.count_nonzero(singles, axis=1) == 1).all()
    assert len(vectors.codes) == 500
    assert vectors.segments[-1].name == RANDOM


def test_events_stand_between_corners_and_draws() -> None:
    graph = image_graph(BIT, (0, 0, 0, 0))
    images = np.random.default_rng(0).integers(0, 2, (7, 72)).astype(np.float64)
    vectors = make_vectors(graph, images, None, total=1, random_events=3, seed=1)
    assert np.array_equal(vectors.codes[vectors.rows(EVENTS)], images)
    assert [segment.name for segment in vectors.segments[-2:]] == [EVENTS, RANDOM]
