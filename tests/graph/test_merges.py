"""Merges of two edges and changes of shape, against plain Python and in alkaid."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.networks import small_types
from trigger_ml.errors import ModelError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.merge_operations import (
    Add,
    Average,
    Dot,
    Maximum,
    Merge,
    Minimum,
    Reshape,
    Subtract,
)
from trigger_ml.graph.model import FixedGraph, Input, Multiply, Node, Operation
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph

WIDE: Final = FixedType(40, 20)
SUMS: Final = FixedType(24, 12)
EXACT: Final[dict[Operation, Callable[[Fraction, Fraction], Fraction]]] = {
    Add(): lambda a, b: a + b,
    Subtract(): lambda a, b: a - b,
    Average(): lambda a, b: (a + b) / 2,
    Maximum(): max,
    Minimum(): min,
    Multiply(): lambda a, b: a * b,
}


def cast(value: Fraction, kind: FixedType) -> Fraction:
    """Assignment to a fixed-point variable."""
    fraction = max(value.denominator.bit_length() - 1, kind.fraction, 0)
    code = int(kind.cast(np.array([int(value * 2**fraction)]), fraction)[0])
    return Fraction(code) / Fraction(2) ** kind.fraction


def values(codes: Codes, kind: FixedType) -> list[Fraction]:
    return [Fraction(int(code)) / Fraction(2) ** kind.fraction for code in np.ravel(codes)]


def joined(
    operation: Operation,
    left: FixedType,
    right: FixedType,
    out: FixedType,
    shape: tuple[int, ...] = (3,),
) -> FixedGraph:
    """Two inputs into one operation."""
    made = (1,) if isinstance(operation, Dot) else shape
    nodes = (
        Node("a", Input(), (), shape, left),
        Node("b", Input(), (), shape, right),
        Node("y", operation, ("a", "b"), made, out),
    )
    return FixedGraph("net", nodes, ("y",))


def draws(graph: FixedGraph, count: int = 200) -> Codes:
    random = np.random.default_rng(0)
    low = np.array([kind.min_code for kind in graph.input_types])
    high = np.array([kind.max_code for kind in graph.input_types])
    codes = random.integers(low, high + 1, (count, graph.input_size))
    codes[0], codes[1] = low, high
    return codes


def assert_witnesses_agree(graph: FixedGraph) -> tuple[Codes, Codes]:
    """Interpreter, JSON copy and alkaid; returns inputs and outputs."""
    codes = draws(verify(graph))
    found = evaluate(graph, codes)
    copy = FixedGraph.from_json(graph.to_json())
    assert copy.digest == graph.digest
    assert np.array_equal(evaluate(copy, codes), found)
    assert np.array_equal(trace_graph(graph).predict(codes), found)
    return codes, found


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(EXACT)), small_types(), small_types(), small_types())
def test_elementwise_merges_of_any_types(
    operation: Operation, left: FixedType, right: FixedType, out: FixedType
) -> None:
    graph = joined(operation, left, right, out)
    codes, found = assert_witnesses_agree(graph)
    for row, given_codes in zip(found, codes, strict=True):
        pairs = zip(values(given_codes[:3], left), values(given_codes[3:], right), strict=True)
        assert values(row, out) == [cast(EXACT[operation](a, b), out) for a, b in pairs]


@settings(max_examples=25, deadline=None)
@given(small_types(), small_types(), small_types())
def test_dot_of_any_types(left: FixedType, right: FixedType, out: FixedType) -> None:
    codes, found = assert_witnesses_agree(joined(Dot(SUMS), left, right, out))
    for row, given_codes in zip(found, codes, strict=True):
        pairs = zip(values(given_codes[:3], left), values(given_codes[3:], right), strict=True)
        products = [cast(a * b, SUMS) for a, b in pairs]
        total = cast(sum(products, Fraction(0)), SUMS)
        assert values(row, out) == [cast(total, out)]


def test_a_merge_of_an_edge_with_itself() -> None:
    kind = FixedType(5, 3)
    for operation in EXACT:
        nodes = (
            Node("a", Input(), (), (4,), kind),
            Node("y", operation, ("a", "a"), (4,), WIDE),
        )
        codes, found = assert_witnesses_agree(FixedGraph("net", nodes, ("y",)))
        for row, given_codes in zip(found, codes, strict=True):
            exact = [EXACT[operation](a, a) for a in values(given_codes, kind)]
            assert values(row, WIDE) == exact


def test_merges_of_images() -> None:
    left, right = FixedType(4, 2), FixedType(5, 2, signed=False)
    for operation in EXACT:
        graph = joined(operation, left, right, FixedType(12, 6), (2, 3, 2))
        codes, found = assert_witnesses_agree(graph)
        flat = joined(operation, left, right, FixedType(12, 6), (12,))
        assert np.array_equal(evaluate(flat, codes), found)


def test_reshape_keeps_the_order_of_the_elements() -> None:
    kind, out = FixedType(6, 3), FixedType(4, 2, True, Rounding.RND, Overflow.SAT)
    nodes = (
        Node("a", Input(), (), (2, 3, 2), kind),
        Node("y", Reshape(), ("a",), (4, 3), out),
    )
    codes, found = assert_witnesses_agree(FixedGraph("net", nodes, ("y",)))
    assert np.array_equal(found, out.cast(codes, kind.fraction))


KIND: Final = FixedType(6, 3)


@pytest.mark.parametrize("operation", [*EXACT, Dot(SUMS)])
def test_a_merge_reads_two_edges_of_one_shape(operation: Operation) -> None:
    graph = verify(joined(operation, KIND, KIND, WIDE))
    one = replace(graph.nodes[2], inputs=("a",))
    with pytest.raises(ModelError, match="reads two edges, found 1"):
        verify(replace(graph, nodes=(*graph.nodes[:2], one)))
    other = replace(graph.nodes[1], shape=(4,))
    with pytest.raises(ModelError, match=r"\(3,\).*\(4,\)"):
        verify(replace(graph, nodes=(graph.nodes[0], other, graph.nodes[2])))


def test_a_dot_reads_vectors_and_its_accumulator_wraps() -> None:
    with pytest.raises(ModelError, match=r"dot of \(2, 2\) and \(2, 2\) is not \(1,\)"):
        verify(joined(Dot(SUMS), KIND, KIND, WIDE, (2, 2)))
    saturating = replace(SUMS, overflow=Overflow.SAT)
    with pytest.raises(ModelError, match="saturates, so its result depends on the order"):
        verify(joined(Dot(saturating), KIND, KIND, WIDE))


@pytest.mark.parametrize("operation", [Add(), Dot(SUMS)])
def test_results_fit_the_integers_that_hold_them(operation: Merge) -> None:
    with pytest.raises(ModelError, match="bits do not fit 62"):
        verify(joined(operation, FixedType(40, 40), FixedType(40, 0), WIDE))


def test_a_reshape_keeps_the_number_of_elements() -> None:
    nodes = (Node("a", Input(), (), (2, 3), KIND), Node("y", Reshape(), ("a",), (5,), KIND))
    with pytest.raises(ModelError, match=r"the 6 elements of \(2, 3\) are not those of \(5,\)"):
        verify(FixedGraph("net", nodes, ("y",)))
