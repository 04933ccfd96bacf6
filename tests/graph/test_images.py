"""Operations on images and sequences against loops over exact fractions, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.graph.flat_images import by_element, one
from tests.graph.images import by_hand, convolution, draw
from tests.graph.networks import small_types
from trigger_ml.errors import ModelError
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, MaxPool2D, Operation, UpSample2D
from trigger_ml.graph.types import FixedType, Overflow
from trigger_ml.graph.verify import verify
from trigger_ml.graph.windows import window_count

Around = tuple[int, int, int, int]

KIND = FixedType(5, 2)
WIDE = FixedType(12, 6)
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3))
AROUND = st.tuples(*[st.integers(0, 1)] * 4)


def assert_by_element(graph: FixedGraph, seed: int) -> None:
    random = np.random.default_rng(seed)
    codes = draw(random, graph.input_nodes[0].type, (4, graph.input_size))
    assert evaluate(graph, codes).tolist() == [by_element(graph, row) for row in codes.tolist()]


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1), SIZES, SIZES, AROUND)
def test_the_largest_of_windows(
    data: st.DataObject, seed: int, size: tuple[int, int], strides: tuple[int, int], around: Around
) -> None:
    """Whatever stands beyond the image is never the largest, not even of negative values."""
    assume(around[0] < size[0] and around[1] < size[0])
    assume(around[2] < size[1] and around[3] < size[1])
    read = (3, 4, 2)
    made = (*window_count(read, size, strides, around), 2)
    source, out = data.draw(small_types()), data.draw(small_types())
    assert_by_element(one(MaxPool(size, strides, around), read, made, source, out), seed)


@pytest.mark.parametrize(
    ("size", "strides", "around"),
    [
        ((2, 2), (2, 2), (0, 1, 0, 1)),
        ((1, 4), (1, 1), (0, 0, 0, 0)),
        ((4, 2), (1, 3), (0, 0, 0, 0)),
        ((2, 1), (1, 1), (1, 1, 0, 0)),
    ],
)
def test_means_of_windows(size: tuple[int, int], strides: tuple[int, int], around: Around) -> None:
    """Of 2, 4 or 8 elements and of those inside the image alone; sums may wrap."""
    read = (5, 5, 2)
    made = (*window_count(read, size, strides, around), 2)
    for accumulator in (FixedType(12, 6), FixedType(8, 2)):
        pool = AveragePool(size, strides, around, accumulator)
        assert_by_element(one(pool, read, made, KIND, FixedType(7, 2)), 1)


@pytest.mark.parametrize(
    ("operation", "read", "made"),
    [
        (ZeroPad((1, 0, 2, 1)), (2, 3, 2), (3, 6, 2)),
        (ZeroPad((0, 0, 1, 2)), (3, 2), (6, 2)),
        (Crop((1, 0, 0, 2)), (3, 4, 2), (2, 2, 2)),
        (Crop((0, 0, 1, 1)), (4, 3), (2, 3)),
        (MaxPool((1, 3), (1, 2), (0, 0, 0, 0)), (7, 2), (3, 2)),
        (MaxPool((2, 3), (1, 1), (0, 0, 0, 0)), (2, 3, 2), (2,)),
        (AveragePool((1, 2), (1, 2), (0, 0, 0, 1), WIDE), (5, 2), (3, 2)),
        (AveragePool((2, 4), (2, 4), (0, 0, 0, 0), WIDE), (2, 4, 3), (3,)),
        (AveragePool((1, 4), (1, 4), (0, 0, 0, 0), WIDE), (4, 3), (3,)),
    ],
)
def test_images_and_sequences(
    operation: Operation, read: tuple[int, ...], made: tuple[int, ...]
) -> None:
    graph = one(operation, read, made, KIND, FixedType(4, 2, False))
    assert_by_element(graph, 2)
    copy = FixedGraph.from_json(graph.to_json())
    assert copy.digest == graph.digest


def test_a_sequence_is_an_image_of_one_row() -> None:
    """In convolutions, pooling and up-sampling as streams know them."""
    random = np.random.default_rng(3)
    layer = convolution(random, (1, 3, 2, 3), lambda: KIND, WIDE, (1, 2), (0, 0, 2, 1))
    operations: list[tuple[Operation, int, int]] = [
        (layer, 4, 3),
        (MaxPool2D((1, 2)), 3, 2),
        (UpSample2D((1, 3)), 18, 2),
    ]
    for operation, steps, channels in operations:
        sequence = one(operation, (6, 2), (steps, channels), KIND, WIDE)
        image = one(operation, (1, 6, 2), (1, steps, channels), KIND, WIDE)
        codes = draw(random, KIND, (8, 12))
        found = evaluate(sequence, codes)
        assert np.array_equal(found, evaluate(image, codes))
        assert found.tolist() == [by_hand(image, row) for row in codes.tolist()]


POOL = AveragePool((2, 2), (2, 2), (0, 0, 0, 0), WIDE)
SATURATING = replace(WIDE, overflow=Overflow.SAT)


@pytest.mark.parametrize(
    ("operation", "read", "made", "reason"),
    [
        (replace(POOL, size=(1, 3), strides=(1, 1)), (2, 4, 1), (2, 2, 1), "over 3 elements"),
        (replace(POOL, padding=(0, 0, 1, 0), size=(1, 3)), (2, 4, 1), (1, 2, 1), "over 3"),
        (replace(POOL, accumulator=FixedType(8, 4)), (2, 4, 1), (1, 2, 1), "hold the quotient"),
        (replace(POOL, accumulator=SATURATING), (2, 4, 1), (1, 2, 1), "saturates"),
        (replace(POOL, padding=(2, 0, 0, 0)), (2, 2, 1), (2, 1, 1), "no element inside"),
        (replace(POOL, strides=(0, 1)), (2, 2, 1), (1, 1, 1), "windows"),
        (POOL, (2, 4, 1), (1, 3, 1), r"makes \(1, 2, 1\) of \(2, 4, 1\), not \(1, 3, 1\)"),
        (POOL, (2, 2), (1, 2), "makes 0 rows of a sequence"),
        (POOL, (4,), (2,), "neither an image nor a sequence"),
        (ZeroPad((1, 0, 0, 0)), (3, 2), (2, 3, 2), "makes 2 rows of a sequence"),
        (ZeroPad((-1, 0, 0, 0)), (3, 2, 1), (2, 2, 1), "each must be at least 0"),
        (Crop((0, -1, 0, 0)), (3, 2, 1), (4, 2, 1), "each must be at least 0"),
        (Crop((1, 1, 0, 0)), (2, 2, 1), (0, 2, 1), "makes"),
        (MaxPool2D((2, 1)), (4, 2), (2, 2), "makes"),
    ],
)
def test_what_has_no_meaning_is_refused(
    operation: Operation, read: tuple[int, ...], made: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        verify(one(operation, read, made, KIND, WIDE))
