"""Reports of networks that mark cells: figures, streams, kernels, pictures, and old reports."""

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

from trigger_ml.artifacts import MaskLabels, Resources, Synthesis
from trigger_ml.check.masks import compare_masks, show_image
from trigger_ml.columns import ColumnLayout, StreamPorts
from trigger_ml.report import latency_plots, mask_plots, plots
from trigger_ml.report.build import build_report
from trigger_ml.report.headline import tiles
from trigger_ml.report.image_words import kernel_rows, mask_rows, signed
from trigger_ml.report.inputs import ReportInputs
from trigger_ml.report.markdown import markdown
from trigger_ml.report.page import html_page
from trigger_ml.report.schema import FILE_NAME, Report, load_report
from trigger_ml.report.terminal import terminal_summary
from trigger_ml.report.themes import LIGHT, THEMED

IMAGES = 120
SHAPE = (8, 384)
PORTS = StreamPorts(
    9, ColumnLayout(8, 384, 6, 43), ColumnLayout(8, 384, 1, 43), {"conv1": 43, "logits": 43}
)


@cache
def masks_json() -> dict[str, Any]:
    """Float finds all but two images; the firmware misses five and marks fakes in ten."""
    rng = np.random.default_rng(3)
    true = np.zeros((IMAGES, *SHAPE), bool)
    true[np.arange(100), rng.integers(0, 8, 100), rng.integers(0, 384, 100)] = True
    good, worse = true.copy(), true.copy()
    good[:2] = False
    worse[:5] = False
    worse[95:105, 0, :3] = True
    muons = np.where(np.arange(IMAGES) < 100, 1, 0)
    one = np.where(muons, rng.uniform(3, 80, IMAGES), np.nan)[:, None]
    labels = MaskLabels(
        true, muons, one, one / 40 + 1, np.where(np.arange(IMAGES) < 50, 5.0, 10.0), 1.5
    )
    hits = np.zeros((*SHAPE, 6), int)
    hits[true[7]] = hits[3, 100, 2] = 1
    return compare_masks(
        {"float": good, "quantized": worse, "firmware": worse},
        labels,
        threshold=0.5,
        float_threshold=1.5,
        event=show_image(7, hits, true[7], worse[7]),
    ).to_json()


def streamed(inputs: ReportInputs, physics: dict[str, Any] | None = None) -> ReportInputs:
    """The same build with a streamed top and masks for labels."""
    assert inputs.rtl is not None and inputs.cosim is not None
    kernels = {
        "conv1": {"instances": 43, **Resources(lut=512, ff=310).to_json()},
        "logits": {"instances": 43, **Resources(lut=91, ff=44).to_json()},
        "shell": {"instances": 1, **Resources(lut=700, ff=2000).to_json()},
    }
    yosys = replace(inputs.synthesis[1], details={"kernels": kernels})
    stages = {"conv1": 20, "logits": len(inputs.rtl.stage_delays_ns) - 20}
    counted = {"kernels": {}, "kernel_stages": stages}
    cost = Synthesis("cost_model", "alkaid", Resources(lut=1.0), {}, counted, 1.0)
    return replace(
        inputs,
        rtl=replace(inputs.rtl, stream=PORTS),
        cosim=replace(inputs.cosim, ii_cycles=9),
        synthesis=(cost, yosys),
        vectors=replace(inputs.vectors, labels=None, masks=MaskLabels(np.ones((1, 1, 1), bool))),
        physics=masks_json() if physics is None else physics,
    )


@pytest.fixture
def masked(inputs: ReportInputs) -> Report:
    return build_report(streamed(inputs))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_headline_figures(masked: Report) -> None:
    assert masked.passed
    physics = masked.physics
    assert physics is not None
    assert (physics.metric, physics.float_, physics.quantized) == ("efficiency", 0.98, 0.95)
    assert (physics.firmware, physics.working_point) == (0.95, 0.6)
    assert physics.interval == pytest.approx((0.8872, 0.9836), abs=1e-4)
    assert physics.detail is None
    tile = tiles(masked)[3]
    assert (tile.question, tile.passed) == ("Is the physics kept?", None)
    assert (tile.figure, tile.unit) == ("95.00", "% efficiency")
    assert tile.detail == (
        "95 % interval 88.72 to 98.36 %",
        "float 98.00 %, change \u22123.00 points",
        "0.25 fake cells an image, 25 % of empty images fire",
    )
    assert "a new image every 9 clocks (25.0 ns)" in tiles(masked)[1].detail
    assert "43 columns a clock" in tiles(masked)[1].detail[0]


