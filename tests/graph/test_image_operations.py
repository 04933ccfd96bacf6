"""Convolutions, pooling, up-sampling and concatenation, against loops over exact fractions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from tests.graph.images import by_hand, convolution, draw, single, u_net
from tests.graph.networks import small_types
from trigger_ml.errors import ModelError
from trigger_ml.graph import interpreter
from trigger_ml.graph.interpreter import evaluate, trace_edges
from trigger_ml.graph.model import (
    Concatenate,
    FixedGraph,
    Input,
    MaxPool2D,
    Multiply,
    Node,
    Transpose,
    UpSample2D,
    frozen_codes,
)
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify

BIT = FixedType(1, 1, signed=False)
WIDE = FixedType(24, 16)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    seed=st.integers(0, 2**32 - 1),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_every_sum_and_cast_of_a_convolution(
    data: st.DataObject,
    seed: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> None:
    random = np.random.default_rng(seed)
    read = (kernel[0] + 2, kernel[1] + 1, 2)
    made = (
        (read[0] + padding[0] + padding[1] - kernel[0]) // strides[0] + 1,
        (read[1] + padding[2] + padding[3] - kernel[1]) // strides[1] + 1,
        3,
    )
    drawn, source, out = (data.draw(small_types()) for _ in range(3))
    layer = convolution(
        random,
        (*kernel, 2, 3),
        lambda: data.draw(small_types()),
        FixedType(drawn.width + 4, drawn.integer + 2),
        strides,
        padding,
    )
    graph = single(layer, read, source, made, out)
    codes = draw(random, source, (3, graph.input_size))
    found = evaluate(graph, codes)
    assert found.tolist() == [by_hand(graph, row) for row in codes.tolist()]


def test_a_muon_chamber_sized_convolution_is_a_correlation() -> None:
    random = np.random.default_rng(4)
    layer = convolution(random, (3, 7, 6, 4), lambda: FixedType(3, 3), WIDE, padding=(1, 1, 3, 3))
    graph = single(layer, (8, 384, 6), BIT, (8, 384, 4), WIDE)
    codes = random.integers(0, 2, (2, graph.input_size))
    edges = trace_edges(graph, codes)
    for image, found in zip(edges["x"], edges["y"], strict=True):
        padded = np.pad(image, ((1, 1), (3, 3), (0, 0)))
        for out in range(4):
            sums = correlate(padded, layer.weight[..., out], mode="valid", method="direct")
            assert np.array_equal(found[..., out] >> 8, sums[..., 0] + layer.bias[out])


@pytest.mark.parametrize("bits", [12, 24, 30])
def test_no_sum_is_rounded_by_the_precision_it_is_made_in(bits: int) -> None:
    """Odd sums just beyond 2**24 and 2**53 would lose their last bit in floating point."""
    random = np.random.default_rng(bits)
    source, kind = FixedType(bits, bits), FixedType(bits, bits)
    layer = convolution(random, (1, 2, 1, 1), lambda: kind, FixedType(62, 62))
    layer = replace(layer, weight=frozen_codes(np.array([kind.max_code, 1]).reshape(1, 2, 1, 1)))
    graph = single(layer, (1, 2, 1), source, (1, 1, 1), FixedType(62, 62))
    codes = np.array([[source.max_code, k] for k in (0, 1, 2)])
    expected = [[source.max_code * kind.max_code + k + int(layer.bias[0])] for k in (0, 1, 2)]
    assert evaluate(graph, codes).tolist() == expected


@settings(max_examples=25, deadline=None)
@given(st.data(), small_types(), small_types())
def test_pooling_and_up_sampling(data: st.DataObject, source: FixedType, out: FixedType) -> None:
    rows, columns = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    random = np.random.default_rng(rows * 5 + columns)
    pool = single(MaxPool2D((rows, columns)), (5, 7, 2), source, (5 // rows, 7 // columns, 2), out)
    up = single(UpSample2D((rows, columns)), (2, 3, 2), source, (2 * rows, 3 * columns, 2), out)
    for graph in (pool, up):
        codes = draw(random, source, (3, graph.input_size))
        assert evaluate(graph, codes).tolist() == [by_hand(graph, row) for row in codes.tolist()]


@settings(max_examples=25, deadline=None)
@given(st.lists(small_types(), min_size=2, max_size=3), small_types())
def test_concatenation_casts_each_input(kinds: list[FixedType], out: FixedType) -> None:
    inputs = [Node(f"x{k}", Input(), (), (2, 2, k + 1), kind) for k, kind in enumerate(kinds)]
    names = tuple(node.name for node in inputs)
    channels = sum(node.shape[2] for node in inputs)
    nodes = (*inputs, Node("y", Concatenate(), names, (2, 2, channels), out))
    graph = verify(FixedGraph("joined", nodes, ("y",)))
    random = np.random.default_rng(channels)
    codes = np.concatenate([draw(random, node.type, (4, node.size)) for node in inputs], axis=1)
    edges = trace_edges(graph, codes)
    for event in range(4):
        for place in np.ndindex(2, 2):
            expected = [
                int(out.cast(edges[node.name][event][place], node.type.fraction)[channel])
                for node in inputs
                for channel in range(node.shape[2])
            ]
            assert edges["y"][event][place].tolist() == expected


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(3)), small_types(), small_types())
def test_transposition_moves_every_element(
    axes: list[int], source: FixedType, out: FixedType
) -> None:
    read = (2, 3, 4)
    made = tuple(read[axis] for axis in axes)
    graph = single(Transpose(tuple(axes)), read, source, made, out)
    codes = draw(np.random.default_rng(axes[0]), source, (3, graph.input_size))
    assert evaluate(graph, codes).tolist() == [by_hand(graph, row) for row in codes.tolist()]
    assert FixedGraph.from_json(graph.to_json()).digest == graph.digest


@settings(max_examples=25, deadline=None)
@given(small_types(), small_types(), small_types())
def test_products_are_exact_before_the_cast(
    left: FixedType, right: FixedType, out: FixedType
) -> None:
    shape = (2, 3, 2)
    inputs = tuple(Node(f"x{k}", Input(), (), shape, kind) for k, kind in enumerate((left, right)))
    nodes = (*inputs, Node("y", Multiply(), ("x0", "x1"), shape, out))
    graph = verify(FixedGraph("product", nodes, ("y",)))
    random = np.random.default_rng(left.width)
    codes = np.concatenate([draw(random, node.type, (4, node.size)) for node in inputs], axis=1)
    found = evaluate(graph, codes)
    one, other = (graph.split_inputs(codes)[name].reshape(4, -1) for name in ("x0", "x1"))
    assert np.array_equal(found, out.cast(one * other, left.fraction + right.fraction))


def test_a_u_net_and_its_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = u_net(5)
    random = np.random.default_rng(6)
    codes = draw(random, graph.input_nodes[0].type, (7, graph.input_size))
    found = evaluate(graph, codes)
    assert found.tolist() == [by_hand(graph, row) for row in codes.tolist()]
    assert len(np.unique(found)) > 20
    copy = FixedGraph.from_json(graph.to_json())
    assert copy.digest == graph.digest
    monkeypatch.setattr(interpreter, "CHUNK_ELEMENTS", 2 * 4 * 6 * 9 * 5)
    seen: list[tuple[int, int]] = []
    assert np.array_equal(evaluate(copy, codes, lambda *at: seen.append(at)), found)
    assert seen == [(2, 7), (4, 7), (6, 7), (7, 7)]


def refusal(*nodes: Node) -> str:
    with pytest.raises(ModelError) as caught:
        verify(FixedGraph("wrong", nodes, (nodes[-1].name,)))
    return str(caught.value)


def test_everything_wrong_with_a_convolution_at_once() -> None:
    random = np.random.default_rng(0)
    layer = convolution(random, (3, 3, 2, 4), lambda: FixedType(4, 2), WIDE)
    x = Node("x", Input(), (), (5, 5, 3), FixedType(4, 2))
    worse = replace(
        layer,
        bias=frozen_codes(np.array([99])),
        strides=(0, 1),
        padding=(-1, 0, 0, 0),
        accumulator=replace(WIDE, overflow=Overflow.SAT),
    )
    text = refusal(x, Node("y", worse, ("x",), (3, 3, 4), WIDE))
    for part in (
        "y: strides (0, 1): each must be at least 1",
        "y: padding (-1, 0, 0, 0): each must be at least 0",
        "y: reads 3 channels, its kernel has 2",
        "y: bias (1,) for 4 filters",
        "y: bias codes 0..99 do not fit fixed<4,2>",
        "depends on the order of sums",
    ):
        assert part in text
    text = refusal(
        replace(x, shape=(5, 5, 2)),
        Node("y", layer, ("x",), (5, 5, 4), WIDE),
        Node("flat", Input(), (), (10,), FixedType(4, 2)),
        Node("z", layer, ("flat",), (3, 3, 4), WIDE),
    )
    assert "makes (3, 3, 4) of (5, 5, 2), not (5, 5, 4)" in text
    assert "z: a convolution of (10,) -> (3, 3, 4)" in text


def test_shapes_of_the_other_image_operations() -> None:
    x = Node("x", Input(), (), (4, 6, 2), BIT)
    text = refusal(
        x,
        Node("small", MaxPool2D((2, 2)), ("x",), (4, 6, 2), BIT),
        Node("large", UpSample2D((2, 1)), ("x",), (8, 12, 2), BIT),
        Node("none", UpSample2D((0, 1)), ("x",), (4, 6, 2), BIT),
        Node("alone", Concatenate(), ("x",), (4, 6, 2), BIT),
        Node("both", Concatenate(), ("x", "small"), (4, 6, 2), BIT),
        Node("uneven", Concatenate(), ("x", "large"), (4, 6, 4), BIT),
        Node("times", Multiply(), ("x", "large"), (4, 6, 2), BIT),
        Node("once", Multiply(), ("x",), (4, 6, 2), BIT),
        Node("wide", Input(), (), (4, 6, 2), FixedType(40, 40)),
        Node("huge", Multiply(), ("wide", "wide"), (4, 6, 2), BIT),
        Node("turned", Transpose((2, 1, 0)), ("x",), (4, 6, 2), BIT),
        Node("twice", Transpose((0, 0, 1)), ("x",), (4, 4, 6), BIT),
    )
    for part in (
        "small: max_pool2d of (2, 2) makes (2, 3, 2) of (4, 6, 2), not (4, 6, 2)",
        "large: up_sample2d of (2, 1) makes (8, 6, 2) of (4, 6, 2), not (8, 12, 2)",
        "none: up_sample2d of (0, 1) reads (4, 6, 2), not an image",
        "alone: concatenate reads two edges or more, found 1",
        "both: (4, 6, 2), (4, 6, 2) side by side are not (4, 6, 2)",
        "uneven: (4, 6, 2), (8, 12, 2) side by side are not (4, 6, 4)",
        "times: (4, 6, 2) times (8, 12, 2), element by element, is not (4, 6, 2)",
        "once: multiply reads two edges, found 1",
        "huge: products of 80 bits do not fit 62",
        "turned: (4, 6, 2) with its axes as (2, 1, 0) is not (4, 6, 2)",
        "twice: axes (0, 0, 1) are not an order of those of (4, 6, 2)",
    ):
        assert part in text


def test_rounding_of_a_pooled_value() -> None:
    out = FixedType(3, 3, rounding=Rounding.RND)
    graph = single(MaxPool2D((1, 2)), (1, 2, 1), FixedType(4, 3), (1, 1, 1), out)
    assert evaluate(graph, np.array([[-3, -5], [1, 2]])).tolist() == [[-1], [1]]
