"""Products of two tensors in Keras files: equal to NumPy on whole numbers, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.frontends.keras_json import Item, dense, layer, network
from tests.frontends.test_keras_rewrites import EVENTS, Array, events, refusal, results, start
from trigger_ml.errors import ModelError
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.keras_products import require_single_precision
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.merge_operations import Dot
from trigger_ml.graph.types import FixedType

Shape = tuple[int, ...]
PAIR = ("q0", "q1")


def einsum(equation: Any, reads: tuple[str, ...] = PAIR) -> Item:
    return layer("Einsum", "mix", reads, subscripts=equation)


def assert_product(item: Item, shapes: tuple[Shape, ...], function: Any) -> None:
    """What a product of inputs of these shapes is, in the integer graph and in NumPy."""
    values = [events(*shape) for shape in shapes]
    wanted: Array = function(*values).reshape(EVENTS, -1)
    got = results([*start(*shapes), item], values, wanted.shape[1])
    assert np.array_equal(got, wanted)


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("abc,acd->abd", (2, 3), (3, 2)),
        ("abc,adc->abd", (2, 3), (2, 3)),
        ("abc,acd->adb", (2, 3), (3, 2)),
        ("abc,abd->abcd", (2, 3), (2, 2)),
        ("abcd,aecd->abec", (2, 2, 2), (2, 2, 2)),
        ("ab,ac->abc", (3,), (2,)),
        ("abc,ac->ab", (2, 3), (3,)),
        ("ab,ab->a", (3,), (3,)),
        ("abc,acb->a", (2, 3), (3, 2)),
        ("...ij,...jk->...ik", (2, 3), (3, 2)),
        ("...ij,...jk", (2, 2, 3), (1, 3, 2)),
        ("z...i,z...i->z...", (1, 3), (2, 3)),
    ],
)
def test_an_equation_is_what_einsum_computes(equation: str, left: Shape, right: Shape) -> None:
    assert_product(einsum(equation), (left, right), partial(np.einsum, equation))


@pytest.mark.parametrize(
    ("left", "right", "flags"),
    [
        ((2, 3), (3, 2), {}),
        ((3, 2), (3, 2), {"transpose_a": True}),
        ((2, 3), (2, 3), {"transpose_b": True}),
        ((2, 2, 3), (2, 3, 1), {}),
        ((2, 2, 3), (1, 3, 2), {}),
        ((1, 2, 3), (2, 3, 2), {}),
    ],
)
def test_a_matmul_of_matrices(left: Shape, right: Shape, flags: dict[str, bool]) -> None:
    def multiplied(first: Array, second: Array) -> Array:
        first = first.swapaxes(-1, -2) if flags.get("transpose_a") else first
        return first @ (second.swapaxes(-1, -2) if flags.get("transpose_b") else second)

    assert_product(layer("Matmul", "mix", PAIR, **flags), (left, right), multiplied)


@pytest.mark.parametrize(
    ("axes", "left", "right", "equation"),
    [
        ([2, 1], (2, 3), (3, 2), "abc,acd->abd"),
        (1, (3, 2), (3, 2), "abc,abd->acd"),
        (-1, (2, 3), (2, 3), "abc,adc->abd"),
        ([-1, 1], (2, 3), (3,), "abc,ac->ab"),
        ([3, 2], (2, 2, 3), (2, 3, 2), "abcd,aedf->abcef"),
        ([-1, -1], (3,), (3,), "ab,ab->a"),
    ],
)
def test_a_dot_along_any_axes(axes: Any, left: Shape, right: Shape, equation: str) -> None:
    item = layer("Dot", "mix", PAIR, axes=axes, normalize=False)
    assert_product(item, (left, right), partial(np.einsum, equation))


def test_vectors_stay_a_dot_and_matrices_become_an_einsum() -> None:
    weights = {"end": (np.ones((1, 1), np.float32), np.zeros(1, np.float32))}
    for equation, shapes, kind in (
        ("ab,ab->a", ((3,), (3,)), Dot),
        ("abc,acb->a", ((2, 3), (3, 2)), Einsum),
    ):
        items = [*start(*shapes), einsum(equation), dense("end", "mix", 1)]
        built = network(items, weights=weights)
        nodes = {node.name: node for node in direct_graph(built, None).nodes}
        assert isinstance(nodes["mix"].operation, kind) and nodes["mix"].shape == (1,)


def test_a_product_of_a_tensor_with_itself() -> None:
    item = einsum("abc,adc->abd", ("q0", "q0"))
    assert_product(item, ((3, 2),), lambda values: values @ values.swapaxes(1, 2))


@pytest.mark.parametrize(
    ("item", "left", "right", "reason"),
    [
        (einsum(None), (2, 3), (3, 2), "layer mix: subscripts None are no text"),
        (einsum("abc->acb"), (2, 3), (3, 2), "'abc->acb' of one tensor\n    -> use Permute"),
        (einsum("ab,ab,ab->ab"), (2, 3), (3, 2), "of 3 tensors\n    -> multiply two, and their"),
        (einsum("abc,cd->abd"), (2, 3), (3, 2), "names 2 axes of a tensor that has 3"),
        (einsum("abc,dce->abde"), (2, 3), (3, 2), "moves or multiplies the batch axis"),
        (einsum("abc,acd->bad"), (2, 3), (3, 2), "moves or multiplies the batch axis"),
        (einsum("abc,acd->ad"), (2, 3), (3, 2), "its equation 'abc,acd->ad' sums one tensor alone"),
        (einsum("abb,abd->ad"), (2, 2), (2, 2), "names an axis twice in one operand"),
        (einsum("abc,abd->acd"), (2, 3), (3, 2), "(2, 3) and (3, 2): 2 and 3 are to be one axis"),
        (einsum("abc,abd->acd"), (1, 3), (3, 2), "1 and 3 are to be one axis"),
        (einsum("a__import__('os'),ab->a"), (2, 3), (3, 2), "holds other things than letters"),
        (layer("Matmul", "mix", PAIR), (2, 3), (2, 3), "3 and 2 are to be one axis"),
        (layer("Matmul", "mix", PAIR), (2, 3), (3,), "where matrices in as many axes are needed"),
        (layer("Matmul", "mix", PAIR), (3,), (3,), "where matrices in as many axes are needed"),
        (layer("Dot", "mix", PAIR, axes=[3, 1]), (2, 3), (3, 2), "axes [3, 1] of tensors of"),
        (layer("Dot", "mix", PAIR, axes=[2, 2]), (2, 3), (3, 2), "3 and 2 are to be one axis"),
        (layer("Dot", "mix", PAIR, axes=[0, 1]), (2, 3), (3, 2), "layer mix: axes [0, 1]"),
        (einsum("abc,acd->abd", ("q0",)), (2, 3), (3, 2), "layer mix: reads 1 layers, hls4ml"),
    ],
)
def test_products_that_are_refused(item: Item, left: Shape, right: Shape, reason: str) -> None:
    items = [*start(left, right), item, layer("Flatten", "flat", ("mix",))]
    assert reason in refusal([*items, dense("end", "flat", 1)])


def test_what_sums_a_tensor_alone_can_be_rewritten_as_it_says() -> None:
    items = [*start((2, 3), (3, 2)), einsum("abc,acd->ad"), dense("end", "mix", 1)]
    assert "sum a tensor alone before it, with EinsumDense and a kernel of ones" in refusal(items)
    values = [events(2, 3), events(3, 2)]
    items = [
        *start((2, 3), (3, 2)),
        layer("EinsumDense", "sums", ("q0",), equation="abc,b->ac"),
        layer("Einsum", "mix", ("sums", "q1"), subscripts="ac,acd->ad"),
    ]
    got = results(items, values, 2, {"sums": (np.ones(2, np.float32),)})
    assert np.array_equal(got, np.einsum("abc,acd->ad", *values))


def test_sums_beyond_single_precision_are_refused() -> None:
    require_single_precision("layer mix", FixedType(25, 9))
    with pytest.raises(ModelError) as caught:
        require_single_precision("layer mix", FixedType(25, 9, signed=False))
    assert "layer mix: its sums take 25 bits, and the model computes them in" in str(caught.value)
    wide = "quantized_bits(13,2,alpha=1)"
    items = start((2, 3), (3, 2))
    items[1]["config"]["activation"] = items[3]["config"]["activation"] = wide
    items += [einsum("abc,acd->abd"), layer("Flatten", "flat", ("mix",)), dense("end", "flat", 1)]
    weights = {"end": (np.ones((4, 1), np.float32), np.zeros(1, np.float32))}
    with pytest.raises(ModelError, match="layer mix: its sums take 26 bits"):
        direct_graph(network(items, weights=weights), None)
