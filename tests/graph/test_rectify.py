"""The family of ReLU against plain Python and in alkaid."""

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.networks import small_types
from tests.graph.test_merges import assert_witnesses_agree, cast, values
from trigger_ml.errors import ModelError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Input, Node, frozen_codes
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph

KIND: Final = FixedType(6, 3)
SLOPES: Final = FixedType(5, 2)
WIDE: Final = FixedType(30, 15)


def graph_of(
    slopes: list[int],
    threshold: int,
    bound: int | None,
    source: FixedType = KIND,
    out: FixedType = WIDE,
) -> FixedGraph:
    """One node behind an input; threshold and bound with two fraction bits."""
    rectify = Rectify(frozen_codes(np.array(slopes)), SLOPES, threshold, bound, 2)
    nodes = (
        Node("x", Input(), (), (len(slopes),), source),
        Node("y", rectify, ("x",), (len(slopes),), out),
    )
    return FixedGraph("net", nodes, ("y",))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-16, 15), min_size=3, max_size=3),
    st.integers(-20, 20),
    st.one_of(st.none(), st.integers(1, 60)),
    small_types(),
    small_types(),
)
def test_two_lines_of_any_types(
    slopes: list[int], threshold: int, room: int | None, source: FixedType, out: FixedType
) -> None:
    bound = None if room is None else threshold + room
    codes, found = assert_witnesses_agree(graph_of(slopes, threshold, bound, source, out))
    for row, given_codes in zip(found, codes, strict=True):
        exact = [
            _rectified(x, Fraction(slope, 8), Fraction(threshold, 4), bound)
            for x, slope in zip(values(given_codes, source), slopes, strict=True)
        ]
        assert values(row, out) == [cast(value, out) for value in exact]


def _rectified(x: Fraction, slope: Fraction, threshold: Fraction, bound: int | None) -> Fraction:
    if x <= threshold:
        return slope * x
    return x if bound is None else min(x, Fraction(bound, 4))


def test_known_values() -> None:
    """Every code of fixed<3,3>: -4 to 3."""
    integers = FixedType(3, 3)
    graph = verify(graph_of([4, 0], 4, 9, integers))
    codes = np.repeat(np.arange(-4, 4)[:, None], 2, axis=1)
    found = graph.output_nodes[0].type.decode(evaluate(graph, codes))
    traced = graph.output_nodes[0].type.decode(trace_graph(graph).predict(codes))
    assert np.array_equal(traced, found)
    assert found[:, 0].tolist() == [-2, -1.5, -1, -0.5, 0, 0.5, 2, 2.25]
    assert found[:, 1].tolist() == [0, 0, 0, 0, 0, 0, 2, 2.25]


def test_what_does_not_fit_is_refused() -> None:
    graph = verify(graph_of([1, 2], 0, 5))
    source, node = graph.nodes
    for changed, message in (
        (replace(node, shape=(3,)), r"slopes \(2,\) do not fit \(2,\) -> \(3,\)"),
        (_with(node, slope=frozen_codes(np.array([1, 16]))), "slope codes 0..16 do not fit"),
        (_with(node, bound=0), "the bound is not above the threshold"),
        (_with(node, fraction=-60, bound=None, threshold=3), "bits do not fit 62"),
    ):
        with pytest.raises(ModelError, match=message):
            verify(replace(graph, nodes=(source, changed)))


def _with(node: Node, **changes: object) -> Node:
    assert isinstance(node.operation, Rectify)
    return replace(node, operation=replace(node.operation, **changes))
