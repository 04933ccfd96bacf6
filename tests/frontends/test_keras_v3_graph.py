"""HGQ2 files that are graphs: what is read of their wiring, and what is refused."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_v3 import HgqFile, read_keras_v3

DATA = Path(__file__).parents[1] / "data"
GRAPH = DATA / "tiny_graph_hgq.keras"
Change = Callable[[dict[str, Any]], None]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed(tmp_path: Path, change: Change) -> Path:
    """The graph with its architecture changed."""
    parts = members(GRAPH)
    config = json.loads(parts["config.json"])
    change(config["config"])
    parts["config.json"] = json.dumps(config).encode()
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_keras_v3(path)
    return str(caught.value)


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        item for item in config["layers"] if item["config"]["name"] == name
    )
    return found


def reads(file: HgqFile) -> dict[str, tuple[str, ...]]:
    return {item.name: item.inputs for item in file.layers}


WIRING = {
    "pair": (),
    "event": (),
    "each": ("pair",),
    "flat": ("each",),
    "off": ("flat",),
    "both": ("off",),
    "start": ("event",),
    "beside": ("start",),
    "skip": ("start", "beside"),
    "gated": ("skip", "both"),
    "energy": ("skip",),
    "joined": ("gated", "skip", "energy"),
    "logits": ("joined",),
}


def test_a_graph() -> None:
    file = read_keras_v3(GRAPH)
    assert reads(file) == WIRING
    assert (file.inputs, file.outputs, file.tail) == (("pair", "event"), ("logits", "energy"), "")


def test_the_copy_is_the_same_graph_with_nothing_left_out(tmp_path: Path) -> None:
    read_keras_v3(GRAPH).write_copy(tmp_path / "copy.keras")
    config = json.loads(members(tmp_path / "copy.keras")["config.json"])["config"]
    wired = {
        item["name"]: tuple(name for node in item["inbound_nodes"] for name, _, _, _ in node)
        for item in config["layers"]
    }
    assert wired == WIRING
    assert list(wired) == [item.name for item in read_keras_v3(GRAPH).layers]
    assert config["input_layers"] == [["pair", 0, 0], ["event", 0, 0]]
    assert config["output_layers"] == [["logits", 0, 0], ["energy", 0, 0]]
    off = layer(config, "off")
    assert (off["class_name"], off["config"]["activation"]) == ("Activation", "linear")


def test_ends_in_dictionaries_come_in_the_order_of_their_keys(tmp_path: Path) -> None:
    def name_them(config: dict[str, Any]) -> None:
        config["input_layers"] = {"z": ["pair", 0, 0], "a": ["event", 0, 0]}
        config["output_layers"] = [{"z": ["logits", 0, 0]}, [[["energy", 0, 0]]]]

    file = read_keras_v3(changed(tmp_path, name_them))
    assert (file.inputs, file.outputs) == (("event", "pair"), ("logits", "energy"))


def test_one_output_is_a_list_or_none(tmp_path: Path) -> None:
    def cut(config: dict[str, Any]) -> None:
        config["output_layers"] = [["logits", 0, 0]]

    assert read_keras_v3(changed(tmp_path, cut)).outputs == ("logits",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input_layers", None),
        ("input_layers", []),
        ("input_layers", [["pair", 0, 0], ["pair", 0, 0]]),
        ("input_layers", [["pair", 1, 0], ["event", 0, 0]]),
        ("input_layers", [["pair", 0, 0], ["start", 0, 0]]),
        ("output_layers", [["logits", 0, 0], ["pair", 0, 0]]),
        ("output_layers", [["logits", 0, 0], ["nowhere", 0, 0]]),
        ("output_layers", {"a": ["logits", 0, 0], "b": 3}),
        ("output_layers", [["logits", 0, 1]]),
        ("output_layers", [[1, 0, 0]]),
    ],
)
def test_ends_that_are_none(tmp_path: Path, key: str, value: Any) -> None:
    def put(config: dict[str, Any]) -> None:
        config[key] = value

    assert f"model: {key} is {json.dumps(value)}, not a list" in refusal(changed(tmp_path, put))


def test_ends_in_very_deep_lists(tmp_path: Path) -> None:
    def bury(config: dict[str, Any]) -> None:
        for _ in range(200):
            config["output_layers"] = [config["output_layers"]]

    assert "model: output_layers is [[[[" in refusal(changed(tmp_path, bury))


def test_a_model_within_a_model(tmp_path: Path) -> None:
    def nest(config: dict[str, Any]) -> None:
        item = layer(config, "both")
        item.update(module="keras", class_name="Functional", registered_name=None)
        item["config"] = {"name": "both", "layers": [layer(config, "start")]}

    text = refusal(changed(tmp_path, nest))
    assert "layer both: is a model within a model of HGQ2" in text
    assert "layer start" not in text


def test_an_input_that_is_left_out(tmp_path: Path) -> None:
    def leave_out(config: dict[str, Any]) -> None:
        config["input_layers"] = [["event", 0, 0]]

    assert "model: its inputs leave out pair" in refusal(changed(tmp_path, leave_out))


def test_more_ends_than_the_simulation_takes(tmp_path: Path) -> None:
    def grow(config: dict[str, Any]) -> None:
        first = layer(config, "energy")
        for number in range(16):
            other = json.loads(json.dumps(first))
            other["config"]["name"] = other["name"] = f"energy_{number}"
            config["layers"].append(other)
            config["output_layers"].append([f"energy_{number}", 0, 0])

    text = refusal(changed(tmp_path, grow))
    assert "model: has 2 inputs and 18 outputs, and 16 together can be simulated" in text


def node(*names: str, **options: Any) -> dict[str, Any]:
    """A call of a layer, as Keras 3 writes it."""
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
        for name in names
    ]
    return {"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": options}


def rewired(name: str, *nodes: dict[str, Any]) -> Change:
    def change(config: dict[str, Any]) -> None:
        layer(config, name)["inbound_nodes"] = list(nodes)

    return change


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (rewired("both", node("off"), node("start")), "layer both: is used more than once"),
        (rewired("both", node("off", mask="event")), "layer both: is called with a mask"),
        (rewired("both", node("off", training=True)), "layer both: is called with training=True"),
        (rewired("both", node("off", other=1)), "layer both: its inputs cannot be read"),
        (rewired("each", node("pair", "event")), "layer each: reads 2 layers, and takes 1"),
        (rewired("both", node("logits")), "layer both: reads logits, which is not before it"),
        (rewired("joined", node("gated")), "layer joined: reads 1 layers, and takes 2"),
        (rewired("joined"), "layer joined: reads nothing"),
        (rewired("logits", node("skip")), "layer joined: nothing reads it, and it is not an"),
        (rewired("gated", node("both", "flat")), "layer gated: Multiply of (4,) and (8,)"),
        (
            rewired("joined", node("gated", "skip", "skip")),
            "layer joined: joins a tensor with itself",
        ),
    ],
)
def test_calls_that_are_refused(tmp_path: Path, change: Change, part: str) -> None:
    assert part in refusal(changed(tmp_path, change))


def test_a_join_has_a_quantizer_for_each_input(tmp_path: Path) -> None:
    def drop(config: dict[str, Any]) -> None:
        layer(config, "skip")["config"]["iq_confs"].pop()

    def spoil(config: dict[str, Any]) -> None:
        layer(config, "skip")["config"]["iq_confs"][1]["config"]["q_type"] = "float"

    assert "layer skip: iq_confs are not 2 quantizers" in refusal(changed(tmp_path, drop))
    text = refusal(changed(tmp_path, spoil))
    assert "layer skip iq_confs 1: a quantizer of type 'float' is not fixed-point" in text


def test_an_average_of_three(tmp_path: Path) -> None:
    def average(config: dict[str, Any]) -> None:
        item = layer(config, "joined")
        item.update(class_name="Average", inbound_nodes=[node("gated", "skip", "both")])
        item["config"] = {"name": "joined", "trainable": True, "dtype": "float32"}

    assert "layer joined: an average of 3 is not exact" in refusal(changed(tmp_path, average))


def test_concatenate_along_another_axis_than_the_last(tmp_path: Path) -> None:
    def across(config: dict[str, Any]) -> None:
        layer(config, "joined")["config"]["axis"] = 2

    assert "layer joined: axis 2 of (4,)" in refusal(changed(tmp_path, across))


def test_an_input_that_is_summed_before_any_quantizer(tmp_path: Path) -> None:
    def bare(config: dict[str, Any]) -> None:
        layer(config, "skip")["config"].update(enable_iq=False, iq_confs=None)
        layer(config, "skip")["inbound_nodes"] = [node("beside", "event")]

    text = refusal(changed(tmp_path, bare))
    assert "layer event: nothing says which fixed-point type the inputs have" in text


def test_an_input_whose_places_are_renamed_before_its_quantizer(tmp_path: Path) -> None:
    def flat_first(config: dict[str, Any]) -> None:
        layer(config, "flat")["inbound_nodes"] = [node("pair")]
        config["layers"].remove(layer(config, "each"))

    file = read_keras_v3(changed(tmp_path, flat_first))
    assert reads(file)["flat"] == ("pair",)


def test_a_softmax_on_one_of_several_outputs(tmp_path: Path) -> None:
    def put(config: dict[str, Any]) -> None:
        layer(config, "energy")["config"]["activation"] = "sigmoid"

    assert "layer energy: sigmoid of real numbers in the middle" in refusal(changed(tmp_path, put))


def relu(**options: Any) -> Change:
    def put(config: dict[str, Any]) -> None:
        item = layer(config, "off")
        item["class_name"] = "ReLU"
        given = {"negative_slope": 0.0, "max_value": None, "threshold": 0.0, **options}
        item["config"] = {"name": "off", "trainable": True, "dtype": "float32", **given}

    return put


def test_a_plain_relu_layer_is_an_activation_in_the_copy(tmp_path: Path) -> None:
    read_keras_v3(changed(tmp_path, relu())).write_copy(tmp_path / "copy.keras")
    config = json.loads(members(tmp_path / "copy.keras")["config.json"])["config"]
    off = layer(config, "off")
    assert (off["class_name"], off["config"]["activation"]) == ("Activation", "relu")
    for key in ("negative_slope", "max_value", "threshold"):
        text = refusal(changed(tmp_path, relu(**{key: 0.5})))
        assert f"layer off: {key} is 0.5" in text


def test_names_of_the_parts_of_a_join(tmp_path: Path) -> None:
    for name in ("skip_iq_1", "joined_join_0"):

        def rename(config: dict[str, Any], name: str = name) -> None:
            item = layer(config, "beside")
            item["name"] = item["config"]["name"] = name
            layer(config, "skip")["inbound_nodes"] = [node("start", name)]

        assert f"layer {name}: hls4ml takes it for {name}" in refusal(changed(tmp_path, rename))
