"""Plots: colours by theme, nothing drawn from nothing, large networks still fit."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from trigger_ml.report import plots
from trigger_ml.report.build import build_report
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.schema import Report
from trigger_ml.report.themes import LIGHT, THEMED

ALL = (
    plots.pipeline_figure,
    plots.ranges_figure,
    plots.resources_figure,
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
    bare = build_report(replace(inputs, rtl=None, ranges={}, synthesis=(), physics=None))
    assert [draw(bare) for draw in ALL] == [None] * 4


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
