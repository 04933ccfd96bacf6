"""The slowest stage in words."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from trigger_ml.report.build import ReportInputs, build_report
from trigger_ml.report.markdown import markdown
from trigger_ml.report.terminal import terminal_summary
from trigger_ml.report.timing import timing_line

WORST = {"name": "net_stage1", "index": 1, "levels": 5, "carry_bits": 22, "delay_ns": 4.417}
LINE = (
    "slowest stage by yosys: net_stage1, 5 LUT levels, 22 carry bits, 4.4 ns with nets (226 MHz): "
    "an estimate, nothing placed"
)


def with_worst(inputs: ReportInputs, worst: dict[str, object] | None) -> ReportInputs:
    synthesis = [
        replace(item, details={**item.details, "worst_stage": worst}) if k == 1 else item
        for k, item in enumerate(inputs.synthesis)
    ]
    return replace(inputs, synthesis=tuple(synthesis))


def test_the_slowest_stage_is_a_line_of_each_summary(inputs: ReportInputs) -> None:
    report = build_report(with_worst(inputs, {**WORST, "max_mhz": 226.4}))
    assert timing_line(report) == LINE
    assert f"- {LINE}\n" in markdown(report)
    printed = StringIO()
    Console(width=200, file=printed).print(terminal_summary(report))
    assert LINE in printed.getvalue()


def test_one_level_is_one(inputs: ReportInputs) -> None:
    found = timing_line(build_report(with_worst(inputs, {**WORST, "levels": 1, "max_mhz": 226.4})))
    assert found is not None
    assert "net_stage1, 1 LUT level, 22" in found


def test_a_report_without_it_has_no_line(inputs: ReportInputs) -> None:
    assert timing_line(build_report(inputs)) is None
    assert timing_line(build_report(with_worst(inputs, None))) is None
