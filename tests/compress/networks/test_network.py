"""Networks out of Keras files, against what Keras itself said (tests/data/make_tiny_float.py)."""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.special import expit, softmax

from trigger_ml.compress.networks.network import (
    DenseLayer,
    FloatNetwork,
    GlobalAverage,
    load_network,
    read_network,
    save_network,
)
from trigger_ml.errors import ModelError
from trigger_ml.graph.types import FixedType

DATA = Path(__file__).parents[2] / "data"
TAGGER = Path(__file__).parents[3] / "models" / "jet_tagger"
FILES = ("tiny_float.h5", "tiny_float.keras", "tiny_set.h5", "tiny_set.keras")


@pytest.mark.parametrize("name", FILES)
def test_logits_are_those_of_keras(name: str) -> None:
    network = read_network(DATA / name)
    recorded = np.load(DATA / f"{name}.npz")
    tail = {"softmax": lambda x: softmax(x, axis=-1), "sigmoid": expit}[network.tail]
    logits = network.logits(recorded["x"])
    assert logits.shape == (20, network.outputs)
    np.testing.assert_allclose(tail(logits), recorded["outputs"], rtol=0, atol=1e-6)
    assert np.ptp(recorded["outputs"]) > 0.2, "outputs that differ, or the comparison is empty"


def test_normalization_is_folded() -> None:
    network = read_network(DATA / "tiny_float.h5")
    shapes = [(layer.name, layer.kernel.shape, layer.activation) for layer in network.dense]
    assert shapes == [
        ("fc1", (5, 6), "relu"), ("fc2", (6, 4), "relu"), ("scores", (4, 3), "linear")
    ]  # fmt: skip
    assert network.parameters == 30 + 6 + 24 + 4 + 12 + 3
    assert network.nonzero == network.parameters, "a folded shift gives fc2 its bias"


def test_a_set_network() -> None:
    network = read_network(DATA / "tiny_set.keras")
    assert network.input_shape == (6, 3) and network.outputs == 1
    assert [layer.name for layer in network.layers] == ["phi1", "phi2", "mean", "rho"]
    values = np.load(DATA / "tiny_set.keras.npz")["x"]
    found = network.activations(values)
    assert found["phi2"].shape == (20, 6, 4) and found["mean"].shape == (20, 4)
    np.testing.assert_array_equal(found["mean"], found["phi2"].mean(axis=1))
    np.testing.assert_array_equal(found["rho"], network.logits(values))


def test_the_tagger() -> None:
    events = np.load(TAGGER / "events.npz")
    network = read_network(TAGGER / "float_baseline.h5")
    assert network.input_type is None and network.tail == "softmax"
    logits = network.logits(events["x"])
    # Recorded as float16, of which 2**-11 is half a step at 1.
    recorded = events["float_scores"].astype(np.float64)
    assert (np.abs(logits - recorded) <= np.abs(logits) * 2.0**-11 + 1e-5).all()
    quantized = read_network(TAGGER / "model.h5")
    assert str(quantized.input_type) == "fixed<8,2,RND_CONV,SAT>"
    assert quantized.nonzero < 0.2 * network.nonzero
    assert (quantized.logits(events["x"]).argmax(1) == events["y"]).mean() > 0.7


def test_an_input_quantizer_acts() -> None:
    layer = DenseLayer("z", np.array([[1.0]]), np.array([0.0]), "linear")
    network = FloatNetwork("n", (1,), (layer,), "", FixedType.parse("fixed<4,2,RND_CONV,SAT>"))
    said = network.logits(np.array([[0.3], [9.0], [-9.0], [0.125]]))
    assert said[:, 0].tolist() == [0.25, 1.75, -2.0, 0.0]


@pytest.mark.parametrize("name", ["tiny_float.h5", "tiny_set.keras"])
def test_a_saved_network_comes_back(name: str, tmp_path: Path) -> None:
    network = read_network(DATA / name)
    path = tmp_path / "network"
    save_network(network, path)
    again = load_network(path)
    values = np.load(DATA / f"{name}.npz")["x"]
    assert np.array_equal(again.logits(values), network.logits(values))
    assert (again.name, again.tail, again.input_shape) == (
        network.name, network.tail, network.input_shape
    )  # fmt: skip
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in network.layers]
    assert any(isinstance(layer, GlobalAverage) for layer in again.layers) == ("set" in name)


def altered(path: Path, change, source: str) -> Path:  # type: ignore[no-untyped-def]
    """A copy of a model file whose layer list went through ``change``."""
    if source.endswith(".h5"):
        shutil.copy(DATA / source, path)
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config["config"]["layers"])
            file.attrs["model_config"] = json.dumps(config)
        return path
    with zipfile.ZipFile(DATA / source) as old, zipfile.ZipFile(path, "w") as new:
        config = json.loads(old.read("config.json"))
        change(config["config"]["layers"])
        new.writestr("config.json", json.dumps(config))
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    return path


@pytest.mark.parametrize("source", ["tiny_float.h5", "tiny_float.keras"])
def test_all_blockers_at_once(source: str, tmp_path: Path) -> None:
    def change(layers: list) -> None:  # type: ignore[type-arg]
        layers[1]["class_name"] = "Lambda"
        layers[2]["config"]["activation"] = "tanh"
        layers[4]["class_name"] = "Conv1D"

    path = altered(tmp_path / source, change, source)
    with pytest.raises(ModelError) as caught:
        read_network(path)
    assert [blocker.where for blocker in caught.value.blockers] == [
        "layer scale", "layer fc1", "layer relu1"
    ]  # fmt: skip
    assert "which is never run" in str(caught.value) and "the activation tanh" in str(caught.value)


def test_a_layer_of_another_library_is_refused(tmp_path: Path) -> None:
    def change(layers: list) -> None:  # type: ignore[type-arg]
        layers[1]["module"] = "hgq.layers"

    path = altered(tmp_path / "m.keras", change, "tiny_set.keras")
    with pytest.raises(ModelError, match=r"layer phi1: is of hgq\.layers, not a layer of Keras"):
        read_network(path)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    def change(layers: list) -> None:  # type: ignore[type-arg]
        layers[1]["config"]["units"] = 7

    path = altered(tmp_path / "m.keras", change, "tiny_set.keras")
    with pytest.raises(ModelError, match=r"layer phi1: has weights of shapes .*not \[\(3, 7\)"):
        read_network(path)


def test_not_finite_weights(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    shutil.copy(DATA / "tiny_set.h5", path)
    with h5py.File(path, "r+") as file:
        file["model_weights/phi1/phi1/kernel:0"][0, 0] = np.nan
    with pytest.raises(ModelError, match="1 of 20 weights are NaN or infinite"):
        read_network(path)


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x05\x06" + bytes(18)])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_files_that_are_no_model(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=str(path)):
        read_network(path)
