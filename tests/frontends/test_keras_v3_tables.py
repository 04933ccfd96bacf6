"""HGQ2's softmax and tables in a file: what is read, and what is refused with a way out."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trigger_ml.config import load_config
from trigger_ml.errors import ModelError
from trigger_ml.frontends.hgq_client import open_hgq
from trigger_ml.frontends.keras_v3 import read_keras_v3

DATA = Path(__file__).parents[1] / "data"
TABLES = DATA / "tiny_tables_hgq.keras"
Change = Callable[[dict[str, Any]], None]


def changed(tmp_path: Path, change: Change, source: Path = TABLES) -> Path:
    """The model with its architecture changed."""
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    path.write_bytes(stream.getvalue())
    return path


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item for item in config["config"]["layers"] if item["config"]["name"] == name
    )
    return found


def with_parameters(name: str, **parameters: Any) -> Change:
    def change(config: dict[str, Any]) -> None:
        layer(config, name)["config"].update(parameters)

    return change


def with_quantizer(name: str, key: str, **parameters: Any) -> Change:
    def change(config: dict[str, Any]) -> None:
        layer(config, name)["config"][key]["config"].update(parameters)

    return change


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_keras_v3(path)
    return str(caught.value)


def test_tables_are_layers_of_the_network_and_no_tail() -> None:
    file = read_keras_v3(TABLES)
    assert file.tail == ""
    assert [(item.name, item.kind) for item in file.layers if "Dense" not in item.kind] == [
        ("features", "InputLayer"),
        ("tanh", "QUnaryFunctionLUT"),
        ("gate", "QAffinedUnaryFunctionLUT"),
        ("scores", "QSoftmax"),
    ]
    table, scores = (file.layers[place].config for place in (2, 6))
    assert (table["activation"], table["allow_heterogeneous_table"]) == ("tanh", False)
    assert (scores["axes"], scores["stable"], scores["input_scaler"]) == ([1], True, 1.0)


def test_the_network_ends_in_a_softmax_of_its_own(tmp_path: Path) -> None:
    config = load_config(None)
    opened = open_hgq(TABLES, config, tmp_path)
    assert (opened.own_softmax, opened.no_softmax) == (True, "")
    opened = open_hgq(DATA / "tiny_hgq.keras", config, tmp_path)
    assert not opened.own_softmax
    assert "one with firmware is hgq.layers.QSoftmax" in opened.no_softmax
    assert not open_hgq(DATA / "tiny_set_hgq.keras", config, tmp_path).no_softmax


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (with_parameters("scores", axes=[0]), "a softmax over the axes [0] of a tensor of shape"),
        (with_parameters("scores", axes=[1, -1]), "a softmax over the axes [1, -1]"),
        (with_parameters("scores", axes=[]), "axes are [], not whole numbers"),
        (with_parameters("scores", axes=["1"]), "axes are ['1'], not whole numbers"),
        (with_parameters("scores", input_scaler=-1.0), "input_scaler is -1.0, not a number above"),
        (with_parameters("scores", input_scaler=float("inf")), "input_scaler is inf"),
        (with_parameters("scores", parallelization_factor=0), "parallelization_factor is 0"),
        (with_parameters("scores", stable="yes"), "stable is 'yes', not true or false"),
        (
            with_parameters("scores", allow_heterogeneous_table=True),
            "leave it out: hls4ml 1.3 has one table for all elements",
        ),
        (
            with_quantizer("scores", "inv_iq_conf", heterogeneous_axis=[1]),
            "inv_iq_conf has widths of its own for elements; hls4ml 1.3 has one table",
        ),
        (
            with_quantizer("tanh", "oq_conf", heterogeneous_axis=None, homogeneous_axis=[0]),
            "layer tanh: oq_conf has widths of its own for elements",
        ),
        (
            with_parameters("scores", exp_iq_conf=None),
            "exp_iq_conf is None, not a QuantizerConfig",
        ),
        (with_parameters("tanh", activation="<lambda>"), "activation '<lambda>' is no function of"),
        (with_parameters("tanh", activation="softmax"), "activation 'softmax' is no function of"),
        (with_parameters("gate", enable_oq=False), "has no quantizer of its results"),
        (
            with_parameters("fc1", activation="tanh"),
            "or put hgq.layers.QUnaryFunctionLUT behind the layer",
        ),
        (
            with_parameters("fc1", activation="sigmoid"),
            "put hgq.layers.QUnaryFunctionLUT('sigmoid') there, whose table is trained with it",
        ),
        (
            with_parameters("fc2", activation="softmax"),
            "layer fc2: softmax of real numbers in the middle of a network has no exact firmware",
        ),
    ],
)
def test_refused(tmp_path: Path, change: Change, text: str) -> None:
    found = refusal(changed(tmp_path, change))
    assert text in found, found


def test_axes_by_their_place_from_the_end(tmp_path: Path) -> None:
    assert read_keras_v3(changed(tmp_path, with_parameters("scores", axes=[-1]))).tail == ""


def test_widths_shared_along_all_axes_are_one_table(tmp_path: Path) -> None:
    same = with_quantizer("tanh", "oq_conf", heterogeneous_axis=None, homogeneous_axis=[0, -1])
    assert len(read_keras_v3(changed(tmp_path, same)).layers) == 7


def test_a_function_of_a_file_is_never_made(tmp_path: Path) -> None:
    own = {"module": "os", "class_name": "function", "config": "system", "registered_name": "x"}
    found = refusal(changed(tmp_path, with_parameters("gate", activation=own)))
    assert "layer gate: activation function is no function of Keras of one variable" in found
    assert "holds an object os.function" in found


def test_a_softmax_layer_of_keras_itself(tmp_path: Path) -> None:
    def put(config: dict[str, Any]) -> None:
        item = layer(config, "scores")
        item.update(module="keras.layers", class_name="Softmax", registered_name=None)

    found = refusal(changed(tmp_path, put))
    assert "layer scores: Keras' own softmax, of real numbers" in found
    assert "use hgq.layers.QSoftmax, or Activation('softmax') as the last layer" in found
