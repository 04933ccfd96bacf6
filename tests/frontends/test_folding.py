"""Weights quantized for hls4ml, with functions in place of QKeras' quantizers."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trigger_ml.errors import ModelError
from trigger_ml.frontends import folding
from trigger_ml.frontends.folding import Entry, folded_weights, grid_quantizer, rebuilt
from trigger_ml.frontends.quantizers import canonical_quantizer
from trigger_ml.graph.narrow import narrowest_type
from trigger_ml.graph.types import FixedType


@pytest.fixture(autouse=True)
def plain_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TensorFlow: quantizers are NumPy functions."""
    monkeypatch.setattr(folding, "evaluated", lambda function, values: function(values))


def architecture(**quantizers: str) -> str:
    config: dict[str, Any] = {key: canonical_quantizer(q, key) for key, q in quantizers.items()}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x"}, "inbound_nodes": []},
        {
            "class_name": "QDense",
            "config": {"name": "fc", "units": 2, **config},
            "inbound_nodes": [[["x", 0, 0, {}]]],
        },
        {
            "class_name": "QActivation",
            "config": {"name": "act"},
            "inbound_nodes": [[["fc", 0, 0, {}]]],
        },
    ]
    return json.dumps({"class_name": "Functional", "config": {"layers": layers}})


def model(kernel: Any, bias: Any) -> Any:
    arrays = [np.array([[0.3, -0.2], [0.0, 1.1]], np.float32), np.array([0.7, -2], np.float32)]
    layer = SimpleNamespace(
        name="fc",
        get_weights=lambda: [array.copy() for array in arrays],
        kernel_quantizer_internal=kernel,
        bias_quantizer_internal=bias,
    )
    return SimpleNamespace(get_layer=lambda name: {"fc": layer}[name])


def test_plain_quantizers_stay() -> None:
    text = architecture(kernel_quantizer="quantized_bits(4,0,alpha=1)")
    assert folded_weights(None, text) == ({}, {})


def test_other_quantizers_are_evaluated() -> None:
    text = architecture(
        kernel_quantizer="binary(alpha=0.75)", bias_quantizer="quantized_bits(4,0,alpha=1)"
    )
    changes, arrays = folded_weights(
        model(lambda values: np.where(values >= 0, 0.75, -0.75), None), text
    )
    (entry,) = changes["fc"]
    assert entry.kind == "QDense"
    assert entry.config["units"] == 2
    assert entry.config["kernel_quantizer"]["class_name"] == "quantized_bits"
    assert entry.config["kernel_quantizer"]["config"]["bits"] == 3
    assert entry.config["bias_quantizer"] == canonical_quantizer("quantized_bits(4,0,alpha=1)", "x")
    kernel, bias = arrays["fc"]
    assert kernel.tolist() == [[0.75, -0.75], [0.75, 0.75]]
    assert bias.tolist() == [np.float32(0.7), -2]


def test_every_array_off_the_grid_is_named() -> None:
    text = architecture(kernel_quantizer="quantized_po2(8)", bias_quantizer="binary(alpha=0.1)")
    with pytest.raises(ModelError) as caught:
        folded_weights(
            model(lambda v: np.where(v > 1, 1.0, 2.0**-64), lambda v: v * np.float32(0.1)), text
        )
    said = str(caught.value)
    assert "layer fc kernel_quantizer: quantized_po2 makes weights from 5.42101e-20 to 1" in said
    assert "use fewer bits" in said
    assert "layer fc bias_quantizer: binary makes weights" in said


def test_nan_from_a_quantizer() -> None:
    text = architecture(kernel_quantizer="binary(alpha=1)")
    with pytest.raises(ModelError, match="makes NaN or infinity"):
        folded_weights(model(lambda v: v * np.nan, None), text)


@pytest.mark.parametrize("values", [[0.0], [-1.0], [1.0], [0.75, -2], [2.0**-5], [48, -16], [-0.5]])
def test_a_grid_leaves_values_as_they_are(values: list[float]) -> None:
    kind = narrowest_type(np.array(values))
    assert kind is not None
    config = grid_quantizer(kind)["config"]
    made = FixedType(config["bits"], config["integer"] + 1)
    assert config["integer"] >= 0
    assert made.decode(made.encode(np.array(values))).tolist() == values


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.0, 0.0], "fixed<1,1>"),
        ([-1.0, 0.0], "fixed<1,1>"),
        ([1.0], "fixed<2,2>"),
        ([0.75, -2], "fixed<4,2>"),
        ([48.0, -16.0], "fixed<3,7>"),
        ([-0.25], "fixed<1,-1>"),
    ],
)
def test_the_narrowest_type(values: list[float], text: str) -> None:
    assert str(narrowest_type(np.array(values))) == text


def test_values_that_no_narrow_type_holds() -> None:
    assert narrowest_type(np.array([0.1], np.float32)) is None
    assert narrowest_type(np.array([0.1, 100.0])) is None
    assert narrowest_type(np.array([1.0, 2.0**-30])) is None


def test_layers_are_replaced_by_chains() -> None:
    first, last = Entry("fc_grid", "QActivation", {"a": 1}), Entry("fc", "Dense", {"b": 2})
    made = json.loads(rebuilt(architecture(), {"fc": (first, last)}))["config"]["layers"]
    assert [(item["config"]["name"], item["inbound_nodes"]) for item in made] == [
        ("x", []),
        ("fc_grid", [[["x", 0, 0, {}]]]),
        ("fc", [[["fc_grid", 0, 0, {}]]]),
        ("act", [[["fc", 0, 0, {}]]]),
    ]
    assert made[2]["class_name"] == "Dense"
