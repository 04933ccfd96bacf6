"""Layers that join tensors or rename places, and models of several inputs and outputs."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.frontends.keras_json import dense, keras_input, layer, network, quantizer
from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_network import KerasNetwork

START = [keras_input("x", 4), quantizer("grid", "x")]


def refusal(items: Sequence[dict[str, Any]], **ends: Any) -> str:
    with pytest.raises(ModelError) as caught:
        network(items, **ends)
    return str(caught.value)


def parts(count: int) -> list[dict[str, Any]]:
    """So many dense layers beside each other."""
    return [*START, *(dense(f"fc_{k}", "grid", 3) for k in range(count))]


def names(count: int) -> list[str]:
    return [f"fc_{k}" for k in range(count)]


def joins(file: KerasNetwork, kind: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(layer.name, layer.inputs) for layer in file.layers if layer.kind == kind]


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Maximum", "Minimum", "Concatenate"])
def test_a_join_of_many_becomes_joins_of_two(kind: str) -> None:
    file = network([*parts(4), layer(kind, "joined", names(4))])
    assert joins(file, kind) == [
        ("joined_1", ("fc_0", "fc_1")),
        ("joined_2", ("joined_1", "fc_2")),
        ("joined", ("joined_2", "fc_3")),
    ]
    assert all(item.config["name"] == item.name for item in file.layers)
    assert file.outputs == () and file.layers[-1].name == "joined"


def test_an_average_of_four_is_one_of_two_averages() -> None:
    file = network([*parts(4), layer("Average", "mean", names(4))])
    assert joins(file, "Average") == [
        ("mean_1", ("fc_0", "fc_1")),
        ("mean_2", ("fc_2", "fc_3")),
        ("mean", ("mean_1", "mean_2")),
    ]
    text = refusal([*parts(3), layer("Average", "mean", names(3))])
    assert "layer mean: an average of 3 is not exact in fixed point\n    -> use Add" in text


def test_names_of_joins_are_free_ones() -> None:
    """hls4ml looks names up in lower case."""
    items = [*parts(3), layer("Add", "SUM", names(3)), quantizer("sum_1", "SUM")]
    assert [name for name, _ in joins(network(items), "Add")] == ["SUM_2", "SUM"]


def test_what_a_file_leaves_open_is_settled() -> None:
    file = network(
        [
            *parts(2),
            layer("Concatenate", "joined", names(2), axis=1),
            layer("Reshape", "image", ("joined",), target_shape=[-1, 3]),
            layer("Permute", "turned", ("image",), dims=[2, 1]),
            layer("Flatten", "flat", ("turned",), data_format="channels_last"),
            dense("logits", "flat", 2),
        ]
    )
    config = {item.name: item.config for item in file.layers}
    assert config["joined"]["axis"] == -1
    assert config["image"]["target_shape"] == [2, 3]


def test_parameters_that_have_no_meaning_are_all_named() -> None:
    text = refusal(
        [
            *parts(2),
            layer("Dot", "product", names(2), axes=0, normalize=True),
            layer("Concatenate", "joined", names(2), axis=0),
            layer("Reshape", "image", ("joined",), target_shape=[-1, -1]),
            layer("Permute", "turned", ("image",), dims=[0, 1]),
            layer("Flatten", "flat", ("turned",), data_format="channels_first"),
        ]
    )
    assert "layer product: axes 0\n" in text
    assert "layer product: normalize divides by lengths" in text
    assert "layer joined: axis 0" in text
    assert "layer image: target_shape [-1, -1]" in text
    assert "layer turned: dims [0, 1] are not an order of axes" in text
    assert "layer flat: data_format 'channels_first'" in text


def test_shapes_that_do_not_fit_are_all_named() -> None:
    items = [*parts(2), dense("wide", "grid", 4)]
    text = refusal(
        [
            *items,
            layer("Add", "sum", ("fc_0", "wide")),
            layer("Dot", "product", ("fc_0", "wide"), axes=1),
            layer("Concatenate", "joined", ("fc_0", "fc_1"), axis=2),
            layer("Reshape", "image", ("wide",), target_shape=[3, -1]),
            layer("Permute", "turned", ("fc_1",), dims=[2, 1]),
        ],
        outputs=["sum", "product", "joined", "image", "turned"],
    )
    assert "layer sum: Add of (3,) and (4,): both have one shape" in text
    assert "layer product: multiplies tensors of shapes (3,) and (4,): 3 and 4 are to be" in text
    assert "layer joined: axis 2 of (3,)\n    -> join along the last axis" in text
    assert "layer image: the 4 elements of (4,) do not fill (3, -1)" in text
    assert "layer turned: dims (2, 1) of a tensor of shape (3,)" in text


def test_a_join_of_one_is_refused() -> None:
    assert "layer sum: reads 1 layers" in refusal([*START, layer("Add", "sum", ("grid",))])


TWO = [
    keras_input("b", 3),
    keras_input("a", 2, 2),
    quantizer("a_bits", "a"),
    layer("Flatten", "flat", ("a_bits",)),
    dense("fc_a", "flat", 3),
    dense("fc_b", "b", 3),
    layer("Add", "sum", ("fc_a", "fc_b")),
]


def test_inputs_come_in_the_models_order() -> None:
    file = network(TWO, inputs=["a", "b"], outputs=["sum"])
    assert file.inputs == ("a", "b") and [item.name for item in file.layers[:2]] == ["a", "b"]
    assert file.unquantized_inputs == ("b",) and not file.has_input_quantizer
    config = json.loads(file.architecture(tail=False, input_quantizer=(5, 2, True)))["config"]
    assert config["input_layers"] == [["a", 0, 0], ["b", 0, 0]]
    assert config["output_layers"] == [["sum", 0, 0]]
    reads = {item["name"]: item["inbound_nodes"] for item in config["layers"]}
    assert reads["fc_b"] == [[["b_grid", 0, 0, {}]]]
    assert reads["a_bits"] == [[["a", 0, 0, {}]]] and "a_grid" not in reads
    assert file.activation_types((5, 2, True))["b_grid"] == "fixed<5,3,RND_CONV,SAT>"


def test_several_outputs_keep_their_order() -> None:
    file = network(TWO, inputs=["b", "a"], outputs=["sum", "fc_b"])
    assert file.outputs == ("sum", "fc_b") and file.inputs == ("b", "a")
    config = json.loads(file.architecture(tail=True, input_quantizer=None))["config"]
    assert config["output_layers"] == [["sum", 0, 0], ["fc_b", 0, 0]]


def test_a_single_output_in_the_form_of_keras_3() -> None:
    assert network([*START, dense("fc", "grid", 2)], outputs=["fc", 0, 0]).outputs == ()


def test_a_softmax_on_the_only_output_is_cut_off_and_on_others_refused() -> None:
    items = [*START, dense("fc", "grid", 3), dense("classes", "fc", 3, "softmax")]
    file = network(items, outputs=["classes"])
    assert file.tail == "softmax" and file.layers[-1].config["activation"] == "linear"
    text = refusal(items, outputs=["fc", "classes"])
    assert "layer classes: a softmax on one of 2 outputs has no firmware" in text
    separate = [*items[:-1], layer("Activation", "p", ("fc",), activation="sigmoid")]
    text = refusal([*separate, dense("more", "fc", 1)], outputs=["p", "more"])
    assert "layer p: a sigmoid on one of 2 outputs has no firmware" in text


def test_ends_that_cannot_be() -> None:
    items = [*START, dense("fc", "grid", 3), dense("fc_2", "grid", 3)]
    assert "layer fc_2: nothing reads it, and it is not an output" in refusal(items, outputs=["fc"])
    for outputs, message in (
        (["fc", "fc"], "not a list of different tensors"),
        ({"a": ["fc", 0, 0]}, "not a list of different tensors"),
        ([["fc", 0, 1]], "not a list of different tensors"),
        ([], "not a list of different tensors"),
        (["fc", "fc_2", "none"], "the output none is not one of its layers"),
        (["fc", "fc_2", "x"], "the output x is not one of its layers"),
    ):
        assert message in refusal(items, outputs=outputs)
    assert "its inputs are y, its input layers x" in refusal(items, inputs=["y"], outputs=["fc"])
    many = [*START, *(dense(f"fc_{k}", "grid", 1) for k in range(16))]
    text = refusal(many, outputs=names(16))
    assert "has 17 inputs and outputs, and 16 can be simulated" in text


def test_a_layer_that_is_used_twice_is_two() -> None:
    twice = dense("fc", "grid", 4)
    twice["inbound_nodes"] = [[["grid", 0, 0, {}]], [["fc", 0, 0, {}]]]
    file = network([*START, twice])
    assert [(item.name, item.inputs) for item in file.layers[-2:]] == [
        ("fc", ("grid",)),
        ("fc_2", ("fc",)),
    ]
