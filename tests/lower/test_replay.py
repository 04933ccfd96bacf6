"""alkaid's replay of a graph against the graph's own interpreter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.networks import chain, small_types
from trigger_ml.errors import ModelError
from trigger_ml.graph import tables
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import (
    Dense,
    FixedGraph,
    Input,
    Lookup,
    Node,
    QuantizeEach,
    Softmax,
    frozen_codes,
)
from trigger_ml.graph.tail import with_argmax, with_threshold
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph


def all_codes(graph: FixedGraph, count: int = 4096) -> Codes:
    random = np.random.default_rng(0)
    kind = graph.input_nodes[0].type
    codes = random.integers(kind.min_code, kind.max_code + 1, (count, graph.input_size))
    codes[0], codes[1], codes[2] = kind.min_code, kind.max_code, 0
    return codes


def assert_replayed_exactly(graph: FixedGraph) -> None:
    codes = all_codes(verify(graph))
    assert np.array_equal(trace_graph(graph).predict(codes), evaluate(graph, codes))


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_dense_networks_of_any_types(data: st.DataObject, seed: int) -> None:
    random = np.random.default_rng(seed)
    assert_replayed_exactly(chain(random, [3, 4, 3], lambda: data.draw(small_types())))


def two_lengths(accumulator: FixedType, first: int = 8) -> FixedGraph:
    """A dense layer of long inputs on short weights, and of short inputs on long weights.

    Inputs have 4 fraction bits in even rows and 1 in odd ones; weights have 6 in odd rows and 3 in
    even ones, where their codes end in three zeros. So products have 7, if the first two
    weights' code is left at 8, and the types of inputs and weights alone promise 10.
    """
    random = np.random.default_rng(8)
    rows, columns, wide = 12, 6, FixedType(8, 4)
    short = np.arange(rows) % 2
    each = QuantizeEach(
        frozen_codes(np.ones(rows)),
        frozen_codes(8 - 3 * short),
        frozen_codes(np.full(rows, 4)),
        Rounding.TRN,
        Overflow.WRAP,
    )
    codes = random.integers(-100, 100, (rows, columns))
    codes[::2] &= ~7
    codes[[0, 2], 0] = first
    dense = Dense(
        frozen_codes(codes),
        FixedType(8, 2),
        frozen_codes(random.integers(-100, 100, columns)),
        FixedType(8, 2),
        accumulator,
    )
    nodes = (
        *logits(rows, wide),
        Node("each", each, ("x",), (rows,), wide),
        Node("fc", dense, ("each",), (columns,), FixedType(13, 6)),
    )
    return FixedGraph("two_lengths", nodes, ("fc",))


def test_products_that_fit_are_summed_in_shared_adders() -> None:
    """The types alone promise longer products; logic as with room for those, and no larger."""
    graph = two_lengths(FixedType(17, 10))
    assert_replayed_exactly(graph)
    roomy = trace_graph(two_lengths(FixedType(20, 10)))
    assert trace_graph(graph).program.cost == roomy.program.cost


@pytest.mark.parametrize("rounding", [Rounding.TRN, Rounding.RND])
def test_products_that_lose_bits_are_cast_alone(rounding: Rounding) -> None:
    graph = two_lengths(FixedType(17, 10, rounding=rounding), first=9)
    codes = all_codes(graph)
    exact = evaluate(two_lengths(FixedType(20, 10), first=9), codes)
    assert not np.array_equal(evaluate(graph, codes), exact)
    assert_replayed_exactly(graph)


def test_deeper_adders_share_more() -> None:
    graph = chain(np.random.default_rng(1), [12, 8], lambda: FixedType(6, 6))
    shallow, deep = trace_graph(graph, 0), trace_graph(graph, 2)
    assert deep.program.cost < shallow.program.cost
    assert max(shallow.layer_delay.values()) < max(deep.layer_delay.values())
    codes = all_codes(graph)
    assert np.array_equal(shallow.predict(codes), deep.predict(codes))


@pytest.mark.parametrize("integer", [1, 0])
def test_products_of_lone_sign_bits(integer: int) -> None:
    """Bits of value 0 or minus one step: alkaid's tables of six bits take them for positive."""
    kinds = [FixedType(1, integer), *(FixedType(8, 3) for _ in range(4))]
    graph = chain(np.random.default_rng(5), [13, 3], lambda: kinds.pop(0))
    assert_replayed_exactly(graph)


def logits(size: int, kind: FixedType) -> tuple[Node, ...]:
    return (Node("x", Input(), (), (size,), kind),)


@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
def test_tables(function: str) -> None:
    source, out = FixedType(9, 4), FixedType(12, 2, rounding=Rounding.RND)
    table = tables.hls4ml_table(function, source, FixedType(18, 8), 1024, out)
    node = Node("y", Lookup(function, frozen_codes(table)), ("x",), (3,), out)
    assert_replayed_exactly(FixedGraph("table", (*logits(3, source), node), ("y",)))


def softmax_graph(size: int) -> FixedGraph:
    source, out = FixedType(9, 4), FixedType(20, 2, signed=False)
    difference = FixedType.parse("ufixed<8,4,RND,SAT>")
    sums = FixedType.parse("ufixed<8,3,RND,SAT>")
    table = FixedType.parse("ufixed<12,1,RND,SAT>")
    exponential, inverse = tables.softmax_tables(difference, 256, table, sums, 256, table)
    operation = Softmax(
        difference,
        frozen_codes(exponential),
        table,
        FixedType(16, 5, signed=False),
        sums,
        frozen_codes(inverse),
        table,
    )
    nodes = (*logits(size, source), Node("y", operation, ("x",), (size,), out))
    return FixedGraph("softmax", nodes, ("y",))


@pytest.mark.parametrize("size", [2, 5])
def test_softmax(size: int) -> None:
    assert_replayed_exactly(softmax_graph(size))


def test_softmax_adds_up_to_one() -> None:
    graph = softmax_graph(5)
    codes = all_codes(graph)
    total = graph.output_nodes[0].type.decode(evaluate(graph, codes)).sum(axis=1)
    assert np.abs(total - 1).max() < 0.04


@pytest.mark.parametrize("size", [2, 3, 5, 8])
def test_argmax_the_first_of_equals_wins(size: int) -> None:
    graph = FixedGraph("logits", logits(size, FixedType(3, 3)), ("x",))
    decided = with_argmax(graph)
    codes = all_codes(graph)
    assert np.array_equal(evaluate(decided, codes)[:, 0], codes.argmax(axis=1))
    assert_replayed_exactly(decided)


@pytest.mark.parametrize("threshold", [-20.0, -0.3, 0.0, 0.25, 0.3, 20.0])
def test_threshold_is_at_or_above(threshold: float) -> None:
    graph = FixedGraph("logits", logits(2, FixedType(8, 4)), ("x",))
    decided = with_threshold(graph, threshold)
    codes = all_codes(graph)
    assert np.array_equal(evaluate(decided, codes), codes / 16 >= threshold)
    assert_replayed_exactly(decided)


def test_modes_without_rtl_are_all_named() -> None:
    odd = FixedType(6, 2, rounding=Rounding.RND_ZERO)
    graph = chain(np.random.default_rng(0), [2, 2, 2], lambda: odd)
    with pytest.raises(ModelError) as caught:
        trace_graph(graph)
    assert [blocker.where for blocker in caught.value.blockers] == ["fc0", "relu0", "fc1"]
