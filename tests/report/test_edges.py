"""Reports of networks that keep edges of graphs: figures, headline, pictures, and old reports."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from trigger_ml.artifacts import EdgeLabels
from trigger_ml.check.edges import compare_edges
from trigger_ml.report import edge_plots
from trigger_ml.report.build import build_report
from trigger_ml.report.edge_words import edge_rows
from trigger_ml.report.headline import tiles
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.markdown import markdown
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import FILE_NAME, Report, load_report
from trigger_ml.report.terminal import terminal_summary
from trigger_ml.report.themes import LIGHT

IMAGES, GRID = 50, (10, 4)


@cache
def edges_json(eta_of_fakes: bool = True) -> dict[str, Any]:
    """1,000 candidates, 600 true. Float misses 6 and keeps 4 fakes; firmware misses 12, keeps 8."""
    rng = np.random.default_rng(5)
    shape = (IMAGES, *GRID)
    candidates, true = np.zeros(shape, bool), np.zeros(shape, bool)
    candidates[:, :5] = true[:, :3] = True
    places = np.argwhere(true), np.argwhere(candidates & ~true)
    logits = {}
    for name, missed, fakes in (("float", 6, 4), ("quantized", 12, 8), ("firmware", 12, 8)):
        values = np.where(true, 2.0, -2.0) + np.random.default_rng(5).uniform(-1, 1, shape)
        for found, wrong in zip(places, (missed, fakes), strict=True):
            index = tuple(found[:: len(found) // wrong][:wrong].T)
            values[index] *= -1
        logits[name] = values
    known = candidates if eta_of_fakes else true
    labels = EdgeLabels(
        true,
        candidates,
        np.where(true, rng.uniform(1, 30, shape), np.nan).astype(np.float32),
        np.where(known, rng.uniform(-1, 1, shape), np.nan).astype(np.float32),
        np.repeat([0, 1, 2, 3], [40, 5, 3, 2]),
        0.25,
    )
    kept = {name: values >= (0.25 if name == "float" else 0.0) for name, values in logits.items()}
    return compare_edges(kept, logits, labels, threshold=0.0, float_threshold=0.25).to_json()


def with_edges(inputs: ReportInputs, physics: dict[str, Any] | None) -> ReportInputs:
    one = np.ones((1, 1, 1), bool)
    vectors = replace(inputs.vectors, labels=None, edges=EdgeLabels(one, one))
    return replace(inputs, vectors=vectors, physics=physics)


@pytest.fixture
def edged(inputs: ReportInputs) -> Report:
    return build_report(with_edges(inputs, edges_json()))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_headline_figures(edged: Report) -> None:
    assert edged.passed
    physics = edged.physics
    assert physics is not None and physics.edges is not None
    assert (physics.metric, physics.working_point) == ("purity", 0.0)
    assert physics.firmware == physics.quantized == pytest.approx(588 / 596)
    assert physics.float_ == pytest.approx(594 / 598)
    assert physics.detail is physics.masks is None
    tile = tiles(edged)[3]
    assert (tile.figure, tile.unit, tile.passed) == ("98.66", "% purity", None)
    assert tile.detail == (
        "efficiency 98.00 %, accuracy 98.00 %",
        "95 % interval 97.37 to 99.42 %",
        "float 99.33 %, change \u22120.67 points",
    )


def test_terminal_says_purity_and_efficiency(edged: Report) -> None:
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    console.print(terminal_summary(edged, Path("build/edges/report.html")))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert re.search(r"physics +98\.66 +% purity; efficiency 98\.00 %, accuracy", text)
    lines = text.splitlines()
    assert len(lines) <= 36
    assert max(map(len, lines)) <= 80


def test_round_trip(edged: Report, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(edged.to_text(), encoding="utf-8")
    assert load_report(tmp_path) == edged


def test_reports_without_the_new_key_still_load(report: Report, tmp_path: Path) -> None:
    data = report.to_json()
    del data["physics"]["edges"]
    (tmp_path / FILE_NAME).write_text(json.dumps(data), encoding="utf-8")
    assert load_report(tmp_path) == report


def test_edges_without_figures_are_a_failure(inputs: ReportInputs) -> None:
    report = build_report(with_edges(inputs, None))
    assert [verdict.name for verdict in report.failures] == ["measured:physics"]
    data = json.loads(json.dumps(edges_json()))
    none = {"passed": 0, "total": 0, "value": None, "low": None, "high": None}
    data["witnesses"][2]["figures"]["purity"] = none
    assert not build_report(with_edges(inputs, data)).passed


def test_rows_and_what_could_not_be_counted(edged: Report, inputs: ReportInputs) -> None:
    assert edged.physics is not None and edged.physics.edges is not None
    rows = dict(edge_rows(edged.physics.edges))
    assert str(rows["Purity (%)"][2]) == "98.66 (97.37 to 99.42)"
    assert [cell.figure for cell in rows["Efficiency (%)"]] == ["99.00", "98.00", "98.00"]
    assert [cell.figure for cell in rows["Accuracy (%)"]] == ["99.00", "98.00", "98.00"]
    assert rows["Best threshold on the logit"][0].figure == "0.2500"
    data = json.loads(json.dumps(edges_json()))
    none = {"passed": 0, "total": 0, "value": None, "low": None, "high": None}
    for row in data["witnesses"]:
        row["roc"], row["best"]["purity"] = None, none
    data["truncated"] = None
    report = build_report(with_edges(inputs, data))
    text = markdown(report)
    for part in ("no fake candidate", "no such edge", "do not say (flags) whether"):
        assert part in text
    assert edge_plots.roc_figure(report, LIGHT) is None


def test_markdown_tells_edges(edged: Report) -> None:
    text = markdown(edged)
    for part in (
        "kept where its logit is 0 or more (0.25 in the float model)",
        "50 images have 2,000 slots, and 1,000 of them hold a candidate edge: 600 are true.",
        "| 1,000 candidate edges | float | quantized | firmware |",
        "| Purity (%) | 99.33 (",
        "- quantized to firmware: 0 edges (0 %) in 0 images decided differently; "
        "change in points: purity 0, efficiency 0, accuracy 0\n",
        "change in points: purity \u22120.67 (",
        "Of 50 images nodes were left out in 7 (14 %) and edges in 5 (10 %), one or both in "
        "10 (20 %)",
    ):
        assert part in text
    assert "None" not in text


def test_page_shows_edges(edged: Report) -> None:
    page = html_page(edged)
    text = words(page)
    for part in (
        "1,000 candidate edges", "Efficiency against transverse momentum", "98.66",
        "Efficiency against pseudorapidity", "Purity against pseudorapidity",
        "ROC curves of the edges", "nodes were left out in 7", "AUC",
        "Share of the edges that are kept that are true",
    ):  # fmt: skip
        assert part in text
    assert "Purity against transverse momentum" not in text
    assert "matched" not in text and "None" not in text
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)


def test_a_page_of_classes_has_nothing_of_edges(report: Report) -> None:
    text = words(html_page(report))
    assert "candidate edge" not in text and "left out in" not in text


def test_what_is_drawn(edged: Report, inputs: ReportInputs, report: Report) -> None:
    figure = edge_plots.pt_efficiency_figure(edged, LIGHT)
    assert figure is not None
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_ylabel()) == ("log", "efficiency")
    assert len(axes.containers) == 3
    figure = edge_plots.eta_purity_figure(edged, LIGHT)
    assert figure is not None
    assert figure.axes[0].get_ylabel() == "purity"
    assert edge_plots.pt_purity_figure(edged, LIGHT) is None
    figure = edge_plots.roc_figure(edged, LIGHT)
    assert figure is not None
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [dot.get_ydata()[0] for dot in dots] == pytest.approx([4 / 400, 8 / 400, 8 / 400])
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([0.99, 0.98, 0.98])
    without = build_report(with_edges(inputs, edges_json(eta_of_fakes=False)))
    assert edge_plots.eta_purity_figure(without, LIGHT) is None
    assert edge_plots.eta_efficiency_figure(without, LIGHT) is not None
    for draw in (edge_plots.roc_figure, edge_plots.pt_efficiency_figure):
        assert draw(report, LIGHT) is None
