"""What is wrong with a model is told in one list, and nothing that only follows from it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.frontends.keras_json import dense, keras_input, layer, quantizer
from tests.onnx_models import Builder
from trigger_ml.config import Config, load_config
from trigger_ml.errors import BlockedError, Blocker
from trigger_ml.frontends import flat
from trigger_ml.frontends.client import check_file, check_model
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.requirements import config_for

BITS = "quantized_bits(4,1,alpha=1)"


def file_of(path: Path, items: Sequence[Any], **weights: Sequence[Any]) -> Path:
    """A .h5 as Keras 2 writes it."""
    config = {"name": "net", "layers": list(items)}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [item["name"].encode() for item in items]
        for item in items:
            own, arrays = group.create_group(item["name"]), weights.get(item["name"], ())
            names = [f"{item['name']}/w{number}" for number in range(len(arrays))]
            own.attrs["weight_names"] = [name.encode() for name in names]
            for name, values in zip(names, arrays, strict=True):
                own.create_dataset(name, data=np.asarray(values, np.float32))
    return path


def told(path: Path, config: Config | None = None) -> list[Blocker]:
    with pytest.raises(BlockedError) as caught:
        check_model(path, config or Config())
    return list(caught.value.blockers)


def conv(name: str, read: str, **options: Any) -> Any:
    config = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "valid", "filters": 4}
    quantizers = {"kernel_quantizer": BITS, "bias_quantizer": BITS}
    return layer("QConv2D", name, (read,), **{**config, **quantizers, **options})


ARRAYS = {"c": (np.full((3, 3, 1, 4), 0.5), np.zeros(4)), "f": (np.ones((144, 2)), np.zeros(2))}


def test_a_size_is_told_with_a_layer_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        keras_input("x", 8, 8, 1),
        conv("c", "x"),
        layer("Flatten", "flat", ("c",)),
        layer("Lambda", "code", ("flat",)),
        dense("f", "code", 2, activation="swish"),
    ]
    path = file_of(tmp_path / "m.h5", items, **ARRAYS)
    monkeypatch.setattr(flat, "MOST_PRODUCTS", 1000)
    found = {item.where: item.what for item in told(path)}
    assert set(found) == {"layer code", "layer f activation", "layer x", "model"}
    assert "take 1,296 products" in found["model"]
    assert "which fixed-point type" in found["layer x"]
    monkeypatch.setattr(flat, "MOST_PRODUCTS", 1296)
    config = load_config(None, {"firmware.input_type": "fixed<8,4>"})
    assert {item.where for item in told(path, config)} == {"layer code", "layer f activation"}


def test_what_reads_a_refused_layer_is_not_told(tmp_path: Path) -> None:
    """The mean of 3 behind the Lambda may be another one once the Lambda is gone."""
    pool = {"pool_size": [3], "strides": [3], "padding": "valid"}
    items = [
        keras_input("x", 6, 2),
        layer("Lambda", "code", ("x",)),
        quantizer("q", "code"),
        layer("AveragePooling1D", "mean", ("q",), **pool),
        layer("Flatten", "flat", ("mean",)),
        dense("f", "flat", 2),
    ]
    path = file_of(tmp_path / "m.h5", items, f=(np.ones((4, 2)), np.zeros(2)))
    assert {item.where for item in told(path)} == {"layer code"}


def test_weights_and_activations_of_other_layers_are_told_with_a_shape(tmp_path: Path) -> None:
    items = [
        keras_input("x", 2),
        quantizer("q", "x"),
        dense("a", "q", 3),
        layer("Softmax", "soft", ("a",), axis=-1),
        dense("b", "soft", 3),
        layer("Reshape", "r", ("b",), target_shape=[2, 2]),
        dense("c", "r", 2),
    ]
    nan = np.full((2, 3), np.nan)
    weights = {"a": (nan, np.zeros(3)), "b": (np.ones((3, 3)), np.zeros(3))}
    path = file_of(tmp_path / "m.h5", items, **weights)
    assert {"layer a", "layer r", "layer soft"} <= {
        item.where.split(" kernel")[0] for item in told(path)
    }


def test_the_form_and_the_input_type_of_a_whole_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [keras_input("x", 8, 8, 1), conv("c", "x"), layer("Flatten", "flat", ("c",))]
    path = file_of(tmp_path / "m.h5", [*items, dense("f", "flat", 2)], **ARRAYS)
    monkeypatch.setattr(flat, "MOST_PRODUCTS", 1000)
    config = load_config(None, {"firmware.io_type": "io_stream"})
    places = [item.where for item in told(path, config)]
    assert places == ["firmware.io_type", "model", "layer x"]


def test_operators_of_onnx_and_the_layers_they_become(tmp_path: Path) -> None:
    """An Erf that no firmware has, and behind nothing of it a mean over 3 elements."""
    model = Builder()
    left = model.quant("x", 4, 0.5)
    mean = model.node("AveragePool", left, kernel_shape=[1, 3], strides=[1, 3], name="mean")
    joined = model.node("Flatten", mean)
    other = model.node("Erf", model.node("Flatten", left), name="erf")
    output = model.node("Concat", joined, other, axis=1)
    path = model.save(tmp_path / "m.onnx", model.dense(output, 6, 2), ("events", 1, 1, 3))
    found = {item.where for item in told(path)}
    assert any("erf" in place for place in found) and any("mean" in place for place in found)


def test_an_open_input_of_onnx_is_told_with_the_operators(tmp_path: Path) -> None:
    model = Builder()
    layers = model.dense("x", 4, 3)
    path = model.save(tmp_path / "m.onnx", model.node("Erf", layers, name="erf"), ("events", 4))
    found = {item.where: item.what for item in told(path)}
    assert "which fixed-point type" in found["input x"]
    assert len(found) == 2
    refused = Builder()
    output = refused.dense(refused.quant("x", 4, 0.3), 4, 3)
    path = refused.save(tmp_path / "q.onnx", output, ("events", 4))
    assert "input x" not in {item.where for item in told(path)}


def wrong(tmp_path: Path) -> Path:
    items = [keras_input("x", 4), layer("Lambda", "code", ("x",)), dense("f", "code", 2)]
    return file_of(tmp_path / "m.h5", items, f=(np.ones((4, 2)), np.zeros(2)))


def test_part_events_and_model_in_one_list(tmp_path: Path) -> None:
    config = load_config(None, {"target.part": "nothing"})
    request = Request(wrong(tmp_path), config, tmp_path / "no.npz", tmp_path / "out")
    with pytest.raises(BlockedError) as caught:
        compile_model(request)
    places = [item.where for item in caught.value.blockers]
    assert places == ["target.part", str(tmp_path / "no.npz"), "layer code"]
    assert not (tmp_path / "out").exists()


def test_broken_events_are_told_with_the_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=np.full((3, 4), np.nan, np.float32))
    request = Request(wrong(tmp_path), Config(), tmp_path / "e.npz", tmp_path / "out")
    with pytest.raises(BlockedError) as caught:
        compile_model(request)
    whats = [item.what for item in caught.value.blockers]
    assert "never run" in whats[0] and "3 of 3 events hold NaN" in whats[1]


def test_a_configuration_is_told_with_the_model(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("firmware: {input_tipe: 'fixed<8,4>'}\n")
    with pytest.raises(BlockedError) as caught:
        config_for(wrong(tmp_path), file, {}, clock="soon")
    text = str(caught.value)
    assert "input_tipe" in text and "soon" in text and "layer code" in text
    assert "which fixed-point type" not in text
    with pytest.raises(BlockedError, match="layer code"):
        check_file(wrong(tmp_path))
