"""What a search is told a candidate costs is what the report of its compilation says."""

import json
from pathlib import Path

import pytest

from trigger_ml.compress.objective import measure_cost
from trigger_ml.config import load_config
from trigger_ml.frontends.client import open_model
from trigger_ml.records import load_build
from trigger_ml.report.schema import Report

MODEL = Path(__file__).parents[2] / "models" / "jet_tagger"


@pytest.mark.parametrize("name", ["logits_build", "softmax_build"])
def test_cost_is_the_reports(name: str, request: pytest.FixtureRequest) -> None:
    build = request.getfixturevalue(name)
    stored = load_build(build)
    report = Report.from_json(json.loads((build / "report.json").read_text(encoding="utf-8")))
    cost = measure_cost(stored.network, stored.config)
    counted = report.resources.cost_model
    assert counted is not None
    assert (cost.lut, cost.ff) == (counted.lut, counted.ff)
    assert cost.latency_cycles == report.latency.cycles
    assert cost.latency_ns == report.latency.ns
    assert cost.worst_stage_ns == report.pipeline.worst_stage_ns
    assert dict(cost.by_layer) == {
        layer.name: layer.cost_lut for layer in report.layers if layer.cost_lut is not None
    }


@pytest.mark.slow
def test_cost_of_the_reference_jet_tagger(tmp_path: Path) -> None:
    config = load_config(MODEL / "compile.yaml")
    with open_model(MODEL / "model.h5", config, tmp_path) as frontend:
        network, _ = frontend.convert(config, tmp_path / "hls", "jet_tagger")
    cost = measure_cost(network, config)
    assert round(cost.lut) == 4604
    assert cost.latency_cycles == 15
    assert cost.latency_ns == pytest.approx(41.667, abs=1e-3)
