"""Layers used several times, models within models and TimeDistributed, written as plain layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.frontends.keras_json import Item, dense, keras_input, layer, network, quantizer
from trigger_ml.compress.networks.layers import read_float_layer
from trigger_ml.errors import ModelError
from trigger_ml.frontends.keras_files import checked_network
from trigger_ml.frontends.keras_nested import MOST_DEPTH, flattened
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_origins import ORIGIN, Origin, Step

START = [keras_input("x", 4), quantizer("grid", "x")]


def calls(item: Item, *uses: tuple[tuple[str, int, int], ...]) -> Item:
    """A layer with these uses: of each, the tensors that it reads."""
    nodes = [[[name, use, index, {}] for name, use, index in reads] for reads in uses]
    return {**item, "inbound_nodes": nodes}


def model(name: str, items: list[Item], *uses: Any, kind: str = "Functional", **ends: Any) -> Item:
    config = {"name": name, "layers": items, **ends}
    return calls({"class_name": kind, "name": name, "config": config}, *uses)


def wires(read: KerasNetwork) -> list[tuple[str, tuple[str, ...]]]:
    return [(item.name, item.inputs) for item in read.layers if item.kind != "InputLayer"]


def refusal(items: list[Item], **ends: Any) -> str:
    with pytest.raises(ModelError) as caught:
        network(items, **ends)
    return str(caught.value)


def origins(items: list[Item], kind: str = "Functional") -> dict[str, Origin]:
    flat = flattened({"class_name": kind, "config": {"name": "net", "layers": items}})
    assert flat.blockers == ()
    return {item["name"]: item[ORIGIN] for item in flat.config["config"]["layers"]}


def test_every_use_is_a_layer_and_names_are_free_ones() -> None:
    items = [
        *START,
        calls(dense("fc", "grid", 4), (("grid", 0, 0),), (("FC_2", 0, 0),), (("fc", 1, 0),)),
        quantizer("FC_2", "fc"),
        layer("Add", "sum", ()),
    ]
    items[-1] = calls(items[-1], (("fc", 2, 0), ("fc", 0, 0)))
    read = network(items)
    assert wires(read) == [
        ("grid", ("x",)),
        ("fc", ("grid",)),
        ("FC_2", ("fc",)),
        ("fc_3", ("FC_2",)),
        ("fc_4", ("fc_3",)),
        ("sum", ("fc_4", "fc")),
    ]
    assert read.notes == (
        "layer fc: use 2: fc_3 has the same weights",
        "layer fc: use 3: fc_4 has the same weights",
    )


def test_a_model_without_any_of_this_stays_as_it_is() -> None:
    config = {"class_name": "Functional", "config": {"layers": [*START, dense("fc", "grid", 2)]}}
    assert flattened(config).config is config


def cell() -> list[Item]:
    """Two inputs, listed in the other order, and two outputs, of which one is an input."""
    return [
        keras_input("r", 4),
        keras_input("l", 4),
        layer("Add", "sum", ("l", "r")),
        dense("fc", "sum", 4),
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_a_model_of_several_tensors_is_wired_wherever_uses_count_from(first: int) -> None:
    """Keras 2 counts the uses of a model from one, Keras 3 from zero."""
    ends = {
        "input_layers": [["l", 0, 0], ["r", 0, 0]],
        "output_layers": [["fc", 0, 0], ["r", 0, 0]],
    }
    uses = ((("grid", 0, 0), ("side", 0, 0)), (("cell", first, 1), ("cell", first, 0)))
    last = calls(layer("Add", "end", ()), (("cell", first + 1, 0), ("cell", first + 1, 1)))
    read = network([*START, dense("side", "grid", 4), model("cell", cell(), *uses, **ends), last])
    assert wires(read)[2:] == [
        ("cell_sum", ("grid", "side")),
        ("cell_fc", ("cell_sum",)),
        ("cell_2_sum", ("side", "cell_fc")),
        ("cell_2_fc", ("cell_2_sum",)),
        ("end", ("cell_2_fc", "cell_fc")),
    ]


def test_outputs_within_a_model_have_their_own_names() -> None:
    block = model("block", [keras_input("i", 4), dense("fc", "i", 2)], (("grid", 0, 0),))
    nested = {**block, "config": {**block["config"], "output_layers": [["fc", 0, 0]]}}
    read = network([*START, nested], outputs=[["block", 1, 0]])
    assert wires(read)[-1] == ("block_fc", ("grid",))
    both = network(
        [*START, nested, dense("fd", "grid", 2)], outputs=[["fd", 0, 0], ["block", 1, 0]]
    )
    assert both.outputs == ("fd", "block_fc")


def test_sequential_models_lie_in_each_other_and_may_come_first() -> None:
    inner = {"name": "in", "layers": [keras_input("i", 4), quantizer("q", ""), dense("fc", "", 3)]}
    deep = {"name": "deep", "layers": [dense("fc", "", 2)]}
    outer = [
        {"class_name": "Sequential", "config": inner},
        {
            "class_name": "Sequential",
            "config": {
                "name": "out",
                "layers": [{"class_name": "Sequential", "config": deep}, dense("fc", "", 2)],
            },
        },
    ]
    flat = flattened({"class_name": "Sequential", "config": {"name": "n", "layers": outer}})
    items = flat.config["config"]["layers"]
    assert [item["name"] for item in items] == ["n_in", "in_q", "in_fc", "out_deep_fc", "out_fc"]
    assert items[0]["config"]["batch_input_shape"] == [None, 4]
    assert items[3][ORIGIN].steps == (
        Step("out", "sequential_1"),
        Step("deep", "sequential"),
        Step("fc", "q_dense"),
    )


def timed(name: str, inner: Item, *reads: str) -> Item:
    return layer("TimeDistributed", name, reads, layer=inner)


def test_time_distributed_is_the_layer_under_its_name() -> None:
    items = [
        keras_input("x", 3, 4),
        quantizer("grid", "x"),
        timed("fc", dense("inner", "", 2), "grid"),
        timed("act", timed("twice", quantizer("q", "")), "fc"),
        dense("flat", "act", 2),
    ]
    found = origins(items)
    assert found["fc"] == Origin((Step("fc", "time_distributed", 1),), 1)
    assert found["act"] == Origin((Step("act", "time_distributed_1", 2),), 2)
    assert found["flat"].steps_of_time == 0


def kinds(item: Item, *shape: int, weights: dict[str, Any] | None = None) -> Any:
    """What a layer within TimeDistributed becomes: classes, parameters and weights."""
    items = [keras_input("x", *shape), quantizer("grid", "x"), timed("t", item, "grid")]
    read = network([*items, layer("Flatten", "f", ("t",)), dense("d", "f", 2)], weights=weights)
    made = [one for one in read.layers if one.name.split("_")[0] == "t"]
    return [one.kind for one in made], dict(made[0].config), read.weights


CONV = {
    **{"filters": 2, "kernel_size": [2], "strides": [1], "padding": "same"},
    "kernel_quantizer": "quantized_bits(4,1,alpha=1)",
    "bias_quantizer": "quantized_bits(4,1,alpha=1)",
}


def test_layers_of_sequences_keep_the_rows_of_an_image_apart() -> None:
    kernel, bias = np.ones((2, 3, 2), np.float32), np.ones(2, np.float32)
    found, config, weights = kinds(
        layer("QConv1D", "c", (), **CONV), 2, 4, 3, weights={"t": (kernel, bias)}
    )
    assert found == ["QConv2D"] and config["kernel_size"] == [1, 2] and config["strides"] == [1, 1]
    assert weights["t"][0].shape == (1, 2, 3, 2) and weights["t"][1].shape == (2,)
    pool = {"pool_size": [2], "padding": "valid"}
    found, config, _ = kinds(layer("MaxPooling1D", "m", (), **pool), 2, 4, 3)
    assert found == ["MaxPooling2D"] and config["pool_size"] == [1, 2]
    found, config, _ = kinds(layer("ZeroPadding1D", "z", (), padding=[1, 0]), 2, 4, 3)
    assert found == ["ZeroPadding2D"] and config["padding"] == [[0, 0], [1, 0]]
    found, config, _ = kinds(layer("UpSampling1D", "u", (), size=2), 2, 4, 3)
    assert found == ["UpSampling2D"] and config["size"] == [1, 2]
    found, config, _ = kinds(layer("GlobalMaxPooling1D", "g", ()), 2, 4, 3)
    assert found == ["MaxPooling2D", "Reshape"] and config["pool_size"] == [1, 4]


def test_axes_within_time_distributed_count_from_the_step() -> None:
    normal = layer("BatchNormalization", "b", (), axis=2, epsilon=0.5)
    assert kinds(normal, 2, 4, 3)[1]["axis"] in (3, -1)
    found, config, _ = kinds(layer("Flatten", "f", ()), 2, 4, 3)
    assert found == ["Reshape"] and config["target_shape"] == [2, 12]
    found, config, _ = kinds(layer("Reshape", "r", (), target_shape=[-1]), 2, 4, 3)
    assert config["target_shape"] == [2, 12]
    found, config, _ = kinds(layer("Permute", "p", (), dims=[2, 1]), 2, 4, 3)
    assert found == ["Permute"] and config["dims"] == [1, 3, 2]


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (layer("GlobalMaxPooling2D", "g", ()), "TimeDistributed(GlobalMaxPooling2D) of a tensor"),
        (layer("QConv1D", "c", (), **{**CONV, "padding": "causal"}), "padding='causal'"),
        (layer("Permute", "p", (), dims=[1]), "dims (1,) of a tensor of shape (4, 3)"),
        (layer("Reshape", "r", (), target_shape=[5]), "do not fill (5,)"),
        (layer("LSTM", "l", (), units=2), "layer t: "),
        ({"class_name": 1}, "layer t: TimeDistributed of no layer"),
    ],
)
def test_what_time_distributed_cannot_be(inner: Any, reason: str) -> None:
    items = [keras_input("x", 2, 4, 3), quantizer("grid", "x"), timed("t", inner, "grid")]
    assert reason in refusal([*items, layer("Flatten", "f", ("t",)), dense("d", "f", 2)])


def ends(name: str) -> dict[str, Any]:
    return {"output_layers": [[name, 0, 0]]}


BLOCK = [keras_input("i", 4), dense("fc", "i", 2)]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (model("m", BLOCK, (("grid", 0, 0), ("grid", 0, 0))), "is called with 2 tensors"),
        (model("m", [*BLOCK, BLOCK[1]], (("grid", 0, 0),)), "two of its layers have one name"),
        (model("m", [], (("grid", 0, 0),)), "model m: its architecture lists no layers"),
        (model("m", BLOCK, (("grid", 0, 3),)), "layer grid: has no output 3 of use 0"),
        (model("m", BLOCK, (("m", 1, 0),)), "layer m: reads m, which is not before it"),
        (model("m", BLOCK, (("grid", 0, 0),), **ends("no")), "layer no: has no output 0 of use 0"),
        (model("m", BLOCK, (("grid", 0, 0),), output_layers={"a": 1}), "not a list of tensors"),
        ({**model("m", BLOCK), "inbound_nodes": [[["grid", "a"]]]}, "layer m"),
        ({**model("m", BLOCK), "inbound_nodes": 5}, "model: its parameters make no sense"),
        (
            {**model("m", BLOCK), "inbound_nodes": [[["grid", 0, 0, {"training": True}]]]},
            "model m: is called with training=True",
        ),
    ],
)
def test_models_that_cannot_be_written_out(item: Item, reason: str) -> None:
    assert reason in refusal([*START, item])


def test_models_without_end_are_refused() -> None:
    items: list[Item] = [keras_input("i", 4), dense("fc", "i", 4)]
    for _ in range(MOST_DEPTH + 2):
        items = [keras_input("i", 4), model("m", items, (("i", 0, 0),))]
    assert f"lies {MOST_DEPTH} models deep" in refusal(
        [*START, model("m", items, (("grid", 0, 0),))]
    )
    items = [keras_input("i", 4), dense("fc", "i", 4)]
    for _ in range(6):
        uses = ((("i", 0, 0),), *((("m", use, 0),) for use in range(1, 6)))
        items = [keras_input("i", 4), model("m", items, *uses)]
    assert "has more than 4096 layers" in refusal([*START, model("m", items, (("grid", 0, 0),))])


def test_an_origin_in_a_file_is_none() -> None:
    item = {**dense("fc", "grid", 2), ORIGIN: {"steps": [["other", "other"]]}}
    assert network([*START, item]).layers[-1].name == "fc"


def test_keras_3_counts_the_uses_of_a_model_from_one_in_its_outputs_alone() -> None:
    """The first use is an output, the second one is read, and the file calls both number one."""

    def keras_3(item: Item, *reads: tuple[str, int]) -> Item:
        tensors = [
            {"class_name": "__keras_tensor__", "config": {"keras_history": [name, use, 0]}}
            for name, use in reads
        ]
        return {**item, "inbound_nodes": [{"args": [one], "kwargs": {}} for one in tensors]}

    block = [keras_input("i", 4), keras_3(dense("fc", "", 4), ("i", 0))]
    cell_twice = keras_3(model("cell", block, **ends("fc")), ("grid", 0), ("grid", 0))
    items = [
        START[0],
        keras_3(START[1], ("x", 0)),
        cell_twice,
        keras_3(dense("behind", "", 2), ("cell", 1)),
    ]
    read = network(items, outputs=[["cell", 1, 0], ["behind", 0, 0]])
    assert read.outputs == ("cell_fc", "behind")
    assert wires(read)[-1] == ("behind", ("cell_2_fc",))


def float_network(items: list[Item]) -> KerasNetwork:
    """What trigger-ml compress reads."""
    config = {"class_name": "Functional", "config": {"name": "net", "layers": items}}
    return checked_network(config, Path("net.h5"), "", lambda _: {}, read_float_layer)


def test_float_models_may_be_nested_and_share_nothing() -> None:
    fc = {"units": 2, "activation": "linear", "use_bias": True}
    block = model("m", [keras_input("i", 4), layer("Dense", "fc", ("i",), **fc)], (("x", 0, 0),))
    assert float_network([START[0], block]).layers[-1].name == "m_fc"
    shared = calls(layer("Dense", "fc", (), **fc), (("x", 0, 0),), (("fc", 0, 0),))
    for item in (shared, model("m", block["config"]["layers"], (("x", 0, 0),), (("m", 1, 0),))):
        with pytest.raises(ModelError, match="is used more than once"):
            float_network([START[0], item])
    with pytest.raises(ModelError, match="TimeDistributed"):
        float_network([START[0], timed("t", layer("Dense", "fc", (), **fc), "x")])
