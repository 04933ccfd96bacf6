"""Einsum of two edges: equations, against exact fractions, in JSON, in alkaid, and refused."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pytest
from hls4ml.model.types import FixedPrecisionType
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.networks import small_types
from tests.graph.test_merges import assert_witnesses_agree, cast, values
from trigger_ml.errors import ModelError
from trigger_ml.graph.einsum_axes import pair_axes
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.hls4ml_einsum import read_einsum
from trigger_ml.graph.hls4ml_values import NO_PADDING, Reading
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Input, Node
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify

Shape = tuple[int, ...]
LEFT: Final = FixedType(5, 2)
RIGHT: Final = FixedType(4, 2, signed=False)
SUMS: Final = FixedType(24, 12)
WIDE: Final = FixedType(30, 15)
NARROW: Final = (FixedType(7, 4), FixedType(6, 4, True, Rounding.RND))
"""Accumulators that drop bits of products."""
EQUATIONS: Final = (
    ("ab,bc->ac", (2, 3), (3, 2)),
    ("ab,bc->ca", (2, 3), (3, 2)),
    ("ab,cb->ac", (2, 3), (2, 3)),
    ("abc,acd->abd", (2, 2, 3), (2, 3, 2)),
    ("abc,dca->bda", (2, 3, 2), (2, 2, 2)),
    ("abcd,cdbe->eab", (2, 2, 2, 2), (2, 2, 2, 2)),
    ("a,b->ba", (3,), (2,)),
    ("ab,b->a", (2, 3), (3,)),
    ("ab,ab->ab", (2, 2), (2, 2)),
    ("ab,ab->b", (3, 2), (3, 2)),
    ("ab,ba->a", (2, 3), (3, 2)),
)


def operation(equation: str, sums: FixedType = SUMS) -> Einsum:
    operands, result = equation.split("->")
    left, right = operands.split(",")
    return Einsum(left, right, result, sums)


def network(
    einsum: Einsum, shapes: tuple[Shape, Shape], types: tuple[FixedType, FixedType], out: FixedType
) -> FixedGraph:
    sizes = dict(zip(einsum.left + einsum.right, shapes[0] + shapes[1], strict=True))
    made = tuple(sizes[letter] for letter in einsum.result)
    nodes = (
        Node("a", Input(), (), shapes[0], types[0]),
        Node("b", Input(), (), shapes[1], types[1]),
        Node("y", einsum, ("a", "b"), made, out),
    )
    return FixedGraph("net", nodes, ("y",))


@pytest.mark.parametrize(("equation", "left", "right"), EQUATIONS)
def test_an_einsum_is_numpys(equation: str, left: Shape, right: Shape) -> None:
    graph = network(operation(equation), (left, right), (LEFT, RIGHT), WIDE)
    codes, found = assert_witnesses_agree(graph)
    cut = int(np.prod(left))
    a = LEFT.decode(codes[:, :cut]).reshape(-1, *left)
    b = RIGHT.decode(codes[:, cut:]).reshape(-1, *right)
    wanted = [np.einsum(equation, one, other).ravel() for one, other in zip(a, b, strict=True)]
    assert np.array_equal(WIDE.decode(found), np.array(wanted))


@settings(max_examples=25, deadline=None)
@given(small_types(), small_types(), small_types(), st.sampled_from((SUMS, *NARROW)))
def test_an_einsum_of_any_types(
    left: FixedType, right: FixedType, out: FixedType, sums: FixedType
) -> None:
    """Products that the accumulator does not hold are cast into it one by one."""
    graph = network(operation("ab,b->a", sums), ((2, 3), (3,)), (left, right), out)
    codes, found = assert_witnesses_agree(graph)
    for row, given_codes in zip(found, codes, strict=True):
        a, b = values(given_codes[:6], left), values(given_codes[6:], right)
        for place in range(2):
            pairs = zip(a[3 * place : 3 * place + 3], b, strict=True)
            total = sum((cast(one * other, sums) for one, other in pairs), Fraction(0))
            assert values(row[place], out) == [cast(cast(total, sums), out)]


def test_sums_beyond_double_precision_are_exact() -> None:
    kind, wide = FixedType(28, 28), FixedType(60, 60)
    graph = network(operation("ab,b->a", wide), ((1, 3), (3,)), (kind, kind), wide)
    top = kind.max_code
    codes = np.array([[top, top, 1, top, top, 1]], dtype=np.int64)
    assert int(evaluate(verify(graph), codes)[0, 0]) == 2 * top * top + 1


def test_an_edge_with_itself() -> None:
    nodes = (
        Node("a", Input(), (), (3, 2), LEFT),
        Node("y", operation("ab,cb->ac"), ("a", "a"), (3, 3), WIDE),
    )
    codes, found = assert_witnesses_agree(FixedGraph("net", nodes, ("y",)))
    rows = LEFT.decode(codes).reshape(-1, 3, 2)
    assert np.array_equal(WIDE.decode(found), (rows @ rows.transpose(0, 2, 1)).reshape(-1, 9))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"left": "abc"}, "abc,bc->ac of (2, 3) and (3, 2) is not (2, 2)"),
        ({"right": "ac"}, "is not (2, 2)"),
        ({"result": "ca", "left": "ba"}, "is not (2, 2)"),
        ({"result": "a"}, "ab,bc->a of"),
        ({"result": "ad"}, "ab,bc->ad of"),
        ({"left": "aa"}, "aa,bc->ac of"),
        ({"result": "aa"}, "ab,bc->aa of"),
        ({"accumulator": FixedType(9, 5, overflow=Overflow.SAT)}, "saturates, so its result"),
        ({"accumulator": FixedType(62, 2)}, "bits do not fit 62"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], reason: str) -> None:
    einsum = replace(operation("ab,bc->ac"), **change)
    graph = network(operation("ab,bc->ac"), ((2, 3), (3, 2)), (LEFT, RIGHT), WIDE)
    nodes = (*graph.nodes[:2], replace(graph.nodes[2], operation=einsum))
    with pytest.raises(ModelError) as caught:
        verify(replace(graph, nodes=nodes))
    assert reason in str(caught.value)


def test_it_reads_two_edges() -> None:
    graph = network(operation("ab,bc->ac"), ((2, 3), (3, 2)), (LEFT, RIGHT), WIDE)
    nodes = (*graph.nodes[:2], replace(graph.nodes[2], inputs=("a",)))
    with pytest.raises(ModelError, match="y: einsum reads two edges, found 1"):
        verify(replace(graph, nodes=nodes))


@pytest.mark.parametrize(
    ("equation", "ranks", "axes"),
    [
        ("abc,acd->abd", (3, 3), ("abc", "acd", "abd")),
        (" ab , bc -> ac ", (2, 2), ("ab", "bc", "ac")),
        ("ab,bc", (2, 2), ("ab", "bc", "ac")),
        ("cb,ba", (2, 2), ("cb", "ba", "ac")),
        ("...ij,...jk->...ik", (3, 3), ("aij", "ajk", "aik")),
        ("...ij,...jk", (4, 3), ("baij", "ajk", "baik")),
        ("...i,ij->j...", (3, 2), ("bai", "ij", "jba")),
        ("...ij,jk->...ik", (2, 2), ("ij", "jk", "ik")),
    ],
)
def test_equations(equation: str, ranks: tuple[int, int], axes: tuple[str, str, str]) -> None:
    assert pair_axes(equation, ranks) == axes


@pytest.mark.parametrize(
    ("equation", "ranks", "reason"),
    [
        ("ab->ba", (2, 2), "has not the form left,right->result"),
        ("ab,bc,cd->ad", (2, 2), "has not the form"),
        ("ab,bc->ac->a", (2, 2), "has not the form"),
        ("ab,b1->a1", (2, 2), "holds other things than letters"),
        ("ab,__import__('os')->a", (2, 2), "holds other things than letters"),
        ("......a,ab->...b", (2, 2), "holds other things than letters"),
        ("aa,ab->b", (2, 2), "names an axis twice"),
        ("...ab,bc->ac", (3, 2), "has ... in other places"),
        ("ab,bc->...ac", (2, 2), "has ... in other places"),
        ("...abc,cd->...abd", (2, 2), "names more axes than a tensor of 2 axes has"),
        ("abc,cd->abd", (2, 2), "names 3 axes of a tensor that has 2"),
        ("ab,bc->ad", (2, 2), "has the axis d in its result alone"),
        ("abc,cd->ad", (3, 2), "sums one tensor alone over b"),
        ("ab,bcd->ac", (2, 3), "sums one tensor alone over d"),
    ],
)
def test_equations_that_are_refused(equation: str, ranks: tuple[int, int], reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        pair_axes(equation, ranks)
    assert reason in str(caught.value)


def hls4ml_layer(equation: str) -> Any:
    sums = SimpleNamespace(precision=FixedPrecisionType(12, 6, True))
    attributes = {"equation": equation, "accum_t": sums}
    return SimpleNamespace(name="it", get_attr=attributes.get)


def test_reading_hls4mls_layer() -> None:
    reads = [Reading(LEFT, shape, NO_PADDING) for shape in ((2, 3, 4), (4, 5))]
    out = FixedType(9, 4, True, Rounding.RND)
    found, kind = read_einsum(hls4ml_layer("...a,ab->...b"), reads, out)
    assert isinstance(found, Einsum) and kind == out
    assert found.equation == "dca,ab->dcb" and found.accumulator == FixedType(12, 6)
    with pytest.raises(ModelError, match="it: its equation 'ab->ba' has not the form"):
        read_einsum(hls4ml_layer("ab->ba"), reads, out)
