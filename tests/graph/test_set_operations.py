"""Contractions, averages and a type for each element, against plain Python and in alkaid."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.networks import small_types
from trigger_ml.errors import ModelError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import (
    EinsumDense,
    FixedGraph,
    GlobalAverage,
    Input,
    Node,
    QuantizeEach,
    frozen_codes,
)
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph

WIDE = FixedType(40, 20)


def cast(value: Fraction, kind: FixedType) -> Fraction:
    """Assignment to a fixed-point variable."""
    fraction = max(value.denominator.bit_length() - 1, kind.fraction, 0)
    code = int(kind.cast(np.array([int(value * 2**fraction)]), fraction)[0])
    return Fraction(code) / Fraction(2) ** kind.fraction


def values(codes: Codes, kind: FixedType) -> list[Fraction]:
    return [Fraction(int(code)) / Fraction(2) ** kind.fraction for code in np.ravel(codes)]


def draws(kind: FixedType, shape: tuple[int, ...], seed: int = 0) -> Codes:
    return np.random.default_rng(seed).integers(kind.min_code, kind.max_code + 1, shape)


def graph_of(node: Node, shape: tuple[int, ...], kind: FixedType) -> FixedGraph:
    return verify(FixedGraph("net", (Node("x", Input(), (), shape, kind), node), ("y",)))


def assert_witnesses_agree(graph: FixedGraph, count: int = 64) -> tuple[Codes, Codes]:
    """Interpreter, JSON copy and alkaid; returns inputs and outputs."""
    codes = draws(graph.input_nodes[0].type, (count, graph.input_size))
    found = evaluate(graph, codes)
    copy = FixedGraph.from_json(graph.to_json())
    assert copy.digest == graph.digest
    assert np.array_equal(evaluate(copy, codes), found)
    assert np.array_equal(trace_graph(graph).predict(codes), found)
    return codes, found


EQUATIONS = {
    # equation: input, weight and output shapes, and hls4ml's canonical order
    "nc,cd->nd": ((3, 4), (4, 2), (3, 2), (0, 1), (3, 2), (0, 1)),
    "nc,nm->mc": ((3, 4), (3, 2), (2, 4), (1, 0), (4, 2), (1, 0)),
    "nc,ncd->nd": ((3, 4), (3, 4, 2), (3, 2), (0, 1), (3, 2), (0, 1)),
}


def einsum_node(equation: str, accumulator: FixedType, out: FixedType) -> tuple[Node, Codes, Codes]:
    """The node, with weight and bias as the equation names their axes."""
    _, weight_shape, out_shape, axes, unfolded, back = EQUATIONS[equation]
    kind = FixedType(4, 2)
    weight, bias = draws(kind, weight_shape, 1), draws(kind, out_shape, 2)
    blocks = weight_shape[0] if equation == "nc,ncd->nd" else 1
    canonical = weight.reshape(blocks, -1, weight_shape[-1])
    ordered = bias.transpose(np.argsort(back)).reshape(blocks, -1, canonical.shape[-1])
    operation = EinsumDense(
        equation,
        frozen_codes(canonical),
        kind,
        frozen_codes(ordered),
        kind,
        accumulator,
        axes,
        unfolded,
        back,
    )
    return Node("y", operation, ("x",), out_shape, out), weight, bias


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("accumulator", [WIDE, FixedType(7, 4), FixedType(6, 5)])
def test_a_contraction_is_its_equation(equation: str, accumulator: FixedType) -> None:
    source, out = FixedType(5, 3), FixedType(9, 5, rounding=Rounding.RND, overflow=Overflow.SAT)
    node, weight, bias = einsum_node(equation, accumulator, out)
    shape = EQUATIONS[equation][0]
    graph = graph_of(node, shape, source)
    codes, found = assert_witnesses_agree(graph)
    reads, rest = equation.split(",")
    weights, makes = rest.split("->")
    sizes = dict(zip(reads + weights, shape + weight.shape, strict=True))
    x = codes[5].reshape(shape)
    expected = []
    for place in itertools.product(*(range(sizes[axis]) for axis in makes)):
        at = dict(zip(makes, place, strict=True))
        total = cast(values(bias[place], FixedType(4, 2))[0], accumulator)
        summed = [axis for axis in reads if axis not in makes]
        for inner in itertools.product(*(range(sizes[axis]) for axis in summed)):
            at.update(zip(summed, inner, strict=True))
            a = values(x[tuple(at[k] for k in reads)], source)[0]
            b = values(weight[tuple(at[k] for k in weights)], FixedType(4, 2))[0]
            total += cast(a * b, accumulator)
        expected.append(cast(cast(total, accumulator), out))
    assert values(found[5], out) == expected


@settings(max_examples=30, deadline=None)
@given(st.data(), small_types())
def test_every_element_has_its_own_type(data: st.DataObject, source: FixedType) -> None:
    size = 4
    widths = data.draw(st.lists(st.integers(0, 6), min_size=size, max_size=size))
    integers = data.draw(st.lists(st.integers(-1, 5), min_size=size, max_size=size))
    signs = data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    rounding = data.draw(st.sampled_from((Rounding.TRN, Rounding.RND, Rounding.RND_CONV)))
    overflow = data.draw(st.sampled_from((Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)))
    operation = QuantizeEach(
        frozen_codes(np.array(signs)),
        frozen_codes(np.array(widths)),
        frozen_codes(np.array(integers)),
        rounding,
        overflow,
    )
    graph = graph_of(Node("y", operation, ("x",), (size,), WIDE), (size,), source)
    codes, found = assert_witnesses_agree(graph)
    kinds = [
        FixedType(width, integer, bool(sign), rounding, overflow) if width else None
        for width, integer, sign in zip(widths, integers, signs, strict=True)
    ]
    for row, result in zip(codes[:8], found[:8], strict=True):
        for own, read, got in zip(kinds, values(row, source), values(result, WIDE), strict=True):
            assert got == (cast(cast(read, own), WIDE) if own else 0)


@pytest.mark.parametrize("count", [2, 8])
@pytest.mark.parametrize("accumulator", [FixedType(20, 10), FixedType(9, 2)])
def test_an_average_over_particles(count: int, accumulator: FixedType) -> None:
    source, out = FixedType(6, 3), FixedType(8, 3, rounding=Rounding.RND)
    node = Node("y", GlobalAverage(accumulator), ("x",), (2,), out)
    graph = graph_of(node, (count, 2), source)
    codes, found = assert_witnesses_agree(graph)
    for row, result in zip(codes, found, strict=True):
        for channel in range(2):
            read = values(row.reshape(count, 2)[:, channel], source)
            total = cast(sum(read, Fraction(0)), accumulator)
            mean = cast(cast(total / count, accumulator), out)
            assert values(result, out)[channel] == mean


def problems(node: Node, shape: tuple[int, ...]) -> str:
    with pytest.raises(ModelError) as caught:
        graph_of(node, shape, FixedType(6, 3))
    return str(caught.value)


def test_what_cannot_be() -> None:
    average = Node("y", GlobalAverage(FixedType(20, 10)), ("x",), (2,), WIDE)
    assert "an average over 6 is not exact" in problems(average, (6, 2))
    assert "cannot hold the quotient" in problems(
        replace(average, operation=GlobalAverage(FixedType(14, 10))), (8, 2)
    )
    assert "is (3, 2)" not in problems(average, (6, 2))
    node, _, _ = einsum_node("nc,cd->nd", WIDE, WIDE)
    assert "does not fit (3, 5) -> (3, 2)" in problems(node, (3, 5))
    saturating = replace(node.operation, accumulator=FixedType(9, 5, overflow=Overflow.SAT))
    assert "depends on the order of sums" in problems(replace(node, operation=saturating), (3, 4))
    ones = frozen_codes(np.ones(3))
    each = QuantizeEach(ones, ones, ones, Rounding.TRN, Overflow.WRAP)
    assert "do not fit (4,) -> (4,)" in problems(Node("y", each, ("x",), (4,), WIDE), (4,))
    negative = replace(each, width=frozen_codes(np.array([-1, 2, 3])))
    assert "a width must be 0 to 62" in problems(Node("y", negative, ("x",), (3,), WIDE), (3,))
