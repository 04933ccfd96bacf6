"""Layers written as others: equal to NumPy on whole numbers, and refused where they cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.frontends.keras_json import Item, dense, keras_input, layer, network, quantizer
from trigger_ml.errors import ModelError
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.graph.interpreter import evaluate

Array = NDArray[Any]
EVENTS = 50
RANDOM = np.random.default_rng(3)


def drawn(*shape: int) -> NDArray[np.float32]:
    """Halves from -2 to 2: what the kernels of these tests hold as they are."""
    return (RANDOM.integers(-3, 4, shape) / 2).astype(np.float32)


def start(*shapes: tuple[int, ...]) -> list[Item]:
    """Inputs of these shapes, q0 and so on behind their quantizers."""
    items = []
    for number, shape in enumerate(shapes):
        items += [keras_input(f"x{number}", *shape), quantizer(f"q{number}", f"x{number}")]
    return items


def results(
    items: list[Item], values: list[Array], size: int, weights: dict[str, Any] | None = None
) -> Array:
    """What the integer graph of a network with ``size`` results makes of values, as flat rows.

    A layer whose kernel is one and whose bias is zero is put behind it, to have one at all.
    """
    unit = (np.eye(size, dtype=np.float32), np.zeros(size, np.float32))
    behind = [layer("Flatten", "flat", (items[-1]["name"],)), dense("end", "flat", size)]
    read = network([*items, *behind], weights={**(weights or {}), "end": unit})
    graph = direct_graph(read, None).graph
    rows = np.concatenate([np.reshape(value, (EVENTS, -1)) for value in values], axis=1)
    codes = np.rint(np.ldexp(rows, 3)).astype(np.int64)
    return np.asarray(graph.output_types[0].decode(evaluate(graph, codes)))


def events(*shape: int) -> Array:
    """Values of the inputs' type, fixed<6,3>."""
    return RANDOM.integers(-32, 32, (EVENTS, *shape)) / 8


def einsum(equation: str, **config: Any) -> Item:
    return layer("EinsumDense", "mix", ("q0",), equation=equation, **config)


