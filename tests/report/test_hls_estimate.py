"""The estimate of the HLS project stands beside everything else, and judges nothing."""

from dataclasses import replace

import pytest
from rich.console import Console

from tests.report.conftest import demo_graph, demo_inputs
from trigger_ml.report.build import build_report
from trigger_ml.report.hls_estimate import HLS_ERROR
from trigger_ml.report.markdown import markdown
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import Report
from trigger_ml.report.terminal import terminal_summary
from trigger_ml.synth.hls_estimate import estimate_hls


@pytest.fixture(scope="module")
def estimated() -> Report:
    data = estimate_hls(demo_graph(), {}, 360.0).to_json()
    return build_report(replace(demo_inputs(), hls_estimate=data))


def test_it_changes_no_other_section(estimated: Report) -> None:
    without = build_report(demo_inputs())
    assert without.hls_estimate is None
    for name in Report.model_fields:
        if name not in ("hls_estimate", "sources"):
            assert getattr(estimated, name) == getattr(without, name)


def test_it_is_in_the_report_and_comes_back(estimated: Report) -> None:
    found = Report.model_validate_json(estimated.to_text())
    assert found.hls_estimate is not None
    assert [row.name for row in found.hls_estimate.layers] == ["fc1", "fc2", "fc3", "output"]
    assert found.hls_estimate.total.lut == sum(row.lut for row in found.hls_estimate.layers) > 0
    assert found.hls_estimate.error == HLS_ERROR


def test_it_has_its_own_name_everywhere(estimated: Report) -> None:
    console = Console(width=300, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(terminal_summary(estimated))
    (line,) = [text for text in capture.get().splitlines() if "hls4ml estimate" in text]
    assert "held against no vendor tool" in line
    text = markdown(estimated)
    assert "### The HLS project: hls4ml estimate" in text
    assert "| fc1 | latency | 1 | " in text
    assert "The HLS project: hls4ml estimate" in html_page(estimated)
    without = build_report(demo_inputs())
    assert "hls4ml estimate" not in markdown(without) + html_page(without)
