"""Files of Keras of all ages: what they call things, and what in them is of another library."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.frontends.keras_json import Item, dense, keras_input, layer, network, quantizer
from trigger_ml.errors import ModelError
from trigger_ml.frontends.formats import Format, detect
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import KerasNetwork

BITS = {"kernel_quantizer": "quantized_bits(4,1)", "bias_quantizer": "quantized_bits(4,1)"}


def refusal(items: list[Item]) -> str:
    with pytest.raises(ModelError) as caught:
        network(items)
    return str(caught.value)


def written(folder: Path, architecture: str) -> Path:
    """An architecture in JSON with the weights of its layer fc beside it."""
    path = folder / "net.json"
    path.write_text(architecture)
    with h5py.File(folder / "net_weights.h5", "w") as file:
        for name, values in (("kernel", np.ones((3, 2))), ("bias", np.zeros(2))):
            file[f"fc/fc/{name}:0"] = values.astype(np.float32)
        file["fc"].attrs["weight_names"] = [b"fc/kernel:0", b"fc/bias:0"]
    return path


def chain(**first: Any) -> list[dict[str, Any]]:
    options = {"units": 2, "activation": "linear", "use_bias": True, **BITS, **first}
    return [
        {"class_name": "QDense", "config": {"name": "fc", **options}},
        {"class_name": "Activation", "config": {"name": "end", "activation": "softmax"}},
    ]


def reads(network: KerasNetwork) -> list[tuple[str, tuple[str, ...]]]:
    return [(item.name, item.inputs) for item in network.layers]


def test_a_sequential_model_as_the_list_of_its_layers(tmp_path: Path) -> None:
    model = {"class_name": "Sequential", "config": chain(batch_input_shape=[None, 3])}
    made = read_keras(written(tmp_path, json.dumps({**model, "keras_version": "2.0.5"})))
    assert reads(made) == [("features", ()), ("fc", ("features",))]
    assert (made.name, made.tail, made.input_shape, made.parameters) == (
        "sequential",
        "softmax",
        (3,),
        8,
    )


def test_the_input_of_a_chain_has_a_name_of_its_own(tmp_path: Path) -> None:
    layers = chain(batch_input_shape=[None, 3])
    layers[1]["config"]["name"] = "Features"
    path = written(tmp_path, json.dumps({"class_name": "Sequential", "config": layers}))
    assert read_keras(path).inputs == ("features_in",)


def test_json_in_a_text_of_json(tmp_path: Path) -> None:
    layers = chain(batch_input_shape=[None, 3])
    text = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
    path = written(tmp_path, json.dumps(text))
    assert detect(path) is Format.KERAS_JSON
    assert len(read_keras(path).layers) == 2
    path.write_text(json.dumps('{"class_name": "Sequential"}'))
    with pytest.raises(ModelError, match="describes no model"):
        read_keras(path)


def test_layers_of_training_are_left_out() -> None:
    made = network(
        [
            keras_input("x", 3),
            layer("GaussianNoise", "noise", ("x",), stddev=0.1),
            quantizer("grid", "noise"),
            layer("Dropout", "drop", ("grid",), rate=0.5),
            layer("SpatialDropout1D", "drop2", ("drop",), rate=0.5),
            dense("fc", "drop2", 2),
            layer("AlphaDropout", "last", ("fc",), rate=0.5),
        ],
        outputs=["last"],
    )
    assert reads(made) == [("x", ()), ("grid", ("x",)), ("fc", ("grid",))]
    assert json.loads(made.architecture(tail=False, input_quantizer=None))["config"][
        "output_layers"
    ] == [["fc", 0, 0]]


def test_one_of_them_with_two_inputs_is_refused() -> None:
    items = [keras_input("x", 3), quantizer("a", "x"), quantizer("b", "x")]
    text = refusal([*items, layer("Dropout", "drop", ("a", "b")), dense("fc", "drop", 2)])
    assert "layer drop: reads 2 layers, and takes one" in text


@pytest.mark.parametrize("keras", [2, 3])
def test_layers_called_as_in_training_are_refused(keras: int) -> None:
    drop = layer("Dropout", "drop", ("x",), rate=0.5)
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
    drop["inbound_nodes"] = (
        [[["x", 0, 0, {"training": True}]]]
        if keras == 2
        else [{"args": [tensor], "kwargs": {"training": True}}]
    )
    text = refusal([keras_input("x", 3), drop, dense("fc", "drop", 2)])
    assert "layer drop: is called with training=True" in text
    if keras == 2:
        drop["inbound_nodes"] = [[["x", 0, 0, {"training": False}]]]
        assert len(network([keras_input("x", 3), drop, dense("fc", "drop", 2)]).layers) == 2


@pytest.mark.parametrize(
    ("name", "other"),
    [("input", "input_layer"), ("x-1", "x_1"), ("1x", "input_1x"), ("é", "input"), ("x:0", "x_0")],
)
def test_inputs_get_names_that_a_program_can_have(name: str, other: str) -> None:
    other = "input_layer" if other == "input" else other
    made = network([keras_input(name, 3), dense("fc", name, 2)], [name], ["fc"])
    assert reads(made) == [(other, ()), ("fc", (other,))]
    assert made.inputs == (other,)
    assert made.layers[0].config["name"] == other


def test_such_a_name_is_free() -> None:
    made = network([keras_input("input", 3), dense("Input_Layer", "input", 2)])
    assert made.inputs == ("input_layer_q",)


def test_a_softmax_layer_is_a_tail() -> None:
    items = [keras_input("x", 3), dense("fc", "x", 2)]
    assert network([*items, layer("Softmax", "end", ("fc",), axis=-1)]).tail == "softmax"
    text = refusal([*items, layer("Softmax", "end", ("fc",), axis=0)])
    assert "layer end: softmax over axis 0" in text
    text = refusal([*items, layer("Softmax", "mid", ("fc",)), dense("fc2", "mid", 2)])
    assert "layer mid: softmax in the middle of a network" in text
    assert "train the network with HGQ2, whose QSoftmax has tables" in text


def test_a_dense_layer_on_steps_is_the_right_convolution() -> None:
    assert network([keras_input("x", 4, 3), dense("fc", "x", 2)]).layers[-1].kind == "QConv1D"
    assert network([keras_input("x", 4, 4, 3), dense("fc", "x", 2)]).layers[-1].kind == "QConv2D"


@pytest.mark.parametrize(
    ("kind", "config", "part"),
    [
        ("Dense", {"output_dim": 4}, "a Dense with output_dim is of Keras 1"),
        ("Convolution2D", {"nb_filter": 2, "nb_row": 3}, "with nb_filter, nb_row is of Keras 1"),
        ("Merge", {"mode": "sum"}, "a Merge is of Keras 1"),
        ("Embedding", {"output_dim": 4}, "a QDense without bias in its place"),
        ("LayerNormalization", {"axis": -1}, "a division has no firmware"),
        ("MultiHeadAttention", {"num_heads": 2}, "QSoftmax between two QEinsum"),
        ("Conv2DTranspose", {"filters": 2}, "use UpSampling and a convolution behind it"),
        ("Conv3D", {"filters": 2}, "put one axis into the channels"),
        ("GarNetStack", {"n_filters": [8]}, "is of hls4ml, not of Keras"),
        ("LSTMCell", {"units": 2}, "the layer class LSTMCell has no firmware here"),
        ("Model", {"layers": []}, "its architecture lists no layers"),
        ("TernaryDense", {"units": 2}, "kernel_quantizer='ternary(alpha=1)'"),
        ("Masking", {"mask_value": 0.0}, "leave it out where no mean reads it"),
        ("HGQ>HDense", {"units": 2}, "train the model in HGQ2"),
        ("Activation", {"activation": "binary_tanh"}, "use QActivation('binary(alpha=1)')"),
        ("Activation", {"activation": "relu1"}, "relu1 is no activation of Keras"),
        ("Conv2D", {"filters": 2}, "-> use QConv2D with quantized_bits(..., alpha=1)"),
        ("Dense", {"units": 2}, "or give --data events, from which types are chosen; where"),
    ],
)
def test_advice_for_layers_that_are_refused(kind: str, config: Item, part: str) -> None:
    text = refusal([keras_input("x", 3), layer(kind, "odd", ("x",), **config)])
    assert part in text
    assert "layer odd" in text or "model odd" in text


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("HGQ.layers.dense", "train the model in HGQ2"),
        ("hls4ml.utils.fixed_point_quantizer", "train the model in HGQ2"),
        ("hgq.layers", "model.save('model.keras')"),
        ("elsewhere", "use a layer of Keras or QKeras"),
    ],
)
def test_a_layer_of_another_library_has_one_problem(module: str, part: str) -> None:
    odd = {**layer("Odd", "odd", ("x",)), "module": module}
    text = refusal([keras_input("x", 3), odd, dense("fc", "odd", 2)])
    assert part in text
    assert text.count("layer odd") == 1


def test_a_layer_wrapped_for_pruning_says_so_and_nothing_else() -> None:
    odd = {**layer("PruneLowMagnitude", "odd", ("x",)), "module": "tensorflow_model_optimization"}
    text = refusal([keras_input("x", 3), odd, dense("fc", "odd", 2)])
    assert "strip_pruning" in text
    assert text.count("layer odd") == 1


def test_a_saved_model(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ModelError, match=r"SavedModel of TensorFlow\n.*model\.save\('model\.h5'\)"):
        read_keras(tmp_path)
