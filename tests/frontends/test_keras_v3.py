"""HGQ2 files: what is read, what is refused, and what is in the copy that Keras loads."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_v3 import read_keras_v3

DATA = Path(__file__).parents[1] / "data"
DENSE, SETS = DATA / "tiny_hgq.keras", DATA / "tiny_set_hgq.keras"
Change = Callable[[dict[str, Any]], None]
quiet = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(tmp_path: Path, **changes: bytes | None) -> Path:
    """The dense model with members (named without their suffix) replaced, or left out."""
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members(DENSE).items():
            chosen = changes.get(name.split(".")[0], data)
            if chosen is not None:
                archive.writestr(name, chosen)
    return path


def changed(tmp_path: Path, change: Change, source: Path = DENSE) -> Path:
    """A model with its architecture changed."""
    config = json.loads(members(source)["config.json"])
    change(config)
    return rewritten(tmp_path, config=json.dumps(config).encode())


def with_weights(tmp_path: Path, change: Callable[[h5py.File], None]) -> Path:
    """The dense model with its weights changed."""
    stream = io.BytesIO(members(DENSE)["model.weights.h5"])
    with h5py.File(stream, "a") as file:
        change(file)
    return rewritten(tmp_path, model=stream.getvalue())


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_keras_v3(path)
    return str(caught.value)


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item for item in config["config"]["layers"] if item["config"]["name"] == name
    )
    return found


def test_a_dense_model() -> None:
    file = read_keras_v3(DENSE)
    assert [(item.name, item.kind) for item in file.layers] == [
        ("features", "InputLayer"),
        ("fc1", "QDense"),
        ("fc2", "QDense"),
        ("logits", "QDense"),
    ]
    assert (file.name, file.tail) == ("tiny_hgq", "softmax")
    assert (file.inputs, file.outputs) == (("features",), ("logits",))
    assert file.parameters == 4 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3
    assert 0 < file.nonzero <= file.parameters


def test_a_set_model() -> None:
    file = read_keras_v3(SETS)
    kinds = [item.kind for item in file.layers]
    assert kinds == [
        "InputLayer",
        "QEinsumDense",
        "QEinsumDense",
        "QGlobalAveragePooling1D",
        "QDense",
        "QDense",
    ]
    assert (file.tail, file.inputs, file.outputs) == ("", ("particles",), ("logits",))
    assert [item.inputs for item in file.layers][1:] == [(x.name,) for x in file.layers[:-1]]


def arrays(weights: bytes) -> dict[str, bytes]:
    found = {}
    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems(
            lambda name, item: found.update(
                {name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {}
            )
        )
    assert found
    return found


@pytest.mark.parametrize("source", [DENSE, SETS], ids=["dense", "sets"])
def test_the_copy_names_nothing_but_layers_and_quantizers(tmp_path: Path, source: Path) -> None:
    file = read_keras_v3(source)
    file.write_copy(tmp_path / "copy.keras")
    copy, original = members(tmp_path / "copy.keras"), members(source)
    assert arrays(copy["model.weights.h5"]) == arrays(original["model.weights.h5"])
    config = json.loads(copy["config.json"])
    assert "compile_config" in json.loads(original["config.json"])
    assert set(config) == {"module", "class_name", "config", "registered_name"}
    kinds = {item.kind for item in file.layers}
    assert set(_class_names(config)) == {"Functional", "QuantizerConfig", *kinds}


def _class_names(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["class_name"]] if "class_name" in value else []
        return own + [name for item in value.values() for name in _class_names(item)]
    if isinstance(value, list):
        return [name for item in value for name in _class_names(item)]
    return []


def test_not_a_model(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.keras", tmp_path / "empty.keras"
    text.write_text("no model")
    empty.touch()
    assert "cannot be read as a zip" in refusal(text)
    assert "is empty" in refusal(empty)
    assert "is a folder" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "none.keras")
    assert "is HDF5, not a .keras file" in refusal(DATA / "tiny_qkeras.h5")


def test_parts_are_missing_or_spoilt(tmp_path: Path) -> None:
    assert "holds no metadata.json and no model.weights.h5" in refusal(
        rewritten(tmp_path, metadata=None, model=None)
    )
    assert "config.json: is not JSON" in refusal(rewritten(tmp_path, config=b"{"))
    assert "config.json: is not JSON" in refusal(rewritten(tmp_path, config=b"[" * 100_000))
    assert "describes no model" in refusal(rewritten(tmp_path, config=b"[]"))
    assert "cannot be read as HDF5" in refusal(rewritten(tmp_path, model=b"none"))
    assert "was written by Keras 2.15" in refusal(
        rewritten(tmp_path, metadata=b'{"keras_version": "2.15.0"}')
    )


@quiet
@given(cut=st.floats(0.0, 0.999))
def test_truncated_anywhere(tmp_path: Path, cut: float) -> None:
    data = DENSE.read_bytes()
    path = tmp_path / "cut.keras"
    path.write_bytes(data[: int(len(data) * cut)])
    assert refusal(path)


@quiet
@given(at=st.integers(0, len(members(DENSE)["config.json"]) - 1), byte=st.integers(32, 126))
def test_a_changed_character_is_read_or_refused(tmp_path: Path, at: int, byte: int) -> None:
    data = bytearray(members(DENSE)["config.json"])
    data[at] = byte
    try:
        read_keras_v3(rewritten(tmp_path, config=bytes(data)))
    except ModelError as error:
        assert error.blockers


@quiet
@given(at=st.integers(0, len(members(DENSE)["model.weights.h5"]) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_weights_is_read_or_refused(tmp_path: Path, at: int, bit: int) -> None:
    data = bytearray(members(DENSE)["model.weights.h5"])
    data[at] ^= 1 << bit
    try:
        read_keras_v3(rewritten(tmp_path, model=bytes(data)))
    except ModelError as error:
        assert error.blockers


def test_a_lambda_is_refused_and_not_run(tmp_path: Path) -> None:
    def to_lambda(config: dict[str, Any]) -> None:
        item = layer(config, "fc1")
        item.update(module="keras.layers", class_name="Lambda", registered_name=None)
        item["config"]["function"] = {"class_name": "__lambda__", "config": {"value": "4wEAAAA"}}

    text = refusal(changed(tmp_path, to_lambda))
    assert "layer fc1: a Lambda layer holds code, which is never run" in text
    assert "layer fc1 function: holds an object None.__lambda__" in text


@pytest.mark.parametrize(
    ("key", "made"),
    [
        ("kernel_regularizer", {"module": "os", "class_name": "system", "config": "true"}),
        ("activation", {"module": "builtins", "class_name": "function", "config": "eval"}),
        ("bias_constraint", {"module": "mine", "class_name": "C", "registered_name": "mine>C"}),
        ("beta0", {"module": "keras.initializers", "class_name": "Other"}),
        ("kernel_initializer", {"module": ["os"], "class_name": {"a": 1}, "registered_name": []}),
    ],
)
def test_objects_that_are_not_known_are_refused(
    tmp_path: Path, key: str, made: dict[str, Any]
) -> None:
    def insert(config: dict[str, Any]) -> None:
        layer(config, "fc2")["config"][key] = made

    text = refusal(changed(tmp_path, insert))
    assert f"layer fc2 {key}: holds an object {made['module']}.{made['class_name']}" in text


def test_an_object_deep_inside_a_quantizer_is_refused(tmp_path: Path) -> None:
    def insert(config: dict[str, Any]) -> None:
        quantizer = layer(config, "fc1")["config"]["kq_conf"]["config"]
        quantizer["br"]["config"]["l1"] = {"module": "m", "class_name": "K"}

    assert "layer fc1 kq_conf br l1: holds an object m.K" in refusal(changed(tmp_path, insert))


def test_a_layer_of_the_right_name_from_elsewhere_is_refused(tmp_path: Path) -> None:
    def move(config: dict[str, Any]) -> None:
        layer(config, "fc1").update(module="mine.layers", registered_name="mine>QDense")

    text = refusal(changed(tmp_path, move))
    assert "layer fc1: is a QDense of mine.layers registered as mine>QDense" in text


def test_all_blockers_at_once(tmp_path: Path) -> None:
    def spoil(config: dict[str, Any]) -> None:
        layer(config, "features")["config"]["batch_shape"] = [None, None]
        layer(config, "fc1")["config"]["kq_conf"]["config"]["scaler"] = 2.0
        layer(config, "fc1")["config"]["units"] = "6"
        layer(config, "fc2")["class_name"] = "QConv3D"
        layer(config, "logits")["config"]["bq_conf"]["config"]["q_type"] = "float"
        layer(config, "logits")["config"]["dtype"]["config"]["name"] = "mixed_float16"

    text = refusal(changed(tmp_path, spoil))
    for part in (
        "layer features: input shape [None, None]",
        "layer fc1 kq_conf: scaler is 2.0",
        "layer fc1: units is '6'",
        "layer fc2: the layer class QConv3D has no firmware here",
        "use one of Activation, ",
        ", QDense, ",
        "layer logits bq_conf: a quantizer of type 'float' is not fixed-point",
        "layer logits: its dtype is 'mixed_float16'",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("round_mode", "S_RND", "round_mode is 'S_RND'"),
        ("overflow_mode", "WRAP_SM", "overflow_mode is 'WRAP_SM'"),
        ("affine", [0.25, 0.5], "affine is [0.25, 0.5]"),
        ("bw_mapper", 1, "bw_mapper is 1"),
        ("homogeneous_axis", None, "homogeneous_axis is None and heterogeneous_axis is None"),
        ("homogeneous_axis", ["0"], "homogeneous_axis is ['0']"),
        ("is_weight", 1, "is_weight is 1"),
        ("colour", 1, "a quantizer has no parameter colour"),
    ],
)
def test_quantizers_that_are_not_read(tmp_path: Path, key: str, value: Any, part: str) -> None:
    def spoil(config: dict[str, Any]) -> None:
        layer(config, "fc1")["config"]["iq_conf"]["config"][key] = value

    assert f"layer fc1 iq_conf: {part}" in refusal(changed(tmp_path, spoil))


def test_a_float_model_is_told_to_compress(tmp_path: Path) -> None:
    def to_float(config: dict[str, Any]) -> None:
        for item in config["config"]["layers"][1:4]:
            item.update(module="keras.layers", class_name="Dense", registered_name=None)

    assert "run trigger-ml compress on it first" in refusal(changed(tmp_path, to_float))


def test_nan_weights_are_named(tmp_path: Path) -> None:
    def spoil(file: h5py.File) -> None:
        values = file["layers/q_dense/vars/0"]
        values[0, :2] = np.nan, np.inf

    text = refusal(with_weights(tmp_path, spoil))
    assert "layers/q_dense/vars/0: 2 of 24 values are NaN or infinite" in text


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    def link(file: h5py.File) -> None:
        del file["layers/q_dense/vars/0"]
        file["layers/q_dense/vars/0"] = h5py.ExternalLink("/etc/other.h5", "kernel")

    assert "layers/q_dense/vars/0 lies elsewhere" in refusal(with_weights(tmp_path, link))


@pytest.mark.parametrize("name", ["fc-1", "1fc", "input", "FC2"])
def test_names_that_hls4ml_cannot_take(tmp_path: Path, name: str) -> None:
    def rename(config: dict[str, Any]) -> None:
        layer(config, "fc1")["config"]["name"] = name

    where = "fc2" if name == "FC2" else name
    assert f"layer {where}:" in refusal(changed(tmp_path, rename))


def test_a_name_that_hls4ml_gives_to_a_quantizer(tmp_path: Path) -> None:
    def rename(config: dict[str, Any]) -> None:
        layer(config, "fc1")["config"]["name"] = "logits_iq"

    assert "layer logits_iq: hls4ml takes it for logits_iq" in refusal(changed(tmp_path, rename))


def test_wiring_that_makes_no_network_is_refused(tmp_path: Path) -> None:
    def branch(config: dict[str, Any]) -> None:
        node = layer(config, "phi2")["inbound_nodes"][0]
        node["args"].append(node["args"][0])

    def stop_early(config: dict[str, Any]) -> None:
        config["config"]["output_layers"] = ["rho", 0, 0]

    def strange(config: dict[str, Any]) -> None:
        layer(config, "rho")["inbound_nodes"] = [{"args": [3], "kwargs": {}}]

    assert "layer phi2: reads 2 layers, and takes 1" in refusal(changed(tmp_path, branch, SETS))
    assert "layer logits: nothing reads it, and it is not an output" in refusal(
        changed(tmp_path, stop_early, SETS)
    )
    assert "layer rho: its inputs cannot be read" in refusal(changed(tmp_path, strange, SETS))


def test_shapes_and_means(tmp_path: Path) -> None:
    def six(config: dict[str, Any]) -> None:
        layer(config, "particles")["config"]["batch_shape"] = [None, 6, 3]
        for name in ("phi1", "phi2"):
            layer(config, name)["config"]["output_shape"] = [6, 4]

    def other(config: dict[str, Any]) -> None:
        layer(config, "phi1")["config"]["output_shape"] = [7, 4]

    def across(config: dict[str, Any]) -> None:
        layer(config, "phi1")["config"]["equation"] = "...c,cd->...d"

    def unpooled(config: dict[str, Any]) -> None:
        layers = config["config"]["layers"]
        layers.remove(layer(config, "mean"))
        history = layer(config, "rho")["inbound_nodes"][0]["args"][0]["config"]
        history["keras_history"] = ["phi2", 0, 0]

    for change, part in (
        (six, "layer mean: a mean over 6 elements of (6, 4) is not exact"),
        (other, "layer phi1: axis n has size 8 before and 7 after it"),
        (across, "layer phi1: equation '...c,cd->...d' is not one of named axes"),
        (unpooled, "layer rho: reads a tensor of shape (8, 4), not one axis"),
    ):
        assert part in refusal(changed(tmp_path, change, SETS))


def test_no_quantizer_on_the_input(tmp_path: Path) -> None:
    def leave_out(config: dict[str, Any]) -> None:
        layer(config, "fc1")["config"].update(enable_iq=False, iq_conf=None)

    assert "layer features: nothing says which fixed-point type the inputs have" in refusal(
        changed(tmp_path, leave_out)
    )


def test_a_tail_inside_a_layer_takes_its_output_quantizer_along(tmp_path: Path) -> None:
    def inside(config: dict[str, Any]) -> None:
        config["config"]["layers"].pop()
        last = layer(config, "logits")["config"]
        last.update(activation="sigmoid", enable_oq=True, oq_conf=last["iq_conf"])

    file = read_keras_v3(changed(tmp_path, inside))
    assert file.tail == "sigmoid"
    assert file.layers[-1].config["activation"] == "linear"
    assert file.layers[-1].config["enable_oq"] is False


def test_softmax_in_the_middle(tmp_path: Path) -> None:
    def put(config: dict[str, Any]) -> None:
        layer(config, "fc1")["config"]["activation"] = "softmax"

    text = refusal(changed(tmp_path, put))
    assert "layer fc1: softmax of real numbers in the middle of a network" in text