def refusal(items: list[Item], weights: dict[str, Any] | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        network(items, weights=weights)
    return str(caught.value)


@pytest.mark.parametrize(
    ("equation", "shape", "kernel", "bias"),
    [
        ("ab,bc->ac", (3,), (3, 2), (2,)),
        ("...x,xy->...y", (3, 2), (2, 3), None),
        ("...x,xy->...y", (2, 3, 2), (2, 3), (3,)),
        ("abc,cd->adb", (3, 2), (2, 4), (4, 1)),
        ("abc,bd->adc", (3, 2), (3, 2), None),
        ("abc,bcd->abd", (3, 2), (3, 2, 2), (3, 2)),
        ("abc,bcd->adb", (3, 2), (3, 2, 2), None),
        ("abc,bcd->ad", (3, 2), (3, 2, 4), (4,)),
        ("abcd,bde->aecb", (2, 3, 2), (2, 2, 4), None),
        ("abc,cd->abd", (3, 2), (2, 2), (3, 2)),
        ("abc,cde->abde", (3, 2), (2, 2, 3), (2, 1)),
        ("abc,bc->abc", (3, 2), (3, 2), (3, 2)),
        ("abc,bc->a", (3, 2), (3, 2), None),
        ("ab...,bc->ac...", (2, 3), (2, 4), (4, 1)),
    ],
)
def test_an_equation_is_what_einsum_computes(
    equation: str, shape: tuple[int, ...], kernel: tuple[int, ...], bias: tuple[int, ...] | None
) -> None:
    values, arrays = events(*shape), [drawn(*kernel)]
    wanted = np.einsum(equation, values, arrays[0])
    if bias is not None:
        arrays.append(drawn(*bias))
        wanted = wanted + arrays[1]
    items = [*start(shape), einsum(equation, bias_axes="x" if bias else None)]
    got = results(items, [values], wanted[0].size, {"mix": tuple(arrays)})
    assert np.array_equal(got, wanted.reshape(EVENTS, -1))


def test_what_no_dense_layer_computes_names_the_equation() -> None:
    items = [*start((3, 2)), einsum("abc,cd->ad"), dense("fc", "mix", 2)]
    text = refusal(items, {"mix": (drawn(2, 4),)})
    assert "layer mix: its equation 'abc,cd->ad' sums over b, which is not an axis" in text
    assert "use an equation like '...x,xy->...y'" in text


@pytest.mark.parametrize(
    ("equation", "config", "arrays", "reason"),
    [
        (None, {}, (), "equation None is no text"),
        ("abc,cd->abd", {}, (), "needs 1 arrays, and the file holds 0"),
        ("abc,cd->abd", {"bias_axes": "d"}, (drawn(2, 3),), "needs 2 arrays, and the file holds 1"),
        ("abc,cd->abd", {}, (drawn(3, 3),), "does not fit a kernel of shape (3, 3) and a tensor"),
        ("abc,cd->abd", {}, (drawn(2, 3, 1),), "does not fit a kernel of shape (2, 3, 1)"),
        ("abc,cd->abd", {}, (drawn(2, 3) / 3,), "its kernel is float, and EinsumDense has no"),
        ("abc,cd->abd", {"activation": "gelu"}, (), "activation: the quantizer gelu has no"),
        ("abc,cd->abd", {}, (drawn(2, 3) * np.nan,), "weights are NaN or infinite"),
    ],
)
def test_einsum_layers_that_are_refused(
    equation: Any, config: dict[str, Any], arrays: Any, reason: str
) -> None:
    items = [*start((3, 2)), einsum(equation, **config), dense("fc", "mix", 2)]
    assert reason in refusal(items, {"mix": arrays})


def test_a_turn_of_four_axes_is_refused() -> None:
    kernel = {"mix": (drawn(2, 2, 2),)}
    items = [*start((2, 3, 2)), einsum("abcd,def->aecfb"), dense("fc", "mix", 2)]
    assert "4 axes of (2, 3, 2, 2) change places" in refusal(items, kernel)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (1,)),
        ((1,), (3,)),
        ((3, 2), (2,)),
        ((3, 1), (1, 2)),
        ((2,), (3, 1)),
        ((2, 3, 2), (3, 1)),
        ((2, 1, 2), (1, 3, 1)),
        ((1, 1, 2), (2, 3, 1)),
        ((1, 1, 1), (2, 3, 2)),
    ],
)
def test_a_join_repeats_elements_as_numpy_does(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    parts = [events(*left), events(*right)]
    rank = max(len(left), len(right))
    wide = [np.reshape(p, (EVENTS, *[1] * (rank + 1 - p.ndim), *p.shape[1:])) for p in parts]
    wanted = wide[0] - wide[1]
    items = [*start(left, right), layer("Subtract", "less", ("q0", "q1"))]
    got = results(items, parts, wanted[0].size)
    assert np.array_equal(got, wanted.reshape(EVENTS, -1))


def test_shapes_that_do_not_fit_are_still_refused() -> None:
    items = [*start((3, 2), (3, 3)), layer("Add", "sum", ("q0", "q1")), dense("fc", "sum", 2)]
    assert "layer sum: Add of (3, 2) and (3, 3): both have one shape" in refusal(items)
    items[-2] = layer("Concatenate", "sum", ("q0", "q1"), axis=1)
    assert "layer sum: axis 1 of (3, 2)" in refusal(items)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_tensors_are_joined_along_any_axis(axis: int) -> None:
    shapes = [[2, 3, 2], [2, 3, 2]]
    place = axis - 1 if axis > 0 else axis
    shapes[1][place] = 4
    parts = [events(*shape) for shape in shapes]
    wanted = np.concatenate(parts, axis)
    items = start(*(tuple(shape) for shape in shapes))
    joined = layer("Concatenate", "both", ("q0", "q1"), axis=axis)
    got = results([*items, joined], parts, wanted[0].size)
    assert np.array_equal(got, wanted.reshape(EVENTS, -1))


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 2)])
def test_a_dense_layer_multiplies_the_last_axis(shape: tuple[int, ...]) -> None:
    values, kernel, bias = events(*shape), drawn(2, 3), drawn(3)
    wanted = values @ kernel + bias
    items = [*start(shape), dense("fc", "q0", 3)]
    got = results(items, [values], wanted[0].size, {"fc": (kernel, bias)})
    assert np.array_equal(got, wanted.reshape(EVENTS, -1))


