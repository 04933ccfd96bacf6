"""Batch normalizations and activations of their own: read, refused, put in order."""

from typing import Any

import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_layers import read_layer
from trigger_ml.frontends.keras_quantizers import axis_problem, own_activations
from trigger_ml.frontends.model_file import Layer


def layer(name: str, kind: str, reads: str, **config: Any) -> Layer:
    return Layer(name, kind, (reads,) if reads else (), read_layer(kind, name, config))


def quantized(name: str, reads: str, activation: str) -> Layer:
    return layer(name, "QActivation", reads, activation=activation)


def dense(name: str, reads: str, activation: str) -> Layer:
    plain = "quantized_bits(4,0,alpha=1)"
    grids = {"kernel_quantizer": plain, "bias_quantizer": plain}
    return layer(name, "QDense", reads, units=3, activation=activation, **grids)


def test_a_normalization() -> None:
    read = read_layer("BatchNormalization", "bn", {"axis": [1], "center": False, "momentum": 0.9})
    assert read == {
        "name": "bn",
        "axis": 1,
        "epsilon": 0.001,
        "center": False,
        "scale": True,
        "dtype": "float32",
    }
    quantizers = {f"{name}_quantizer": "quantized_po2(4)" for name in ("beta", "mean")}
    read = read_layer("QBatchNormalization", "bn", {"axis": -1, **quantizers})
    assert read["beta_quantizer"]["class_name"] == "quantized_po2"
    assert read["gamma_quantizer"] is None


def test_everything_wrong_with_a_normalization_at_once() -> None:
    config = {"renorm": True, "axis": [1, 2], "epsilon": -1, "gamma_quantizer": "bernoulli()"}
    with pytest.raises(ModelError) as caught:
        read_layer("QBatchNormalization", "bn", config)
    text = str(caught.value)
    for part in ("renorm=True", "axis [1, 2]", "epsilon -1", "quantizer bernoulli"):
        assert part in text


def test_only_the_last_axis() -> None:
    normal = layer("bn", "BatchNormalization", "x", axis=3)
    assert axis_problem(normal, (4, 4, 2)) is None
    problem = axis_problem(normal, (6,))
    assert problem is not None
    assert "normalizes axis 3 of a tensor of shape (6,)" in problem.what


def test_an_activation_that_needs_a_table_gets_a_layer() -> None:
    source = layer("x", "InputLayer", "", batch_input_shape=[None, 4])
    layers = [
        source,
        quantized("grid", "x", "quantized_bits(4,1,alpha=1)"),
        dense("fc1", "grid", "binary(alpha=1)"),
        dense("fc1_binary", "fc1", "quantized_relu(4,1)"),
        dense("fc2", "fc1_binary", "quantized_tanh(4)"),
    ]
    made, outputs, blockers = own_activations(layers, ("fc2",))
    assert not blockers
    assert outputs == ("fc2_quantized_tanh",)
    assert [(item.name, item.kind, item.inputs) for item in made[2:]] == [
        ("fc1", "QDense", ("grid",)),
        ("fc1_binary_q", "QActivation", ("fc1",)),
        ("fc1_binary", "QDense", ("fc1_binary_q",)),
        ("fc2", "QDense", ("fc1_binary",)),
        ("fc2_quantized_tanh", "QActivation", ("fc2",)),
    ]
    assert [item.config["activation"] for item in (made[2], made[5])] == ["linear", "linear"]


def test_a_table_on_the_input_leaves_its_type_open() -> None:
    source = layer("x", "InputLayer", "", batch_input_shape=[None, 4])
    _, _, blockers = own_activations([source, quantized("act", "x", "ternary(alpha=1)")])
    assert "a ternary on the input leaves the type of the input open" in blockers[0].what
