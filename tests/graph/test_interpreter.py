"""The interpreter against a plain-Python evaluation with unbounded integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.networks import chain, small_types
from trigger_ml.graph.interpreter import evaluate, trace_edges
from trigger_ml.graph.model import Dense, FixedGraph, Input, Node, Relu, frozen_codes
from trigger_ml.graph.types import FixedType, Overflow


def cast(value: Fraction, kind: FixedType) -> Fraction:
    """Assignment to a fixed-point variable, one number at a time."""
    scaled = value * Fraction(2) ** kind.fraction
    assert scaled.denominator.bit_count() == 1
    fraction = scaled.denominator.bit_length() - 1
    code = int(kind.cast(np.array([scaled.numerator]), fraction + kind.fraction)[0])
    return Fraction(code) / Fraction(2) ** kind.fraction


def by_hand(graph: FixedGraph, row: list[int]) -> list[int]:
    """Outputs of one event: every multiplication and addition written out."""
    edges: dict[str, list[Fraction]] = {}
    for node in graph.nodes:
        operation = node.operation
        if isinstance(operation, Input):
            edges[node.name] = [Fraction(c) / Fraction(2) ** node.type.fraction for c in row]
            continue
        read = edges[node.inputs[0]]
        if isinstance(operation, Relu):
            edges[node.name] = [cast(max(value, Fraction(0)), node.type) for value in read]
            continue
        assert isinstance(operation, Dense)
        weights = operation.weight_type.decode(operation.weight)
        biases = operation.bias_type.decode(operation.bias)
        result = []
        for column in range(weights.shape[1]):
            total = cast(Fraction(biases[column]), operation.accumulator)
            for k, value in enumerate(read):
                product = cast(value * Fraction(weights[k, column]), operation.accumulator)
                total = cast(total + product, operation.accumulator)
            result.append(cast(total, node.type))
        edges[node.name] = result
    out = graph.output_nodes[0]
    return [int(value * Fraction(2) ** out.type.fraction) for value in edges[out.name]]


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_every_sum_and_cast_is_exact(data: st.DataObject, seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = chain(random, [3, 4, 2], lambda: data.draw(small_types()))
    kind = graph.input_nodes[0].type
    codes = random.integers(kind.min_code, kind.max_code + 1, (6, 3))
    found = evaluate(graph, codes)
    assert found.tolist() == [by_hand(graph, row) for row in codes.tolist()]


def test_a_narrow_accumulator_wraps_and_truncates_each_product() -> None:
    """Two products of 0.75 * 0.25 lose their low bits before they are added."""
    accumulator = FixedType(4, 2)
    dense = Dense(
        frozen_codes(np.array([[1], [1]])),
        FixedType(3, 1),
        frozen_codes(np.array([0])),
        FixedType(3, 1),
        accumulator,
    )
    graph = FixedGraph(
        "two",
        (
            Node("x", Input(), (), (2,), FixedType(4, 2)),
            Node("y", dense, ("x",), (1,), accumulator),
        ),
        ("y",),
    )
    assert evaluate(graph, np.array([[3, 3]])).item() == 0
    assert evaluate(graph, np.array([[7, 7]])).item() == 2


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    graph = chain(random, [3, 4, 2], lambda: FixedType(6, 2, overflow=Overflow.SAT))
    codes = random.integers(-32, 32, (50, 3))
    whole = evaluate(graph, codes)
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr("trigger_ml.graph.interpreter.CHUNK", 7)
    assert np.array_equal(evaluate(graph, codes, lambda *at: seen.append(at)), whole)
    assert seen[-1] == (50, 50)


def test_edges_have_the_shapes_of_their_nodes() -> None:
    graph = chain(np.random.default_rng(0), [3, 4, 2], lambda: FixedType(8, 3))
    edges = trace_edges(graph, np.zeros((5, 3), dtype=np.int64))
    assert {name: edge.shape[1:] for name, edge in edges.items()} == {
        node.name: node.shape for node in graph.nodes
    }
