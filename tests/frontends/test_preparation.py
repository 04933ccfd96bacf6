"""What is changed in a network before hls4ml reads it, with fakes in place of the frameworks."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hls4ml.model.types import FixedPrecisionType

from trigger_ml.errors import ModelError
from trigger_ml.frontends import folding
from trigger_ml.frontends.folding import Arrays
from trigger_ml.frontends.preparation import Framework, prepare, put_tables
from trigger_ml.frontends.quantizers import activation_quantizer
from trigger_ml.frontends.tabulation import Table
from trigger_ml.graph.types import FixedType


@pytest.fixture(autouse=True)
def plain_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TensorFlow: quantizers are NumPy functions."""
    monkeypatch.setattr(folding, "evaluated", lambda function, values: function(values))


def sign(values: Any) -> Any:
    return np.where(values >= 0, 1.0, -1.0).astype(np.float32)


class Fake:
    """A framework in which every layer reads one type. built: what was asked of it."""

    def __init__(self, reads: FixedPrecisionType, quantizer: Any = sign) -> None:
        self.built: list[tuple[list[dict[str, Any]], Arrays]] = []
        self.reads, self.quantizer = reads, quantizer
        self.drafted: Mapping[str, str] = {}

    def build(self, architecture: str, weights: Arrays) -> Any:
        self.built.append((json.loads(architecture)["config"]["layers"], weights))
        return SimpleNamespace(
            get_layer=lambda name: SimpleNamespace(name=name, quantizer=self.quantizer)
        )

    def draft(self, architecture: str, weights: Arrays, types: Mapping[str, str]) -> Any:
        self.build(architecture, weights)
        self.drafted = types
        return self.project(self.reads)

    def project(self, reads: FixedPrecisionType) -> Any:
        variable = SimpleNamespace(type=SimpleNamespace(precision=reads))
        layer = SimpleNamespace(get_input_variable=lambda: variable)
        return SimpleNamespace(graph={"act": layer, "bn": layer})

    @property
    def framework(self) -> Framework:
        return Framework(self.build, self.draft)


def chain(name: str, kind: str, **config: Any) -> str:
    layers = [
        {"class_name": "InputLayer", "config": {"name": "x"}, "inbound_nodes": []},
        {
            "class_name": kind,
            "config": {"name": name, **config},
            "inbound_nodes": [[["x", 0, 0, {}]]],
        },
    ]
    return json.dumps({"config": {"layers": layers}})


def activation(call: str) -> str:
    return chain("act", "QActivation", activation=activation_quantizer(call, "act"))


def names(architecture: str) -> list[tuple[str, str]]:
    layers = json.loads(architecture)["config"]["layers"]
    return [(item["config"]["name"], item["class_name"]) for item in layers]


def test_a_plain_network_is_left_alone() -> None:
    fake, text = Fake(FixedPrecisionType(8, 3)), activation("quantized_relu(4,1)")
    _, prepared = prepare(text, {}, {"act": "ufixed<4,1>"}, fake.framework)
    assert len(fake.built) == 1
    assert json.loads(prepared.source(text)) == json.loads(text)
    assert prepared.for_hls4ml(text, {})[0] == prepared.source(text)
    assert prepared.types == {"act": "ufixed<4,1>"}


def test_a_table_and_its_cast_are_hls4mls_alone() -> None:
    fake, text = Fake(FixedPrecisionType(12, 5)), activation("binary(alpha=1)")
    _, prepared = prepare(text, {}, {"act": "fixed<2,2>"}, fake.framework)
    assert fake.drafted["act"] == "fixed<2,2,RND_CONV,SAT>"
    assert names(prepared.source(text)) == [("x", "InputLayer"), ("act", "QActivation")]
    assert names(prepared.for_hls4ml(text, {})[0])[1:] == [
        ("act_cast", "QActivation"),
        ("act", "QActivation"),
    ]
    assert prepared.types["act_cast"] == str(prepared.tables["act"].source)
    assert prepared.tables["act"].values.tolist() == [-1, 1]
    prepared.check(fake.project(FixedPrecisionType(1, 1)))
    with pytest.raises(ModelError, match="layer act: reads fixed<4,1>, and was settled for"):
        prepared.check(fake.project(FixedPrecisionType(4, 1)))


