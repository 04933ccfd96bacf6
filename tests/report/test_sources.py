"""Every figure says which file it is from and which tool, of which version, found it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trigger_ml.report.build import build_report
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import FILE_NAME, Report, load_report
from trigger_ml.report.sources import report_sources


def told(report: Report) -> dict[str, tuple[str, str, str, str]]:
    return {row.key: (row.value, row.file, row.tool, row.version) for row in report.sources}


def test_table(report: Report) -> None:
    rows = told(report)
    assert rows["latency.cycles"] == (
        "23 clocks, 63.9 ns",
        "rtl/verilog/, vectors.npz",
        "cocotb on Verilator",
        "cocotb 2.1.0, Verilator 5.048",
    )
    assert rows["resources.yosys.lut"] == ("5,142", "rtl/verilog/", "yosys", "yosys 0.53")
    assert rows["resources.cost_model.lut"][3] == "alkaid 0.8.2"
    assert rows["fidelity.graph~source"][1:] == (
        "model/jet_tagger.h5, vectors.npz",
        "QKeras",
        "0.9.0",
    )
    assert rows["fidelity.csim~graph"][1:3] == ("hls/, vectors.npz", "hls4ml, g++")
    assert rows["fidelity.rtl-icarus~graph"][0] == "0 of 100"
    assert rows["physics"][1].startswith("vectors.npz (labelled events, seed 1)")
    assert rows["device"][1] == "AMD DS890, UltraScale+ product table"


def test_every_measured_figure_has_a_row(report: Report) -> None:
    rows = told(report)
    for origin in report.resources.origins:
        for key, value in origin.total.model_dump().items():
            assert (f"resources.{origin.origin}.{key}" in rows) == (value is not None)
    assert {f"fidelity.{pair.name}" for pair in report.fidelity.pairs} <= set(rows)
    assert {"latency.cycles", "latency.ii_cycles", "layers.range", "layers.cost_lut"} <= set(rows)


def test_what_was_not_measured_has_no_row(inputs: ReportInputs) -> None:
    bare = replace(
        inputs, cosim=None, cross=(), rtl=None, synthesis=(), physics=None, ranges={}, device=None
    )
    keys = {key.partition(".")[0] for key in told(build_report(bare))}
    assert keys == {"model", "fidelity", "layers", "timing_s"}


def test_vendor_files_are_named(inputs: ReportInputs) -> None:
    vivado = replace(
        inputs.synthesis[1],
        origin="vivado",
        version="2023.2",
        details={"files": {"lut": "reports/utilization.rpt"}},
    )
    rows = told(build_report(replace(inputs, synthesis=(*inputs.synthesis, vivado))))
    assert rows["resources.vivado.lut"][1:] == (
        "vendor/reports/utilization.rpt",
        "Vivado",
        "2023.2",
    )


def test_the_page_points_from_figures_to_the_table(report: Report) -> None:
    page = html_page(report)
    for number, row in enumerate(report.sources, 1):
        assert f'id="source-{number}"' in page
        if row.key != "timing_s":
            assert page.count(f'href="#source-{number}"') >= 1, row.key
    number = [row.key for row in report.sources].index("resources.yosys.lut") + 1
    line = f'href="#source-{number}" title="LUT by yosys \u2190 yosys, yosys 0.53: rtl/verilog/"'
    assert line in page


def test_old_reports_load_and_have_a_table(report: Report, tmp_path: Path) -> None:
    data = report.to_json()
    assert data["schema"] == 1
    del data["sources"], data["latency"]["timeline"]
    (tmp_path / FILE_NAME).write_text(json.dumps(data), encoding="utf-8")
    old = load_report(tmp_path)
    assert old.sources == ()
    latency = report.latency.model_copy(update={"timeline": ()})
    assert old == report.model_copy(update={"sources": (), "latency": latency})
    assert 'id="source-20"' in html_page(old)


@pytest.mark.parametrize(
    ("form", "versions", "expected"),
    [
        ("HGQ2 .keras (Keras 3)", {"keras": "3.15", "HGQ2": "0.2"}, ("HGQ2", "0.2")),
        ("ONNX (QONNX)", {"onnxruntime": "1.31"}, ("onnxruntime", "1.31")),
        ("QKeras .h5", {}, ("QKeras .h5", "not recorded")),
    ],
)
def test_the_framework_of_the_source_model(
    report: Report, form: str, versions: dict[str, str], expected: tuple[str, str]
) -> None:
    model = report.model.model_copy(update={"format": form})
    changed = report.model_copy(update={"model": model, "versions": versions})
    row = next(row for row in report_sources(changed) if row.key == "model")
    assert (row.tool, row.version) == expected
