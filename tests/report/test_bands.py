"""What the report says of how far an estimate may be off."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from trigger_ml.report.bands import band_notes
from trigger_ml.report.markdown import markdown
from trigger_ml.report.schema import Report
from trigger_ml.report.terminal import terminal_summary
from trigger_ml.synth.calibration import band, load_calibration, predicted
from trigger_ml.synth.operation_counts import Counts


def with_details(report: Report, details: dict[str, Any]) -> Report:
    """The report with further details of its cost model."""
    origins = tuple(
        origin.model_copy(update={"details": details}) if origin.origin == "cost_model" else origin
        for origin in report.resources.origins
    )
    resources = report.resources.model_copy(update={"origins": origins})
    return report.model_copy(update={"resources": resources})


@pytest.fixture
def banded(report: Report) -> Report:
    ends = {"low": 5000.0, "high": 6000.0}
    return with_details(
        report,
        {
            "band": {"lut": [4714.6, 5518.2], "ff": [2900.0, 3100.0]},
            "predicts": {
                "yosys": {"lut": {"value": 5500.0, **ends}, "ff": {"value": 3000.0, **ends}},
                "mape": 0.04,
                "networks": 33,
                "study": "docs/resources.md",
            },
        },
    )


def test_a_band_and_a_prediction(banded: Report) -> None:
    assert band_notes(banded) == (
        "cost model: expect 4,715 to 5,518 LUT, 2,900 to 3,100 FF",
        "predicted for yosys: 5,500 LUT (5,000 to 6,000), 3,000 FF (5,000 to 6,000); "
        "95 % of 33 held-out networks, docs/resources.md",
    )


def test_they_are_in_terminal_and_markdown(banded: Report) -> None:
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    console.print(terminal_summary(banded))
    assert isinstance(console.file, io.StringIO)
    text = " ".join(console.file.getvalue().split())
    for note in band_notes(banded):
        assert note in text
        assert f"- {note}\n" in markdown(banded)


def test_an_older_report_has_none(report: Report) -> None:
    old = with_details(report, {"lut_logic": 1.0})
    assert band_notes(old) == ()
    assert "expect" not in markdown(old)


def test_what_the_cost_model_gives_can_be_said(report: Report) -> None:
    details = {"band": band(1000.0, 500.0), "predicts": predicted(Counts({"add": 900.0}), 0, 500)}
    expect, prediction = band_notes(with_details(report, details))
    assert expect.startswith("cost model: expect 971 to 1,136 LUT, ")
    assert f"{load_calibration().networks['held_out']} held-out networks" in prediction
