"""A float model compiles where events say which types it needs, and only there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.float_graph.networks import draw, image_model
from tests.float_graph.onnx_networks import torch_image, torch_set
from tests.flow.conftest import quick
from trigger_ml.build_check import check_build
from trigger_ml.compress.networks.network import read_network
from trigger_ml.errors import ConfigError, DataError, ModelError
from trigger_ml.float_models import choose_types, is_float
from trigger_ml.pipeline import Request, compile_model
from trigger_ml.report.schema import load_report

DATA = Path(__file__).parents[1] / "data"
FLOAT = DATA / "tiny_float.h5"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """3,000 events whose class is what the float model says, for nine of ten."""
    random = np.random.default_rng(1)
    x = random.normal(0, 1, (3000, 5)).astype(np.float32)
    logits = read_network(FLOAT).logits(x)
    other = random.random(len(x)) < 0.1
    y = np.where(other, random.integers(0, 3, len(x)), logits.argmax(axis=1))
    path = tmp_path / "events.npz"
    np.savez(path, x=x, y=y)
    return path


def test_types_come_from_events(tmp_path: Path, events: Path) -> None:
    """The whole flow; the report compares the firmware with the float model itself."""
    request = Request(FLOAT, quick(), events, tmp_path / "tiny")
    outcome = compile_model(request)
    assert outcome.report.passed, outcome.report.failures
    report = load_report(outcome.folder)
    assert "from tiny_float.h5 (SHA-256" in report.model.format
    physics = report.physics
    assert physics is not None and physics.float_ is not None and physics.firmware is not None
    assert physics.float_ > 0.85 and abs(physics.float_ - physics.firmware) < 0.02
    assert check_build(outcome.folder, synthesis=False).passed


@pytest.mark.parametrize("kind", ["keras", "onnx"])
def test_convolutions_become_firmware(tmp_path: Path, kind: str) -> None:
    """The fixed-point witnesses agree on everything, and the float model is not far."""
    if kind == "keras":
        model = image_model().save(tmp_path / "image.h5")
    else:
        model = torch_image(tmp_path / "image.onnx")
    data = tmp_path / "events.npz"
    np.savez(data, x=draw(5, 3000, 36, scale=1.0))
    outcome = compile_model(Request(model, quick(), data, tmp_path / "build"))
    report = outcome.report
    assert report.passed, report.failures
    assert report.fidelity.exact and not any(report.fidelity.mismatches.values())
    made_from = re.search(r"error of the logits ([\d.]+)% of their spread", report.model.format)
    assert made_from is not None and float(made_from[1]) <= 2.0
    assert f"from image{model.suffix} (SHA-256" in report.model.format


def test_what_stands_in_the_way_is_told_before_anything_starts(tmp_path: Path) -> None:
    model = image_model()
    items = [layer if layer["name"] != "pool" else dict(layer) for layer in model.items]
    items[4] = {**items[4], "class_name": "GaussianPooling"}
    items[1] = {**items[1], "config": {**items[1]["config"], "dilation_rate": [2, 2]}}
    file = replace(model, items=items).save(tmp_path / "odd.h5")
    data = tmp_path / "events.npz"
    np.savez(data, x=draw(5, 3000, 36))
    assert is_float(file)
    with pytest.raises(ModelError) as caught:
        choose_types(file, data, quick(), tmp_path)
    assert "the layer class GaussianPooling has no firmware" in str(caught.value)
    assert "layer conv: dilation_rate [2, 2]" in str(caught.value)


def test_onnx_of_floats(tmp_path: Path) -> None:
    files = torch_image(tmp_path / "image.onnx"), torch_set(tmp_path / "set.onnx")
    assert all(map(is_float, files))
    quantized = ("tiny_qonnx.onnx", "tiny_qcdq.onnx", "tiny_qcdq_conv.onnx")
    assert not any(is_float(DATA / name) for name in quantized)
    with pytest.raises(ModelError, match="give --data events, from which types are chosen"):
        compile_model(Request(files[0], quick(), None, tmp_path / "build"))


def test_what_is_float() -> None:
    floats = ("tiny_float.h5", "tiny_float.keras", "tiny_set.h5")
    assert all(is_float(DATA / name) for name in floats)
    others = ("tiny_qkeras.h5", "tiny_qkeras3.keras", "tiny_hgq.keras", "tiny_conv.h5", "none.h5")
    assert not any(is_float(DATA / name) for name in others)


def test_without_events_it_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        compile_model(Request(FLOAT, quick(), None, tmp_path / "tiny"))
    assert "give --data events" in str(caught.value)


def test_events_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "events.npz"
    np.savez(path, x=np.zeros((10, 4)))
    with pytest.raises(DataError, match="an event has 4 numbers, the model takes 5"):
        choose_types(FLOAT, path, quick(), tmp_path)


def test_the_input_type_of_the_configuration(tmp_path: Path, events: Path) -> None:

    config = quick(**{"firmware.input_type": "fixed<16,6>"})
    found = choose_types(FLOAT, events, config, tmp_path)
    assert found.error <= 0.02 and found.file.exists() and 6 <= found.bits <= 16


def test_no_width_is_enough(tmp_path: Path, events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trigger_ml.float_models.WIDTHS", range(2, 4))
    with pytest.raises(ConfigError, match="with 3-bit types the logits are still off by"):
        choose_types(FLOAT, events, quick(), tmp_path)
