"""MatMul and Einsum of tensors in ONNX: equal to NumPy on whole numbers, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.onnx_models import QONNX, Builder
from trigger_ml.errors import ModelError
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.onnx_network import read_onnx_network
from trigger_ml.graph.interpreter import evaluate

Array = NDArray[Any]
Shape = tuple[int, ...]
RANDOM = np.random.default_rng(4)
EVENTS = 40


def constants(*shape: int) -> Array:
    return RANDOM.integers(-3, 4, shape) / 2


def written(path: Path, model: Builder, made: str, size: int, shapes: dict[str, Shape]) -> Path:
    """The model with a layer behind it whose kernel is one, so that it has a layer at all."""
    flat = model.node("Reshape", made, model.constant([-1, size], np.int64))
    end = model.node("MatMul", flat, model.constant(np.eye(size)))
    return model.save(path, end, {name: ("events", *shape) for name, shape in shapes.items()})


def assert_product(path: Path, model: Builder, made: str, wanted: Any, *shapes: Shape) -> None:
    values = [RANDOM.integers(-8, 8, (EVENTS, *shape)) / 4 for shape in shapes]
    exact = np.asarray(wanted(*values)).reshape(EVENTS, -1)
    ports = dict(zip("xz", shapes, strict=False))
    written(path, model, made, exact.shape[1], ports)
    graph = direct_graph(read_onnx_network(path).network, None).graph
    rows = np.concatenate([value.reshape(EVENTS, -1) for value in values], axis=1)
    got = graph.output_types[0].decode(evaluate(graph, np.rint(rows * 4).astype(np.int64)))
    assert np.array_equal(got, exact)


def pair() -> tuple[Builder, str, str]:
    model = Builder(QONNX)
    return model, model.quant("x", 4, 0.25), model.quant("z", 4, 0.25)


@pytest.mark.parametrize(
    ("left", "right"),
    [((2, 3), (3, 2)), ((2, 2, 3), (2, 3, 2)), ((2, 2, 3), (1, 3, 2)), ((1, 3), (3, 1))],
)
def test_a_matmul_of_two_tensors(tmp_path: Path, left: Shape, right: Shape) -> None:
    model, x, z = pair()
    assert_product(tmp_path / "m.onnx", model, model.node("MatMul", x, z), np.matmul, left, right)


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("bij,bjk->bik", (2, 3), (3, 2)),
        ("bij,bkj->bki", (2, 3), (2, 3)),
        ("bi,bj->bij", (2,), (3,)),
        ("bi,bi->b", (3,), (3,)),
        ("...ij,...jk", (2, 3), (3, 2)),
    ],
)
def test_an_einsum_of_two_tensors(tmp_path: Path, equation: str, left: Shape, right: Shape) -> None:
    model, x, z = pair()
    made = model.node("Einsum", x, z, equation=equation)

    def wanted(a: Array, b: Array) -> Array:
        return np.einsum(equation, a, b)

    assert_product(tmp_path / "m.onnx", model, made, wanted, left, right)


def test_attention_scores_of_one_tensor(tmp_path: Path) -> None:
    """A product with a transposed tensor: no places move before the product."""
    model = Builder(QONNX)
    x = model.quant("x", 4, 0.25)
    made = model.node("MatMul", x, model.node("Transpose", x, perm=[0, 2, 1]))
    assert_product(tmp_path / "m.onnx", model, made, lambda v: v @ v.swapaxes(1, 2), (3, 2))


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 3)])
def test_constant_weights_of_the_last_axis(tmp_path: Path, shape: Shape) -> None:
    model, kernel, bias = Builder(QONNX), constants(3, 4), constants(4)
    made = model.node("MatMul", model.quant("x", 4, 0.25), model.constant(kernel))
    made = model.node("Add", made, model.constant(bias))
    assert_product(tmp_path / "m.onnx", model, made, lambda v: v @ kernel + bias, shape)


@pytest.mark.parametrize(
    ("op", "options", "first", "shape", "kernel", "equation"),
    [
        ("MatMul", {}, True, (3, 2), (4, 3), "ij,ejk->eik"),
        ("MatMul", {}, True, (2, 3, 2), (2, 4, 3), "hij,ehjk->ehik"),
        ("MatMul", {}, False, (2, 2, 3), (2, 3, 2), "ehij,hjk->ehik"),
        ("MatMul", {}, False, (2, 2, 3), (1, 3, 2), "ehij,zjk->ehik"),
        ("Einsum", {"equation": "bij,jk->bki"}, False, (2, 3), (3, 4), "bij,jk->bki"),
        ("Einsum", {"equation": "ji,bjk->bik"}, True, (2, 3), (2, 4), "ji,bjk->bik"),
    ],
)
def test_products_with_constants(
    tmp_path: Path,
    op: str,
    options: dict[str, str],
    first: bool,
    shape: Shape,
    kernel: Shape,
    equation: str,
) -> None:
    model, values = Builder(QONNX), constants(*kernel)
    sides = [model.quant("x", 4, 0.25), model.constant(values)]
    made = model.node(op, *(sides[::-1] if first else sides), **options)

    def wanted(a: Array) -> Array:
        return np.einsum(equation, *((values, a) if first else (a, values)))

    assert_product(tmp_path / "m.onnx", model, made, wanted, shape)


@pytest.mark.parametrize(
    ("op", "options", "left", "right", "reason"),
    [
        ("MatMul", {}, (3,), (3,), "(MatMul): multiplies (3,) and (3,) for each event"),
        ("MatMul", {}, (2, 3), (3,), "(MatMul): multiplies (2, 3) and (3,) for each event"),
        ("MatMul", {}, (2, 3), (2, 3), "(MatMul): multiplies tensors of shapes (2, 3) and (2, 3)"),
        ("Einsum", {"equation": "bij,cjk->bcik"}, (2, 3), (3, 2), "multiplies the axis of the"),
        ("Einsum", {"equation": "bij,bjk->bk"}, (2, 3), (3, 2), "sums one tensor alone over i"),
        ("Einsum", {"equation": "bij->bji"}, (2, 3), (3, 2), "has not the form left,right"),
        ("Einsum", {}, (2, 3), (3, 2), "its equation '' has not the form left,right->result"),
    ],
)
def test_products_that_are_refused(
    tmp_path: Path, op: str, options: dict[str, str], left: Shape, right: Shape, reason: str
) -> None:
    model, x, z = pair()
    made = model.node(op, x, z, **options)
    path = written(tmp_path / "m.onnx", model, made, 4, {"x": left, "z": right})
    with pytest.raises(ModelError) as caught:
        read_onnx_network(path)
    assert reason in str(caught.value)


def test_an_einsum_of_one_tensor_is_refused(tmp_path: Path) -> None:
    model, x, _ = pair()
    made = model.node("Einsum", x, equation="bij->bji")
    path = written(tmp_path / "m.onnx", model, made, 6, {"x": (2, 3), "z": (1,)})
    with pytest.raises(ModelError, match=r"einsum 'bij->bji' of 1 tensors(?s:.*)multiply two"):
        read_onnx_network(path)
