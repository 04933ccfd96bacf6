"""What is found in a model before anything is compiled."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.inspect.files import ROOT, TINY, changed, layer
from trigger_ml.config import Config, load_config
from trigger_ml.errors import ModelError
from trigger_ml.frontends import direct
from trigger_ml.inspect.figures import Inspection
from trigger_ml.inspect.run import Request, inspect_model

JETS = ROOT / "models" / "jet_tagger"


def look(path: Path, config: Config | None = None, **more: object) -> Inspection:
    asked = Request(path, config or Config(), **more)  # type: ignore[arg-type]
    return inspect_model(asked).inspection


def test_the_jet_tagger() -> None:
    found = look(JETS / "model.h5", load_config(JETS / "compile.yaml"))
    assert [item.name for item in found.layers] == [
        *("features", "fc1", "relu1", "fc2", "relu2", "fc3", "relu3", "logits")
    ]
    first = found.layers[1]
    assert (first.kind, first.shape, first.reads) == ("dense", (64,), ("features",))
    assert (first.weights, first.macs) == (16 * 64 + 64, 16 * 64)
    assert first.type == "fixed<14,5>"
    total = found.totals
    metrics = json.loads((JETS / "metrics.json").read_text())
    assert total.parameters == 16 * 64 + 64 + 64 * 32 + 32 + 32 * 32 + 32 + 32 * 5 + 5
    assert total.macs == 16 * 64 + 64 * 32 + 32 * 32 + 32 * 5
    zeros = sum(item.zero_weights or 0 for item in found.layers)
    assert total.nonzero == total.parameters - zeros
    assert metrics
    assert total.lut_share == pytest.approx((total.lut or 0) / 1_728_000)
    assert total.slr_share == pytest.approx(4 * (total.lut_share or 0))
    assert total.latency_ns == pytest.approx((total.latency_cycles or 0) / 0.36)
    assert (found.tail, found.read_by, found.estimate) == ("softmax", "direct", "rough")
    assert sum(item.lut or 0 for item in found.layers) == pytest.approx(total.lut)


def test_figures_are_plain_json() -> None:
    data = json.loads(json.dumps(look(TINY).to_json(), allow_nan=False))
    assert data["schema"] == 1
    assert data["layers"][1]["name"] == "fc1"


def test_a_decision_in_firmware_is_a_layer() -> None:
    config = load_config(None, {"firmware.output": "argmax"})
    assert look(TINY, config).layers[-1].kind == "argmax"


def test_a_softmax_in_firmware_is_a_layer() -> None:
    config = load_config(None, {"firmware.output": "softmax"})
    found = look(TINY, config)
    assert (found.layers[-1].kind, found.layers[-1].type, found.tail) == (
        "softmax",
        "ufixed<36,2>",
        "",
    )
    assert "--full" not in " ".join(found.notes)


def test_an_onnx_model_needs_no_framework() -> None:
    found = look(ROOT / "tests" / "data" / "tiny_qcdq_conv.onnx")
    assert (found.read_by, found.totals.nonzero) == ("direct", 122)
    assert [layer.kind for layer in found.layers] == [
        *("input", "transpose", "conv2d", "relu", "max_pool2d", "reshape", "dense"),
    ]


def test_traced_costs_are_by_layer() -> None:
    found = look(TINY, trace=True)
    assert found.estimate == "cost_model"
    costs = {item.name: item.lut for item in found.layers if item.lut is not None}
    assert set(costs) == {"fc1", "fc2", "logits"}
    assert found.totals.latency_cycles == 10


def test_events_say_what_of_the_types_is_used(tmp_path: Path) -> None:
    """Inputs fixed<8,3>: codes of 1/32."""
    events = np.zeros((5, 4))
    events[0] = [0.5, 0.25, 0.0, -0.5]
    events[1, 0] = 9.0
    np.savez(tmp_path / "e.npz", x=events)
    found = look(TINY, data=tmp_path / "e.npz")
    assert found.events == 5
    data = found.layers[0].data
    assert data is not None
    assert (data.minimum, data.maximum) == (-0.5, 4 - 1 / 32)
    assert data.saturated_fraction == 1 / 20
    assert (data.unused_top_bits, data.unused_low_bits) == (0, 0)
    np.savez(tmp_path / "e.npz", x=events[:1])
    small = look(TINY, data=tmp_path / "e.npz").layers[0].data
    assert small is not None
    assert (small.unused_top_bits, small.unused_low_bits) == (2, 3)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    def break_both(architecture: dict[str, object]) -> None:
        layer(architecture, "fc1")["kernel_quantizer"] = None
        layer(architecture, "fc2")["units"] = 0

    path = changed(tmp_path / "m.h5", config=break_both)
    config = load_config(None, {"target.part": "xc9000"})
    with pytest.raises(ModelError) as raised:
        look(path, config, data=tmp_path / "none.npz")
    where = [blocker.where for blocker in raised.value.blockers]
    assert "target.part" in where
    assert str(tmp_path / "none.npz") in where
    assert {"layer fc1 kernel_quantizer", "layer fc2"} <= set(where)


def test_a_float_model_gets_its_types_from_events(tmp_path: Path) -> None:
    path = ROOT / "tests" / "data" / "tiny_float.h5"
    with pytest.raises(ModelError, match="float weights"):
        look(path)
    with np.load(path.with_name("tiny_float.h5.npz")) as arrays:
        shape = arrays["x"].shape[1:]
    values = np.random.default_rng(0).normal(size=(10_000, *shape))
    np.savez(tmp_path / "e.npz", x=values)
    found = look(path, data=tmp_path / "e.npz")
    assert found.totals.lut
    assert found.file == str(path)
    assert "Made from tiny_float.h5" in found.notes[0]


def test_events_of_another_model_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=np.zeros((5, 3)))
    with pytest.raises(Exception, match="an event has 3 numbers, the model takes 4"):
        look(TINY, data=tmp_path / "e.npz")


def test_the_input_type_of_the_configuration_is_held_against_the_model() -> None:
    config = load_config(None, {"firmware.input_type": "fixed<8,4>"})
    with pytest.raises(ModelError, match="the model quantizes its input itself"):
        look(TINY, config)


def test_a_layer_that_is_not_known_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "CLASSES", direct.CLASSES - {"Concatenate"})
    found = look(ROOT / "tests" / "data" / "tiny_unet.h5")
    by_name = {item.name: item for item in found.layers}
    assert by_name["down"].weights and by_name["down"].lut is None
    assert "Concatenate is not known" in by_name["both"].note
    assert by_name["mix"].note == "reads both"
    assert by_name["mix"].reads == ("both",)
    assert (by_name["mix"].shape, by_name["mix"].type) == (None, None)
    total = found.totals
    assert (total.nonzero, total.macs, total.lut, total.latency_cycles) == (None,) * 4
    assert total.parameters > 0
    assert any("--full" in note for note in found.notes)
