"""Operations on images and sequences in alkaid against the graph's own interpreter."""

import numpy as np
import pytest

from tests.graph.flat_images import one
from tests.graph.images import convolution, draw
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import (
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
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph

KIND = FixedType(4, 2)
WIDE = FixedType(9, 5)
NARROW = FixedType(3, 2, False, Rounding.RND_CONV, Overflow.SAT)
NONE = (0, 0, 0, 0)


@pytest.mark.parametrize("out", [WIDE, NARROW], ids=str)
@pytest.mark.parametrize(
    ("operation", "read", "made"),
    [
        (MaxPool((2, 3), (1, 2), (0, 1, 1, 0)), (3, 4, 2), (3, 2, 2)),
        (MaxPool((1, 2), (1, 2), (0, 0, 0, 1)), (3, 2), (2, 2)),
        (MaxPool((2, 3), (2, 3), NONE), (2, 3, 2), (2,)),
        (AveragePool((2, 2), (2, 2), (0, 1, 0, 1), WIDE), (3, 3, 2), (2, 2, 2)),
        (AveragePool((2, 2), (1, 1), NONE, FixedType(6, 2)), (2, 3, 1), (1, 2, 1)),
        (AveragePool((1, 4), (1, 4), NONE, WIDE), (4, 3), (3,)),
        (ZeroPad((1, 0, 0, 2)), (2, 2, 2), (3, 4, 2)),
        (ZeroPad((0, 0, 1, 1)), (3, 2), (5, 2)),
        (Crop((0, 1, 1, 0)), (3, 3, 2), (2, 2, 2)),
        (Crop((0, 0, 2, 1)), (5, 2), (2, 2)),
        (MaxPool2D((1, 2)), (5, 2), (2, 2)),
        (UpSample2D((1, 3)), (2, 2), (6, 2)),
    ],
)
def test_rtl_computes_the_integers_of_the_graph(
    operation: Operation, read: tuple[int, ...], made: tuple[int, ...], out: FixedType
) -> None:
    graph = one(operation, read, made, KIND, out)
    codes = draw(np.random.default_rng(5), KIND, (2000, graph.input_size))
    codes[0], codes[1], codes[2] = KIND.min_code, KIND.max_code, 0
    assert np.array_equal(trace_graph(graph).predict(codes), evaluate(graph, codes))


def test_a_convolution_of_a_sequence() -> None:
    random = np.random.default_rng(6)
    layer = convolution(random, (1, 3, 2, 3), lambda: KIND, WIDE, (1, 2), (0, 0, 2, 0))
    graph = one(layer, (6, 2), (3, 3), KIND, FixedType(7, 4))
    codes = draw(random, KIND, (2000, 12))
    assert np.array_equal(trace_graph(graph).predict(codes), evaluate(graph, codes))


def test_sums_of_constants_alone() -> None:
    """One channel is never let through, and the weights of the other one are zero."""

    def pixel(weight: list[list[int]], bias: list[int]) -> Conv2D:
        codes, kind = frozen_codes(np.array(weight)[None, None]), FixedType(4, 3)
        return Conv2D(codes, kind, frozen_codes(np.array(bias)), kind, WIDE, (1, 1), NONE)

    nodes = (
        Node("x", Input(), (), (1, 2, 1), KIND),
        Node("two", pixel([[2, 0]], [0, -3]), ("x",), (1, 2, 2), WIDE),
        Node("relu", Relu(), ("two",), (1, 2, 2), FixedType(4, 3, False)),
        Node("dead", pixel([[0, 0, 0], [2, 1, 3]], [1, -2, 3]), ("relu",), (1, 2, 3), WIDE),
        Node("both", pixel([[1], [1], [1]], [0]), ("dead",), (1, 2, 1), WIDE),
    )
    graph = verify(FixedGraph("dead", nodes, ("two", "both")))
    codes = draw(np.random.default_rng(7), KIND, (500, 2))
    assert np.array_equal(trace_graph(graph).predict(codes), evaluate(graph, codes))
