"""Layers of hls4ml's default conversion find the layers of the model that they stand for."""

from __future__ import annotations

import json
from typing import Any

from trigger_ml.frontends.default_matching import (
    Match,
    SourceLayer,
    matches,
    source_layers,
    split_activations,
)


def layer(kind: str, name: str, reads: tuple[str, ...], **config: Any) -> dict[str, Any]:
    nodes = [[[read, 0, 0, {}] for read in reads]] if reads else []
    return {"class_name": kind, "config": {"name": name, **config}, "inbound_nodes": nodes}


def architecture(*layers: dict[str, Any]) -> str:
    last = layers[-1]["config"]["name"]
    config = {"layers": list(layers), "output_layers": [[last, 0, 0]]}
    return json.dumps({"class_name": "Functional", "config": config})


def chain(*kinds: tuple[str, str]) -> list[SourceLayer]:
    """Layers that each read the one before: (name, class name)."""
    made = [SourceLayer("x", "InputLayer", ())]
    for name, kind in kinds:
        made.append(SourceLayer(name, kind, (made[-1].name,)))
    return made


def converted(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


def test_activations_get_the_names_that_hls4ml_gives_them() -> None:
    relu = {"class_name": "quantized_relu", "config": {"bits": 4}}
    text = split_activations(
        architecture(
            layer("InputLayer", "x", ()),
            layer("Dense", "fc1", ("x",), activation="tanh"),
            layer("QDense", "fc2", ("fc1",), activation=relu),
            layer("Activation", "end", ("fc2",), activation="softmax"),
        )
    )
    found = source_layers(text)
    assert [(item.name, item.kind, item.inputs) for item in found] == [
        ("x", "InputLayer", ()),
        ("fc1", "Dense", ("x",)),
        ("fc1_tanh", "Activation", ("fc1",)),
        ("fc2", "QDense", ("fc1_tanh",)),
        ("fc2_quantized_relu", "QActivation", ("fc2",)),
        ("end", "Activation", ("fc2_quantized_relu",)),
    ]
    assert json.loads(text)["config"]["layers"][1]["config"]["activation"] == "linear"


def test_an_output_is_the_activation_behind_it() -> None:
    text = split_activations(
        architecture(
            layer("InputLayer", "x", ()), layer("Dense", "fc", ("x",), activation="sigmoid")
        )
    )
    assert json.loads(text)["config"]["output_layers"] == [["fc_sigmoid", 0, 0]]


def test_what_was_melted_into_a_layer_is_what_it_stands_for() -> None:
    source = chain(("fc", "Dense"), ("norm", "BatchNormalization"), ("grid", "QActivation"))
    assert matches(source, converted("x", "fc")) == {
        "x": Match("x", "x"),
        "fc": Match("grid", "fc"),
    }
    assert matches(source, converted("x", "fc", "grid"))["fc"] == Match("norm", "fc")


def test_nothing_is_melted_into_a_layer_that_two_others_read() -> None:
    source = [
        *chain(("fc", "Dense"), ("norm", "BatchNormalization")),
    ]
    source.append(SourceLayer("other", "Dense", ("fc",)))
    assert matches(source, converted("x", "fc", "other"))["fc"] == Match("fc", "fc")


def test_layers_that_move_values_are_never_melted() -> None:
    source = chain(("fc", "Dense"), ("flat", "Flatten"), ("end", "Dense"))
    assert matches(source, converted("x", "fc", "end"))["fc"] == Match("fc", "fc")


def test_the_scale_behind_a_layer_stands_for_it() -> None:
    source = chain(("fc", "QDense"), ("relu", "QActivation"))
    found = matches(source, converted("x", "fc", "fc_alpha", "relu"))
    assert found["fc_alpha"] == Match("fc", "fc")
    assert "fc" not in found


def test_a_step_function_behind_a_normalization() -> None:
    source = chain(("fc", "QDense"), ("norm", "BatchNormalization"), ("sign", "QActivation"))
    found = matches(source, converted("x", "fc", "bnbt_norm"))
    assert found["bnbt_norm"] == Match("sign", "sign")
    assert found["fc"] == Match("fc", "fc")


def test_a_step_function_with_a_threshold() -> None:
    source = chain(("fc", "QDense"), ("sign", "QActivation"), ("end", "QDense"))
    found = matches(source, converted("x", "fc", "bnbt_sign_scale", "end"))
    assert found["bnbt_sign_scale"] == Match("sign", "sign")
    assert found["fc"] == Match("fc", "fc")


def test_what_hls4ml_adds_stands_for_nothing() -> None:
    source = chain(("fc", "Dense"))
    assert "clone_fc" not in matches(source, converted("x", "fc", "clone_fc"))
