"""report.json: what DESIGN promises, back and forth, and clear errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trigger_ml.errors import BuildError
from trigger_ml.report.schema import FILE_NAME, Report, load_report


def test_round_trip(report: Report, failed_report: Report, tmp_path: Path) -> None:
    for one in (report, failed_report):
        (tmp_path / FILE_NAME).write_text(one.to_text(), encoding="utf-8")
        assert load_report(tmp_path) == one
        assert load_report(tmp_path / FILE_NAME) == one


def test_keys_are_those_of_the_design(report: Report) -> None:
    data = report.to_json()
    promised = {
        "model": {"file", "sha256", "format", "parameters", "nonzero"},
        "target": {"part", "clock_mhz", "latency_budget_ns", "ii_budget_ns"},
        "fidelity": {
            "witnesses", "events", "corner_events", "mismatches", "exact", "first_divergence",
        },
        "latency": {"cycles", "ns", "ii_cycles", "ii_ns", "measured_by", "met"},
        "resources": {"cost_model", "yosys", "vendor", "device_share", "slr_share", "met"},
        "physics": {"metric", "float", "quantized", "firmware", "interval", "working_point"},
        "timing_s": {
            "load", "lower_hls", "csim_build", "csim", "lower_rtl", "rtl_build", "rtl_sim",
            "synth", "total",
        },
    }  # fmt: skip
    assert data["schema"] == 1
    for section, keys in promised.items():
        assert keys <= set(data[section]), section
    assert set(data["resources"]["yosys"]) == {"lut", "ff", "dsp", "bram36", "carry8"}
    assert data["fidelity"]["witnesses"] == ["source", "graph", "csim", "rtl"]


def test_missing_figures_are_null(failed_report: Report) -> None:
    data = json.loads(failed_report.to_text())
    assert data["resources"]["yosys"] is None
    assert data["fidelity"]["mismatches"]["rtl-icarus~graph"] is None


def test_absent_report(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"report\.json: there is no report here; run trigger-ml"):
        load_report(tmp_path)


def test_another_schema(report: Report, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(json.dumps({**report.to_json(), "schema": 2}))
    with pytest.raises(BuildError, match=r"this is report schema 2, this version .* reads 1"):
        load_report(path)
    path.write_text("[]")
    with pytest.raises(BuildError, match="report schema None"):
        load_report(path)


def test_not_json(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text('{"schema": 1,')
    with pytest.raises(BuildError, match="cannot be read as JSON"):
        load_report(path)


def test_altered_report(report: Report, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(json.dumps({**report.to_json(), "extra": 1}))
    with pytest.raises(BuildError, match=r"extra: Extra inputs are not permitted \(1 such\)"):
        load_report(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"passed": True}, "passed does not follow from the verdicts"),
        ({"passed": True, "verdicts": []}, "passed does not follow from the verdicts"),
        ({"fidelity": {"exact": True}}, "exact needs every pair measured, without a mismatch"),
    ],
)
def test_a_pass_cannot_be_written_in(
    failed_report: Report, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    data = failed_report.to_json()
    for key, value in change.items():
        data[key] = {**data[key], **value} if isinstance(value, dict) else value
    path = tmp_path / FILE_NAME
    path.write_text(json.dumps(data))
    with pytest.raises(BuildError, match=message):
        load_report(path)