def test_a_leaky_relu_is_cut_below() -> None:
    fake = Fake(FixedPrecisionType(20, 8))
    text = activation("quantized_relu(5,2,negative_slope=0.25)")
    _, prepared = prepare(text, {}, {"act": "fixed<5,3,RND_CONV,SAT>"}, fake.framework)
    changed = json.loads(prepared.for_hls4ml(text, {})[0])["config"]["layers"]
    assert [item["config"]["name"] for item in changed[1:]] == ["act_cast", "act_lines", "act"]
    assert changed[2]["config"]["alpha"] == 0.25
    assert prepared.types["act_cast"] == "fixed<15,3,TRN,SAT>"
    assert not prepared.tables


def test_a_hard_tanh_is_a_cast() -> None:
    fake, text = Fake(FixedPrecisionType(8, 3)), activation("quantized_tanh(5)")
    _, prepared = prepare(text, {}, {}, fake.framework)
    (_, own) = json.loads(prepared.for_hls4ml(text, {})[0])["config"]["layers"]
    assert own["config"]["activation"]["class_name"] == "quantized_bits"
    assert len(fake.built) == 1


def test_a_normalization_is_rounded_for_keras_and_for_hls4ml() -> None:
    config = {"scale": False, "center": False, "epsilon": 0.0}
    text = chain("bn", "BatchNormalization", **config)
    stored = {"bn": [np.array([0.3, -7], np.float32), np.array([3.0, 0.1], np.float32)]}
    fake = Fake(FixedPrecisionType(20, 8))
    _, prepared = prepare(text, stored, {}, fake.framework)
    assert names(prepared.source(text))[1:] == [
        ("bn_grid", "QActivation"),
        ("bn", "BatchNormalization"),
    ]
    source, weights = prepared.for_hls4ml(text, stored)
    assert source == prepared.source(text)
    gamma, beta, mean, variance = weights["bn"]
    assert np.allclose(gamma, 1 / np.sqrt([3, 0.1]), rtol=2.0**-8)
    assert np.allclose(beta, [-0.3 / np.sqrt(3), 7 / np.sqrt(0.1)], rtol=2.0**-8)
    assert (mean.tolist(), variance.tolist()) == ([0, 0], [1, 1])
    assert prepared.types["bn_grid"] == str(prepared.reads["bn"])
    assert prepared.notes[0].startswith("bn: scale and bias rounded")
    assert fake.built[-1][1]["bn"] is prepared.weights["bn"]


def test_everything_that_cannot_be_settled_at_once() -> None:
    config = {"scale": False, "center": False, "epsilon": 0.0}
    text = chain("bn", "BatchNormalization", **config)
    stored = {"bn": [np.zeros(1, np.float32), np.full(1, -1, np.float32)]}
    with pytest.raises(ModelError, match="layer bn: its moving variance is negative"):
        prepare(text, stored, {}, Fake(FixedPrecisionType(8, 3)).framework)
    fake = Fake(FixedPrecisionType(16, 3), quantizer=lambda values: values * values)
    with pytest.raises(ModelError, match="layer act: needs a table of more than 4096"):
        prepare(activation("quantized_hswish(8,2)"), {}, {}, fake.framework)


def test_tables_in_the_order_of_bits() -> None:
    table = Table(FixedType(2, 2), np.array([-2.0, -1.0, 0.0, 1.0]))
    layers = [{"name": "act", "class_name": "Activation", "trusted": True}, {"name": "fc"}]
    put_tables(layers, {"act": table})
    assert layers[0]["class_name"] == "UnaryLUT"
    assert "trusted" not in layers[0]
    assert list(layers[0]["table_data"]) == [0, 1, -2, -1]
    assert layers[1] == {"name": "fc"}