def test_a_dense_layer_of_four_axes_keeps_its_name_at_its_end() -> None:
    values, kernel, bias = events(8), drawn(2, 3), drawn(3)
    shaped = layer("Reshape", "four", ("q0",), target_shape=[2, 1, 2, 2])
    items = [*start((8,)), shaped, dense("fc", "four", 3)]
    wanted = values.reshape(EVENTS, 2, 1, 2, 2) @ kernel + bias
    got = results(items, [values], 12, {"fc": (kernel, bias)})
    assert np.array_equal(got, wanted.reshape(EVENTS, -1))


def average(count: int = 2, **config: Any) -> Item:
    size = {"pool_size": [count, count], "padding": "valid"}
    return layer("QAveragePooling2D", "mean", ("q0",), **size, **config)


@pytest.mark.parametrize("inverse", ["quantized_bits(8,0,alpha=1)", "quantized_relu(5,1)", None])
@pytest.mark.parametrize("kind", ["QAveragePooling2D", "QGlobalAveragePooling2D"])
def test_a_mean_of_qkeras_is_a_mean_and_a_quantizer(kind: str, inverse: str | None) -> None:
    item = average(average_quantizer=inverse, activation="quantized_bits(4,2,alpha=1)")
    item["class_name"] = kind
    read = network([*start((4, 4, 2)), item, layer("Flatten", "f", ("mean",)), dense("d", "f", 2)])
    found = {one.name: (one.kind, one.inputs) for one in read.layers}
    assert found["mean_1"] == (kind.removeprefix("Q"), ("q0",))
    assert found["mean"] == ("QActivation", ("mean_1",))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"average_quantizer": "quantized_bits(2,0,alpha=1)"}, "does not hold 1/4 as it is"),
        ({"average_quantizer": "quantized_bits(8,-2,alpha=1)"}, "does not hold 1/4 as it is"),
        ({"average_quantizer": "quantized_po2(4)"}, "is a quantized_po2"),
        ({"average_quantizer": "quantized_relu(3,2)"}, "does not hold 1/4 as it is"),
        ({"average_quantizer": "quantized_relu(6,0,negative_slope=0.5)"}, "negative_slope=0.5"),
        ({"count": 3}, "a mean over 9 elements of (4, 4, 2) is not exact"),
        ({"activation": "gelu"}, "gelu"),
    ],
)
def test_means_of_qkeras_that_are_refused(config: dict[str, Any], reason: str) -> None:
    items = [*start((4, 4, 2)), average(**config), layer("Flatten", "f", ("mean",))]
    assert reason in refusal([*items, dense("d", "f", 2)])


def test_all_that_is_wrong_is_said_at_once() -> None:
    items = [
        *start((3, 2), (3, 3)),
        einsum("abc,cd->ad"),
        layer("Add", "sum", ("q0", "q1")),
        dense("fc", "sum", 2),
        dense("fm", "mix", 2),
        layer("Add", "end", ("fc", "fm")),
    ]
    text = refusal(items, {"mix": (drawn(2, 4),)})
    assert "layer mix: its equation" in text
    assert "layer sum: Add of (3, 2) and (3, 3)" in text
