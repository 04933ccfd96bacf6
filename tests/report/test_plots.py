"""Plots: colours by theme, nothing drawn from nothing, large networks still fit."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from trigger_ml.report import latency_plots, plots, resource_plots
from trigger_ml.report.build import build_report
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import Report
from trigger_ml.report.themes import LIGHT, THEMED
from trigger_ml.report.trace_sections import Span

ALL = (
    latency_plots.waterfall_figure,
    latency_plots.pipeline_figure,
    plots.ranges_figure,
    resource_plots.shares_figure,
    resource_plots.resources_figure,
    plots.roc_figure,
)


@pytest.mark.parametrize("draw", ALL, ids=lambda f: f.__name__)
def test_svg_takes_every_colour_from_the_page(draw, report: Report) -> None:
    figure = draw(report)
    assert isinstance(figure, Figure)
    text = plots.to_svg(figure, "a plot", "one")
    assert text.startswith('<svg role="img" aria-label="a plot"')
    assert "var(--plot-ink)" in text
    left = set(re.findall(r"#[0-9a-f]{6}", text))
    assert not left & set(THEMED.all)
    assert left <= {"#000000", "#ffffff"}
    assert "http" not in text
    assert "<text" in text


@pytest.mark.parametrize("draw", ALL, ids=lambda f: f.__name__)
def test_png_for_a_slide(draw, report: Report) -> None:
    assert plots.to_png(draw(report, LIGHT), dpi=50).startswith(b"\x89PNG")


def test_nothing_measured_nothing_drawn(inputs: ReportInputs) -> None:
    bare = build_report(
        replace(inputs, rtl=None, cosim=None, ranges={}, synthesis=(), physics=None)
    )
    assert [draw(bare) for draw in ALL] == [None] * len(ALL)


def test_a_deep_network_is_cut_off(inputs: ReportInputs) -> None:
    relu, seen = inputs.graph.nodes[2], inputs.ranges["relu1"]
    nodes = tuple(replace(relu, name=f"relu{k}") for k in range(200))
    report = build_report(
        replace(
            inputs,
            graph=replace(inputs.graph, nodes=nodes),
            ranges={node.name: seen for node in nodes},
        )
    )
    figure = plots.ranges_figure(report)
    assert figure is not None
    assert figure.get_size_inches()[1] < 25


def test_pyplot_stays_out(report: Report) -> None:
    for draw in ALL:
        plots.to_svg(draw(report), "a plot", "one")
    assert "matplotlib.pyplot" not in sys.modules


def words(figure: Figure) -> str:
    """All text of a figure."""
    svg = plots.to_svg(figure, "a plot", "one")
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


SPANS = (
    Span(name="columns in: 5 groups", kind="input", start_cycles=0, stop_cycles=4),
    Span(name="conv1", kind="kernel", start_cycles=4, stop_cycles=23),
    Span(name="columns out: 5 groups", kind="output", start_cycles=19, stop_cycles=23),
)


def test_waterfall(inputs: ReportInputs) -> None:
    report = build_report(replace(inputs, timeline=SPANS))
    assert report.latency.timeline == SPANS
    figure = latency_plots.waterfall_figure(report, LIGHT)
    assert figure is not None
    text = words(figure)
    for part in ("columns in: 5 groups", "conv1", "4 clocks, 11.1 ns", "19 clocks, 52.8 ns"):
        assert part in text
    assert "63.9 ns measured" in text
    assert "budget 100 ns" in text
    bars = [bar.get_x() + bar.get_width() for bar in figure.axes[0].patches]
    assert bars == [4, 23, 23]
    assert [line.get_xdata()[0] for line in figure.axes[0].lines] == pytest.approx([23, 36])


def test_a_timeline_that_does_not_end_with_the_latency_is_not_shown(inputs: ReportInputs) -> None:
    report = build_report(replace(inputs, timeline=SPANS[:1]))
    assert report.latency.timeline == ()
    assert [span.name for span in latency_plots.shown_timeline(report)] == ["pipeline"]


def test_stages_as_a_synthesis_mapped_them(inputs: ReportInputs) -> None:
    levels = list(range(1, 24))
    details = {"stage_levels": levels, "stage_delays_ns": [0.1 * level for level in levels]}
    cost, yosys = inputs.synthesis
    told = build_report(replace(inputs, synthesis=(cost, replace(yosys, details=details))))
    text = words(latency_plots.pipeline_figure(told, LIGHT))
    assert "path by yosys, wires estimated" in text
    assert "levels of logic" in text
    plain = build_report(inputs)
    assert "wires estimated" not in words(latency_plots.pipeline_figure(plain, LIGHT))
    page = html_page(told)
    assert "a stage has 23 levels of logic at most and 2.30 ns with its wires" in page
    assert "none of 23 stages are longer than the clock" in page
    assert [row.value for row in told.sources if row.key == "pipeline.mapped"] == [
        "23 levels at most"
    ]
    assert "levels of logic" not in html_page(plain)


def test_shares_with_budgets_and_bands(inputs: ReportInputs) -> None:
    budget = {"lut_share": 0.02}
    config = inputs.config.model_validate({"budget": budget})
    cost, yosys = inputs.synthesis
    cost = replace(cost, details={"band": {"lut": [4000.0, 6500.0]}})
    report = build_report(replace(inputs, config=config, synthesis=(cost, yosys)))
    figure = resource_plots.shares_figure(report, LIGHT)
    assert figure is not None
    text = words(figure)
    for part in ("0.28 %", "0.30 %", "1.2 %", "budget", "cost model: expected range", "LUT", "FF"):
        assert part in text
    part, slr = figure.axes
    marks = [line.get_segments()[0] for line in part.collections]
    assert [pytest.approx(segment[:, 0].tolist()) for segment in marks] == [
        [4000 / 17280, 6500 / 17280],
        [2.0, 2.0],
    ]
    assert slr.collections[-1].get_segments()[0][0, 0] == pytest.approx(8.0)
    assert resource_plots.band(report.resources.origins[0], "lut") == (4000.0, 6500.0)
    assert resource_plots.band(report.resources.origins[0], "ff") is None
    assert resource_plots.band(report.resources.origins[1], "lut") is None
    page = html_page(report)
    assert '<small class="nowrap">4,000 to 6,500</small>' in page


def test_unused_bits_and_saturation_are_said(report: Report) -> None:
    figure = plots.ranges_figure(report, LIGHT)
    assert figure is not None
    text = words(figure)
    assert "at the limit" in text
    assert re.search(r"unused: \d+ top", text)


def test_many_layers_are_several_figures(inputs: ReportInputs) -> None:
    relu, seen = inputs.graph.nodes[2], inputs.ranges["relu1"]
    nodes = tuple(replace(relu, name=f"layer{k}x") for k in range(50))
    ranges = {node.name: seen for node in nodes}
    graph = replace(inputs.graph, nodes=nodes)
    bare = replace(inputs, physics=None, rtl=None, cosim=None, cross=(), synthesis=())
    page = html_page(build_report(replace(bare, graph=graph, ranges=ranges)))
    assert page.count("Bits of each type that the data needs") == 3
    for node in nodes:
        assert page.count(f"{node.name}<") == 2  # in a figure and in the table
