"""A compressed tagger measured against its float one, from files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import refused, run
from trigger_ml.compress.float_client import train_float_file
from trigger_ml.compress.float_settings import FloatSettings
from trigger_ml.compress.networks.network import read_network
from trigger_ml.frontends.hgq_paths import installed_version

MODEL = Path(__file__).parents[1] / "data" / "tiny_set_hgq.keras"
JETS = 6000

pytestmark = pytest.mark.skipif(installed_version() is None, reason="HGQ2 is not installed")


def test_measure_writes_both_networks_figures(tmp_path: Path) -> None:
    """Events as that model was trained on: the feature with the widest spread, with noise."""
    random = np.random.default_rng(11)
    x = random.normal(0, 1.5, (JETS, 8, 3)).astype(np.float32)
    drawn = random.integers(0, 3, JETS)
    y = np.where(random.random(JETS) < 0.3, drawn, np.abs(x).mean(axis=1).argmax(axis=1))
    data = tmp_path / "events.npz"
    classes = np.array(["a", "b", "c"])
    np.savez(data, x=x, y=y, split=np.arange(JETS) % 3, classes=classes)
    settings = FloatSettings(particle=(6,), jet=(4,), epochs=12, batch=64, learning_rate=0.02)
    trained = train_float_file(data, tmp_path / "float.keras", settings)
    code, out, err = run(
        *("train", "measure", "float.keras", MODEL, "--data", data, "-o", "metrics.json"),
        cwd=tmp_path,
    )
    assert code == 0, err
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert json.loads(out) == found["change"]
    assert found["data"]["jets"] == {"train": 2000, "validation": 2000, "test": 2000}
    assert found["float"]["accuracy"]["value"] == pytest.approx(trained.accuracy)
    assert found["float"]["parameters"] == read_network(tmp_path / "float.keras").parameters
    quantized = found["quantized"]
    assert quantized["accuracy"]["value"] > 0.5, "it was trained on such events"
    assert quantized["lut_cost_model"] > 100
    assert quantized["latency_ns"] == pytest.approx(quantized["latency_cycles"] / 0.36)
    names = {"accuracy", *(f"{kind}:{c}" for kind in ("auc", "rejection@0.3") for c in "abc")}
    assert set(found["change"]) == names
    for name in names:
        change = quantized[name]["value"] - found["float"][name]["value"]
        assert found["change"][name]["value"] == pytest.approx(change)
    other = MODEL.with_name("tiny_hgq.keras")
    (tmp_path / "metrics.json").unlink()
    told = refused(
        *("train", "measure", "float.keras", other, "--data", data, "-o", "metrics.json"),
        cwd=tmp_path,
    )
    assert "takes 4 numbers and gives 3, the float one 24, 3" in told
