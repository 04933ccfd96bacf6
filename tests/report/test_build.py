"""Nothing measured is a failure; what is measured is carried over to the last digit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trigger_ml.artifacts import Resources, Run, Synthesis, Verdict
from trigger_ml.config import Config
from trigger_ml.report.build import build_report
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.schema import Report


def failures(report: Report) -> dict[str, str]:
    return {verdict.name: verdict.message for verdict in report.failures}


def test_a_whole_build_passes(report: Report) -> None:
    assert report.passed
    assert report.fidelity.exact
    assert report.fidelity.mismatches == {
        "graph~source": 0,
        "csim~graph": 0,
        "rtl~graph": 0,
        "rtl-icarus~graph": 0,
    }
    assert (report.fidelity.events, report.fidelity.corner_events) == (4012, 12)
    assert (report.latency.cycles, report.latency.ii_cycles) == (23, 1)
    assert report.latency.ns == pytest.approx(23 / 0.36)
    assert report.latency.measured_by == "Verilator 5.048, Verilog"
    assert report.pipeline.timing == "estimate"
    assert report.pipeline.margin_kept is True


def test_resources_are_judged_by_the_strongest_origin(inputs: ReportInputs) -> None:
    report = build_report(inputs)
    assert report.resources.judged_by == "yosys"
    assert report.resources.device_share["lut"] == 5142 / 1_728_000
    assert report.resources.slr_share["lut"] == 5142 / 432_000
    assert report.resources.vendor is None
    details = {"timing_state": "routed", "slack_ns": 0.031}
    vendor = Synthesis("vivado", "2023.2", Resources(lut=5900, dsp=0), {}, details, 1200.0)
    routed = build_report(replace(inputs, synthesis=(*inputs.synthesis, vendor)))
    assert routed.resources.judged_by == "vivado"
    assert routed.resources.vendor is not None
    assert routed.resources.vendor.lut == 5900
    assert (routed.pipeline.timing, routed.pipeline.slack_ns) == ("vendor", 0.031)
    assert routed.passed


def test_a_clock_that_the_vendor_tool_misses_fails(inputs: ReportInputs) -> None:
    details = {"timing_state": "routed", "slack_ns": -0.4}
    vendor = Synthesis("vivado", "2023.2", Resources(lut=5900), {}, details, 1200.0)
    report = build_report(replace(inputs, synthesis=(*inputs.synthesis, vendor)))
    assert failures(report) == {"clock": "the vendor tool misses the clock by 0.400 ns"}


@pytest.mark.parametrize("state", ["synthesized", "placed", None])
def test_only_a_routed_design_closes_timing(inputs: ReportInputs, state: str | None) -> None:
    details = {"timing_state": state, "slack_ns": 0.5}
    vendor = Synthesis("vivado", "2023.2", Resources(lut=5900), {}, details, 1200.0)
    report = build_report(replace(inputs, synthesis=(*inputs.synthesis, vendor)))
    assert (report.pipeline.timing, report.pipeline.slack_ns) == ("estimate", None)


def test_layers_carry_types_weights_costs_and_ranges(report: Report) -> None:
    layer = next(item for item in report.layers if item.name == "fc2")
    assert (layer.kind, layer.type, layer.shape) == ("dense", "fixed<14,8>", (32,))
    assert layer.weights == 64 * 32 + 32
    assert layer.zero_weights is not None
    assert 0.6 < layer.zero_weights / layer.weights < 0.9
    assert layer.cost_lut == 1455
    assert layer.range is not None
    assert layer.range.elements == 3000 * 32


def test_no_simulation_of_the_rtl_is_a_failure(inputs: ReportInputs) -> None:
    mismatches = {"graph~source": 0, "csim~graph": 0}
    report = build_report(replace(inputs, cosim=None, cross=(), mismatches=mismatches))
    assert report.latency.cycles is None
    assert report.latency.ns is None
    assert not report.latency.met
    assert report.fidelity.mismatches["rtl~graph"] is None
    assert not report.fidelity.exact
    assert failures(report) == {
        "measured:rtl~graph": "rtl~graph were not compared on any event",
        "measured:latency": "no RTL simulation ran, so latency and II are not known",
    }


def test_a_witness_that_saw_no_event_is_a_failure(inputs: ReportInputs) -> None:
    empty = Run("csim", np.zeros((0, 5), dtype=np.int64), 0.0)
    runs = tuple(empty if run.witness == "csim" else run for run in inputs.runs)
    report = build_report(replace(inputs, runs=runs))
    assert report.fidelity.mismatches["csim~graph"] is None
    assert "measured:csim~graph" in failures(report)


def test_a_count_without_its_run_is_not_believed(inputs: ReportInputs) -> None:
    runs = tuple(run for run in inputs.runs if run.witness != "source")
    report = build_report(replace(inputs, runs=runs))
    assert report.fidelity.mismatches["graph~source"] is None
    assert not report.passed


def test_events_that_never_came_out_are_a_failure(inputs: ReportInputs) -> None:
    assert inputs.cosim is not None
    report = build_report(replace(inputs, cosim=replace(inputs.cosim, events=5000)))
    assert failures(report) == {"measured:rtl": "4,012 of 5,000 events came out of the RTL"}


def test_no_resources_or_an_unknown_part_is_a_failure(inputs: ReportInputs) -> None:
    nothing = build_report(replace(inputs, synthesis=()))
    assert nothing.resources.cost_model is None
    assert nothing.resources.judged_by is None
    assert "measured:resources" in failures(nothing)
    unknown = build_report(replace(inputs, device=None))
    assert unknown.resources.device_share["lut"] is None
    assert not unknown.resources.met
    assert failures(unknown) == {
        "measured:resources": "the part's totals are not known, so neither is its share"
    }


def test_labels_without_physics_are_a_failure(inputs: ReportInputs) -> None:
    report = build_report(replace(inputs, physics=None))
    assert list(failures(report)) == ["measured:physics"]
    unlabelled = replace(inputs.vectors, labels=None)
    assert build_report(replace(inputs, physics=None, vectors=unlabelled)).passed


def test_no_verdict_at_all_is_no_pass(inputs: ReportInputs) -> None:
    report = build_report(replace(inputs, verdicts=()))
    assert report.verdicts == ()
    assert not report.passed


def test_a_figure_over_its_budget_fails_though_nobody_judged_it(inputs: ReportInputs) -> None:
    budget = {"latency_ns": 50.0, "lut_share": 0.001}
    late = build_report(replace(inputs, config=Config.model_validate({"budget": budget})))
    assert not late.latency.met
    assert not late.resources.met
    assert failures(late) == {
        "latency": "63.9 ns, II 2.8 ns: over budget",
        "resources": "over budget, as counted by yosys",
    }


def test_a_budget_that_is_met_to_the_clock_is_met(inputs: ReportInputs) -> None:
    assert inputs.cosim is not None
    for cycles in range(1, 200):
        config = Config.model_validate({"budget": {"latency_ns": cycles / 0.36}})
        cosim = replace(inputs.cosim, latency_cycles=cycles)
        assert build_report(replace(inputs, config=config, cosim=cosim)).latency.met


def test_a_mismatch_fails_though_nobody_judged_it(inputs: ReportInputs) -> None:
    report = build_report(replace(inputs, mismatches={**inputs.mismatches, "rtl~graph": 3}))
    assert failures(report) == {"bits:rtl~graph": "3 of 4,012 events differ"}


def test_a_source_in_floating_point_may_differ(inputs: ReportInputs) -> None:
    mismatches = {**inputs.mismatches, "graph~source": 900}
    report = build_report(
        replace(inputs, mismatches=mismatches, inexact_layers={"softmax": "exp in float32"})
    )
    assert report.passed
    assert not report.fidelity.exact
    assert report.fidelity.fixed_point_exact


def test_a_missing_measurement_is_said_once(inputs: ReportInputs) -> None:
    verdicts = (
        Verdict("latency", False, "not measured"),
        Verdict("bits:rtl~graph", False, "not compared"),
    )
    report = build_report(
        replace(inputs, cosim=None, cross=(), verdicts=verdicts, mismatches={"graph~source": 0})
    )
    assert list(failures(report)) == ["latency", "bits:rtl~graph", "measured:csim~graph"]


def test_a_stage_without_its_routing_margin_is_seen(inputs: ReportInputs) -> None:
    assert inputs.rtl is not None
    rtl = replace(inputs.rtl, stage_delays_ns=(1.2, 1.9))
    report = build_report(replace(inputs, rtl=rtl))
    assert report.pipeline.worst_stage_ns == 1.9
    assert report.pipeline.margin_kept is False
