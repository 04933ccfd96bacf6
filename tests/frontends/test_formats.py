"""The same network in every kind of Keras file, told apart by content."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.formats import Format, detect, model_files
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import KerasNetwork

DATA = Path(__file__).parents[1] / "data"
TINY = DATA / "tiny_qkeras.h5"
KERAS3 = DATA / "tiny_qkeras3.keras"


def split(folder: Path, weights: str = "net_weights.h5") -> Path:
    """The tiny model as an architecture and, as Keras saves them alone, its weights."""
    path = folder / "net.json"
    with h5py.File(TINY) as whole, h5py.File(folder / weights, "w") as alone:
        path.write_text(whole.attrs["model_config"])
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", alone)
    return path


def same(left: KerasNetwork, right: KerasNetwork) -> bool:
    arrays = [
        all(np.array_equal(a, b) for a, b in zip(values, right.weights[name], strict=True))
        for name, values in left.weights.items()
    ]
    return left.layers == right.layers and left.tail == right.tail and all(arrays)


@pytest.mark.parametrize("weights", ["net_weights.h5", "net.weights.h5", "net.h5"])
def test_an_architecture_and_its_weights(tmp_path: Path, weights: str) -> None:
    path = split(tmp_path, weights)
    assert detect(path) is Format.KERAS_JSON
    assert model_files(path) == (path, tmp_path / weights)
    alone, whole = read_keras(path), read_keras(TINY)
    assert same(alone, whole) and len(whole.weights) == 3
    (tmp_path / weights).unlink()
    with pytest.raises(ModelError, match="its weights are not beside it"):
        read_keras(path)


def test_other_weights_are_another_model(tmp_path: Path) -> None:
    before = read_keras(split(tmp_path)).sha256
    with h5py.File(tmp_path / "net_weights.h5", "a") as file:
        file["fc1/fc1/bias:0"][0] += 1
    assert read_keras(tmp_path / "net.json").sha256 != before


def test_qkeras_on_keras_3() -> None:
    """The zip and the HDF5 file of the same model; the layers have no names in old zips."""
    zipped, hdf5 = read_keras(KERAS3), read_keras(KERAS3.with_suffix(".h5"))
    assert (detect(KERAS3), detect(KERAS3.with_suffix(".h5"))) == (
        Format.KERAS_ZIP,
        Format.QKERAS_H5,
    )
    assert same(zipped, hdf5)
    assert [layer.kind for layer in zipped.layers] == [
        *("InputLayer", "QActivation", "QDense", "QActivation", "QDense", "QDense")
    ]
    assert zipped.layers[4].config["activation"]["class_name"] == "quantized_relu"
    assert zipped.parameters == 83


def test_weights_of_keras_before_3_6_have_no_names(tmp_path: Path) -> None:
    path = tmp_path / "old.keras"
    with zipfile.ZipFile(KERAS3) as source:
        weights = io.BytesIO(source.read("model.weights.h5"))
        with h5py.File(weights, "a") as file:
            for group in file["layers"].values():
                group["vars"].attrs.pop("name", None)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", source.read("config.json"))
            archive.writestr("model.weights.h5", weights.getvalue())
    assert same(read_keras(path), read_keras(KERAS3))


def test_a_layer_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "other.keras"
    with zipfile.ZipFile(KERAS3) as source, zipfile.ZipFile(path, "w") as archive:
        config = json.loads(source.read("config.json"))
        config["config"]["layers"][2]["module"] = "evil.layers"
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", source.read("model.weights.h5"))
    with pytest.raises(ModelError, match=r"layer fc1: is of evil\.layers"):
        read_keras(path)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "linked.h5"
    shutil.copyfile(TINY, path)
    with h5py.File(path, "a") as file:
        del file["model_weights/fc1/fc1/kernel:0"]
        file["model_weights/fc1/fc1/kernel:0"] = h5py.ExternalLink(str(TINY), "/")
    with pytest.raises(ModelError, match="kernel:0 lies elsewhere"):
        read_keras(path)


def test_a_group_that_holds_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.h5"
    shutil.copyfile(TINY, path)
    with h5py.File(path, "a") as file:
        file["model_weights/fc1/again"] = file["model_weights"]
    with pytest.raises(ModelError, match="lies deeper than 16 groups"):
        read_keras(path)


def test_a_zip_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "no.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelError, match=r"holds no model\.weights\.h5"):
        read_keras(path)
