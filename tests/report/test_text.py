"""Markdown and terminal: same figures, same failures, within 80 columns."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from trigger_ml.report.build import build_report
from trigger_ml.report.headline import headline, tiles
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.markdown import markdown
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Estimate
from trigger_ml.report.terminal import terminal_summary
from trigger_ml.report.words import interval, points, rejection, share


def printed(report: Report, page: Path | None = None) -> str:
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    console.print(terminal_summary(report, page))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_terminal_fits_one_screen(report: Report, failed_report: Report) -> None:
    for one in (report, failed_report):
        lines = printed(one, Path("build/jet_tagger/report.html")).splitlines()
        assert len(lines) <= 32
        assert max(map(len, lines)) <= 80


def test_terminal_tells_the_figures(report: Report) -> None:
    text = printed(report, Path("build/jet_tagger/report.html"))
    for part in (
        "PASS", "63.9", "23 clocks at 360 MHz", "new event every", "5,142 LUT", "0.30",
        "of 4,012 events differ", "81.8", "estimated", "build/jet_tagger/report.html",
    ):  # fmt: skip
        assert part in text


def test_terminal_tells_the_failures(failed_report: Report) -> None:
    text = printed(failed_report)
    for part in ("FAIL", "37", "latency", "the budget is 50 ns", "layer fc2", "not measured"):
        assert part in text


def test_markdown(report: Report, failed_report: Report) -> None:
    text = markdown(report)
    assert text.startswith("# jet_tagger.h5 on VU13P at 360 MHz\n\n**PASS.** Bit-exact")
    assert "| RTL simulation against fixed-point graph | 4,012 | 12 | 0 |" in text
    assert "What failed" not in text
    text = markdown(failed_report)
    assert "**FAIL.** Not exact, late: 3 of 5 checks failed." in text
    assert "- `latency`: 63.9 ns, the budget is 50 ns" in text
    assert "code -120 against -119 of `fixed<14,8>`" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_what_is_missing_is_said_everywhere(inputs: ReportInputs) -> None:
    report = build_report(
        replace(inputs, cosim=None, cross=(), synthesis=(), physics=None, runs=())
    )
    assert [tile.passed for tile in tiles(report)] == [False] * 4
    assert [tile.figure for tile in tiles(report)] == ["\u2013"] * 4
    assert all("not measured" in " ".join(tile.detail) for tile in tiles(report))
    assert headline(report).startswith("Not exact, late, too large: ")
    for text in (printed(report), markdown(report)):
        assert "not measured" in text
        assert "None" not in text
        assert "PASS" not in text


def test_an_excused_source_is_no_mismatch(inputs: ReportInputs) -> None:
    mismatches = {**inputs.mismatches, "graph~source": 900}
    report = build_report(
        replace(inputs, mismatches=mismatches, inexact_layers={"softmax": "exp in float32"})
    )
    assert headline(report).startswith("Exact in fixed point, on time")
    assert tiles(report)[0].unit == "mismatches in fixed point"
    assert "not exact in softmax" in tiles(report)[0].detail[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "not measured"), (0, "0 %"), (5e-5, "< 0.01 %"), (0.00298, "0.30 %"),
     (0.0119, "1.2 %"), (0.36, "36 %"), (1.5, "150 %")],
)  # fmt: skip
def test_shares(value: float | None, text: str) -> None:
    assert share(value) == text


def test_numbers_with_signs_and_limits() -> None:
    assert points(-0.0057) == "\u22120.57"
    assert points(1e-9) == "0"
    assert rejection(Estimate(value=None, low=100.0, high=None)) == "> 100"
    assert rejection(None) == "not measured"
    assert interval(Estimate(value=None, low=100.0, high=None), 1, 0) == "100 to \u221e"
