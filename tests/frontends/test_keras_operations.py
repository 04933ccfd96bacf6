"""Functions of TensorFlow in files of Keras 2: what is read of them, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.frontends.keras_json import Item, dense, layer, network
from tests.frontends.test_keras_rewrites import EVENTS, events, refusal, results, start
from trigger_ml.frontends.keras_operations import with_plain_operations


def function(name: str, text: str, node: list[Any]) -> Item:
    """A layer as tf_keras 2.21 writes a call of a function."""
    config = {"name": name, "trainable": True, "dtype": "float32", "function": text}
    return {
        "class_name": "TFOpLambda",
        "name": name,
        "config": config,
        "inbound_nodes": [node],
        "module": "tf_keras.src.layers.core.tf_op_layer",
    }


def matmul(right: Any = ("q1", 0, 0), **options: Any) -> Item:
    right = list(right) if isinstance(right, tuple) else right
    return function("tf.linalg.matmul", "linalg.matmul", ["q0", 0, 0, {"b": right, **options}])


@pytest.mark.parametrize("options", [{}, {"name": None}, {"name": "m", "adjoint_a": False}])
def test_a_matmul_is_a_layer_with_a_name_for_cpp(options: dict[str, Any]) -> None:
    values = [events(2, 3), events(3, 2)]
    got = results([*start((2, 3), (3, 2)), plain(matmul(**options))], values, 4)
    assert np.array_equal(got, (values[0] @ values[1]).reshape(EVENTS, -1))


def plain(item: Item) -> Item:
    """The layer that a function becomes; its name is that of the layer that reads it."""
    config = {"class_name": "Functional", "config": {"layers": [item]}}
    made: Item = with_plain_operations(config)["config"]["layers"][0]
    assert made["config"]["name"] == "tf_linalg_matmul"
    return {**made, "name": "tf_linalg_matmul"}


@pytest.mark.parametrize(
    ("options", "swapped"),
    [
        ({"transpose_b": True}, (False, True)),
        ({"adjoint_b": True}, (False, True)),
        ({"transpose_a": True, "transpose_b": True}, (True, True)),
    ],
)
def test_transposed_matrices(options: dict[str, Any], swapped: tuple[bool, bool]) -> None:
    shapes = [(3, 2) if first else (2, 3) for first in (swapped[0], not swapped[1])]
    values = [events(*shape) for shape in shapes]
    got = results([*start(*shapes), plain(matmul(**options))], values, 4)
    first, second = (
        value.swapaxes(1, 2) if turn else value for value, turn in zip(values, swapped, strict=True)
    )
    assert np.array_equal(got, (first @ second).reshape(EVENTS, -1))


def test_what_reads_a_function_reads_its_layer() -> None:
    items = [
        *start((2, 3), (3, 2)),
        matmul(),
        function(
            "tf.linalg.matmul_1",
            "linalg.matmul",
            ["tf.linalg.matmul", 0, 0, {"b": ["tf.linalg.matmul", 0, 0], "transpose_b": True}],
        ),
        layer("Flatten", "flat", ("tf.linalg.matmul_1",)),
        dense("end", "flat", 1),
        layer("Flatten", "beside", ("tf.linalg.matmul",)),
    ]
    ends = [["end", 0, 0], ["tf.linalg.matmul", 0, 0]]
    weights = {"end": (np.ones((4, 1), np.float32), np.zeros(1, np.float32))}
    built = network(items[:-1], outputs=ends, weights=weights)
    reads = {item.name: item.inputs for item in built.layers}
    assert reads["tf_linalg_matmul_1"] == ("tf_linalg_matmul", "tf_linalg_matmul")
    assert reads["flat"] == ("tf_linalg_matmul_1",)
    assert built.outputs == ("end", "tf_linalg_matmul")


def test_names_of_functions_are_those_of_no_other_layer() -> None:
    items = [
        *start((2, 3), (3, 2)),
        matmul(),
        layer("Flatten", "tf_linalg_matmul", ("tf.linalg.matmul",)),
        dense("end", "tf_linalg_matmul", 1),
    ]
    weights = {"end": (np.ones((4, 1), np.float32), np.zeros(1, np.float32))}
    names = [item.name for item in network(items, weights=weights).layers]
    assert "tf_linalg_matmul_q" in names and "tf_linalg_matmul" in names


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (
            function("tf.einsum", "einsum", ["_CONSTANT_VALUE", -1, "abc,acd->abd", {}]),
            "layer tf_einsum: Keras 2 does not save which tensors tf.einsum multiplies",
        ),
        (
            function("tf.math.reduce_sum", "math.reduce_sum", ["q0", 0, 0, {"axis": 1}]),
            "layer tf_math_reduce_sum: the function tf.math.reduce_sum has no firmware here",
        ),
        (matmul([[1.0, 2.0]]), "layer tf_linalg_matmul: tf.matmul of anything else than two"),
        (matmul(("_CONSTANT_VALUE", -1, 3)), "tf.matmul of anything else than two tensors"),
        (matmul(output_type="int32"), "tf.matmul of anything else than two tensors"),
        (function("tf.linalg.matmul", "linalg.matmul", ["q0", 0, 0]), "anything else than two"),
        (
            function("tf.x", "__import__('os').getcwd", ["q0", 0, 0, {}]),
            "layer tf_x: the function tf.__import__('os').getcwd has no firmware here",
        ),
    ],
)
def test_functions_that_are_refused(item: Item, reason: str) -> None:
    items = [*start((2, 3), (3, 2)), item, layer("Flatten", "flat", (item["name"],))]
    assert reason in refusal([*items, dense("end", "flat", 1)])


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config": None},
        {"config": {"layers": 3}},
        {"config": {"layers": [{"class_name": "TFOpLambda"}]}},
        {"config": {"layers": [{"class_name": "TFOpLambda", "config": {"name": 3}}]}},
    ],
)
def test_what_is_no_architecture_is_left_to_others(config: Any) -> None:
    made = with_plain_operations(config)
    assert made == config or made["config"]["layers"][0]["inbound_nodes"] == []


def test_functions_in_models_within_models() -> None:
    inner = {"class_name": "Functional", "config": {"name": "inner", "layers": [matmul()]}}
    outer = {"class_name": "Functional", "config": {"name": "outer", "layers": [inner]}}
    made = with_plain_operations(outer)["config"]["layers"][0]["config"]["layers"][0]
    assert (made["class_name"], made["inbound_nodes"]) == (
        "Matmul",
        [[["q0", 0, 0, {}], ["q1", 0, 0, {}]]],
    )