def test_round_trip(masked: Report, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(masked.to_text(), encoding="utf-8")
    assert load_report(tmp_path) == masked


def test_reports_without_the_new_keys_still_load(report: Report, tmp_path: Path) -> None:
    data = report.to_json()
    del data["latency"]["stream"], data["physics"]["masks"], data["pipeline"]["kernel_stages"]
    (tmp_path / FILE_NAME).write_text(json.dumps(data), encoding="utf-8")
    assert load_report(tmp_path) == report


def test_masks_without_figures_are_a_failure(inputs: ReportInputs) -> None:
    report = build_report(replace(streamed(inputs), physics=None))
    assert [verdict.name for verdict in report.failures] == ["measured:physics"]
    data = json.loads(json.dumps(masks_json()))
    share = {"passed": 0, "total": 0, "value": None, "low": None, "high": None}
    data["witnesses"][2]["figures"]["efficiency"] = share
    assert not build_report(streamed(inputs, data)).passed


def test_rows_say_what_could_not_be_counted(masked: Report, inputs: ReportInputs) -> None:
    assert masked.physics is not None and masked.physics.masks is not None
    rows = dict(mask_rows(masked.physics.masks))
    assert str(rows["Efficiency: images matched (%)"][0]) == "98.00 (92.96 to 99.76)"
    assert rows["Fake cells per image"][2].figure == "0.250"
    data = json.loads(json.dumps(masks_json()))
    for row in data["witnesses"]:
        row["figures"]["empty_firing"] |= {"total": 0, "value": None, "low": None, "high": None}
    report = build_report(streamed(inputs, data))
    assert "no such image" in markdown(report)
    assert tiles(report)[3].detail[-1] == "0.25 fake cells an image"
    assert (signed(-0.0001), signed(0.02)) == ("0", "+0.020")


def test_markdown_tells_masks_and_kernels(masked: Report) -> None:
    text = markdown(masked)
    for part in (
        "43 columns a clock, so 9 groups for each image of 384 columns",
        "from the first column in to the last one out",
        "| Kernel, counted by yosys | Instances | LUT each | FF each | LUT in all |",
        "| `conv1` | 43 | 512 | 310 | 22,016 |",
        "marked where its logit is 0.5 or more (1.5 in the float model)",
        "Of 120 images 100 have true cells; one is matched when more than 60 % of them are marked",
        "20 images are empty: there is no muon.",
        "| 120 images | float | quantized | firmware |",
        "- quantized to firmware: 0 cells in 0 images marked differently; change of "
        "the efficiency in points 0, of the fake cells an image 0\n",
        "- float to firmware: 33 cells in 13 images marked differently; change of "
        "the efficiency in points \u22123.00 (",
    ):
        assert part in text
    assert "None" not in text


def test_page_shows_masks_streams_and_pictures(masked: Report) -> None:
    page = html_page(masked)
    text = words(page)
    for part in (
        "43 columns a clock, so 9 groups", "first column in to last column out",
        "counted by yosys", "22,016", "Efficiency: images matched (%)", "95.00", "88.72 to 98.36",
        "Efficiency against transverse momentum", "Efficiency against pseudorapidity",
        "Efficiency against background", "Image 7, the first one with true cells",
        "in a true cell", "An image without a muon",
    ):  # fmt: skip
        assert part in text
    assert "ROC curves" not in text and "None" not in text
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert not set(re.findall(r"#[0-9a-f]{6}", page)) & set(THEMED.all)
    assert len(page.encode()) < 1_000_000


def test_a_page_of_classes_has_nothing_of_images(report: Report) -> None:
    text = words(html_page(report))
    assert "streamed" not in text and "matched image" not in text and "Kernel" not in text


def test_terminal_still_fits_one_screen(masked: Report) -> None:
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    console.print(terminal_summary(masked, Path("build/segmenter/report.html")))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 36
    assert max(map(len, lines)) <= 80
    assert "95.00" in console.file.getvalue()


def test_kernels_of_the_judged_origin(masked: Report, report: Report) -> None:
    origin, rows = kernel_rows(masked)
    assert origin == "yosys"
    assert [(row.name, row.instances, row.total_lut) for row in rows] == [
        ("conv1", 43, 43 * 512), ("logits", 43, 43 * 91), ("shell", 1, 700),
    ]  # fmt: skip
    assert kernel_rows(report) == ("", [])


def test_stages_are_named_by_their_kernels(masked: Report, inputs: ReportInputs) -> None:
    assert masked.pipeline.kernel_stages == {"conv1": 20, "logits": 3}
    figure = latency_plots.pipeline_figure(masked, LIGHT)
    assert figure is not None
    at = {text.get_text(): text.xy for text in figure.axes[0].texts}
    assert (at["conv1"], at["logits"]) == ((10.5, 0), (22, 0))
    few = replace(streamed(inputs), rtl=replace(inputs.rtl, stage_delays_ns=(1.0,), stream=PORTS))
    assert build_report(few).pipeline.kernel_stages == {}


def test_efficiencies_are_drawn(masked: Report) -> None:
    figure = mask_plots.background_figure(masked, LIGHT)
    assert figure is not None
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["5", "10"]
    lines = [container.lines[0] for container in axes.containers]
    assert [line.get_ydata().tolist() for line in lines] == [[0.96, 1], [0.9, 1], [0.9, 1]]
    assert [[round(x) for x in line.get_xdata()] for line in lines] == [[0, 1]] * 3
    figure = mask_plots.pt_figure(masked, LIGHT)
    assert figure is not None
    assert figure.axes[0].get_xscale() == "log"


def test_the_image_is_drawn_hit_by_hit(masked: Report) -> None:
    figure = mask_plots.event_figure(masked, LIGHT)
    assert figure is not None
    marked, other, true = (len(c.get_paths()) for c in figure.axes[0].collections)
    assert (marked, other, true) == (1, 1, 6)


def test_without_masks_nothing_is_drawn(report: Report, inputs: ReportInputs) -> None:
    draw = (
        mask_plots.pt_figure,
        mask_plots.eta_figure,
        mask_plots.background_figure,
        mask_plots.event_figure,
    )
    data = json.loads(json.dumps(masks_json()))
    data["event"] = None
    for row in data["witnesses"]:
        row["bins"] = {}
    for one in (report, build_report(streamed(inputs, data))):
        assert [figure(one) for figure in draw] == [None] * 4
    assert plots.roc_figure(build_report(streamed(inputs))) is None
