"""Model files that cannot be compiled: one pass names everything that is wrong."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.quantizers import canonical_quantizer

TINY = Path(__file__).parents[1] / "data" / "tiny_qkeras.h5"
Change = Callable[[dict[str, Any]], None]


def changed(tmp_path: Path, change: Change) -> Path:
    """The tiny model with its architecture changed."""
    path = tmp_path / "changed.h5"
    shutil.copyfile(TINY, path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_keras(path)
    return str(caught.value)


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item for item in config["config"]["layers"] if item["config"]["name"] == name
    )
    return found


def test_a_good_file() -> None:
    file = read_keras(TINY)
    assert [item.kind for item in file.layers].count("QDense") == 3
    assert (file.tail, file.input_shape, file.has_input_quantizer) == ("softmax", (4,), True)
    assert file.parameters == 4 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3
    assert 0 < file.nonzero < file.parameters
    assert "softmax" not in file.architecture(tail=False, input_quantizer=None)


def test_not_a_model(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.h5", tmp_path / "empty.h5"
    text.write_text("no model")
    empty.touch()
    assert "cannot be read as HDF5" in refusal(text)
    assert "is empty" in refusal(empty)
    assert "is a folder" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "none.h5")


def test_weights_alone(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.ones(3)
    assert "model.save('model.h5')" in refusal(path)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.floats(0.0, 0.999))
def test_truncated_anywhere(tmp_path: Path, cut: float) -> None:
    data = TINY.read_bytes()
    path = tmp_path / "cut.h5"
    path.write_bytes(data[: int(len(data) * cut)])
    assert refusal(path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, TINY.stat().st_size - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_read_or_refused(tmp_path: Path, at: int, bit: int) -> None:
    data = bytearray(TINY.read_bytes())
    data[at] ^= 1 << bit
    path = tmp_path / "flipped.h5"
    path.write_bytes(data)
    try:
        read_keras(path)
    except ModelError as error:
        assert error.blockers


def test_a_lambda_is_refused_and_not_run(tmp_path: Path) -> None:
    def to_lambda(config: dict[str, Any]) -> None:
        item = layer(config, "fc1_relu")
        item["class_name"] = "Lambda"
        item["config"]["function"] = ["4wEAAAA", None, None]

    text = refusal(changed(tmp_path, to_lambda))
    assert "layer fc1_relu: a Lambda layer holds code, which is never run" in text


def test_all_blockers_at_once(tmp_path: Path) -> None:
    def spoil(config: dict[str, Any]) -> None:
        layer(config, "fc1")["class_name"] = "Dense"
        layer(config, "fc2")["config"]["kernel_quantizer"] = "quantized_bits(4,0,alpha='auto')"
        layer(config, "fc1_relu")["config"]["activation"] = "quantized_po2(4)"
        layer(config, "fc2_relu")["class_name"] = "Conv3D"

    text = refusal(changed(tmp_path, spoil))
    for part in (
        "layer fc1: a Dense layer has float weights",
        "layer fc2 kernel_quantizer: quantized_bits(alpha='auto')",
        "layer fc1_relu: the quantizer quantized_po2 has no fixed-point meaning",
        "layer fc2_relu: has three dimensions and channels, and two are read",
    ):
        assert part in text


def test_nan_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "nan.h5"
    shutil.copyfile(TINY, path)
    with h5py.File(path, "a") as file:
        kernel = file["model_weights/fc1/fc1/kernel:0"]
        values = kernel[()]
        values[0, 0], values[1, 1] = np.nan, np.inf
        kernel[...] = values
    assert "layer fc1: 2 of 30 weights are NaN or infinite" in refusal(path)


@pytest.mark.parametrize("name", ["fc-1", "1fc", "input", "FC2"])
def test_names_that_hls4ml_cannot_take(tmp_path: Path, name: str) -> None:
    def rename(config: dict[str, Any]) -> None:
        text = json.dumps(config["config"]["layers"]).replace('"fc1"', json.dumps(name))
        config["config"]["layers"] = json.loads(text)

    where = "fc2" if name == "FC2" else name
    assert f"layer {where}:" in refusal(changed(tmp_path, rename))


def test_branches_are_refused(tmp_path: Path) -> None:
    def branch(config: dict[str, Any]) -> None:
        node = layer(config, "fc2")["inbound_nodes"][0]
        node.append(copy.deepcopy(node[0]))

    assert "layer fc2: reads 2 layers, and takes one" in refusal(changed(tmp_path, branch))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch /tmp/never')",
        "quantized_bits(6, 0, alpha=__import__('os'))",
        "(lambda: 1)()",
        "quantized_bits.__class__()",
        "quantized_bits(" + "(" * 500,
        "quantized_bits(*[1])",
    ],
)
def test_quantizer_text_is_never_evaluated(text: str) -> None:
    with pytest.raises(ModelError):
        canonical_quantizer(text, "layer fc1")


def test_quantizer_text_and_dictionary_mean_the_same() -> None:
    text = canonical_quantizer("quantized_bits(6,0,alpha=1)", "x")
    data = {"class_name": "quantized_bits", "config": {"bits": 6, "integer": 0, "alpha": 1}}
    assert canonical_quantizer(data, "x") == text
    assert canonical_quantizer(None, "x") is None


@pytest.mark.parametrize(
    "call",
    [
        "quantized_relu(6, 2, negative_slope=0.25)",
        "quantized_relu(6, 2, relu_upper_bound=1.5)",
        "quantized_bits(6, 0, qnoise_factor=0.5)",
        "quantized_bits(0, 0)",
        "quantized_bits(6.5, 0)",
        "quantized_bits(6, 0, colour=1)",
    ],
)
def test_quantizers_that_are_not_fixed_point(call: str) -> None:
    with pytest.raises(ModelError):
        canonical_quantizer(call, "layer fc1")


def test_a_saved_graph_is_no_keras_file() -> None:
    with pytest.raises(ModelError, match="is packed, and only Keras files") as caught:
        read_keras(Path(__file__).parents[1] / "data" / "tiny.fml")
    assert "compile and inspect take .fml" in str(caught.value)
