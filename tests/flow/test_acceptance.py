"""The committed models and the other hls4ml backends, end to end. Slow."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from tests.flow.conftest import TINY, quick
from trigger_ml.config import load_config
from trigger_ml.pipeline import Request, compile_model

MODELS = Path(__file__).parents[2] / "models"
JETS, MUONS, EDGES = (MODELS / name for name in ("jet_tagger", "muon_segmenter", "edge_classifier"))

pytestmark = pytest.mark.slow


def test_the_jet_tagger_meets_its_bars(tmp_path: Path) -> None:
    config = load_config(JETS / "compile.yaml")
    request = Request(JETS / "model.h5", config, JETS / "events.npz", tmp_path / "jets")
    report = compile_model(request).report
    assert report.passed, report.failures
    pairs = {pair.name: pair for pair in report.fidelity.pairs}
    assert all(pair.mismatches == 0 for pair in pairs.values())
    for name in ("graph~source", "csim~graph", "alkaid~graph"):
        assert (pairs[name].events or 0) >= 100_000
    assert (pairs["rtl~graph"].events or 0) >= 10_000
    assert (report.latency.ns or 1e9) < 60
    assert report.latency.ii_cycles == 1
    assert report.model.nonzero <= 0.25 * report.model.parameters
    assert report.pipeline.margin_kept
    assert (report.timing_s["total"] or 1e9) < 300


def test_the_muon_segmenter_meets_its_bars(tmp_path: Path) -> None:
    config = load_config(MUONS / "compile.yaml")
    request = Request(MUONS / "model.h5", config, MUONS / "events.npz", tmp_path / "muons")
    report = compile_model(request).report
    assert report.passed, report.failures
    assert report.fidelity.exact
    pairs = {pair.name: pair for pair in report.fidelity.pairs}
    assert (pairs["rtl~graph"].events or 0) >= 1_000
    assert (pairs["csim~graph"].events or 0) >= 200
    assert (report.latency.ns or 1e9) < 100
    assert report.latency.ii_ns == pytest.approx(25.0)
    assert report.pipeline.margin_kept
    assert report.resources.yosys is not None
    assert report.resources.yosys.dsp == 0
    assert report.resources.yosys.bram36 == 0
    assert (report.resources.device_share["lut"] or 1) < 0.10
    assert (report.timing_s["total"] or 1e9) < 300
    # Twice the strips take twice the columns a clock, and not more than 20 % more time.
    wide = replace(
        request,
        model=wider(MUONS / "model.h5", 768, tmp_path / "wide.h5"),
        config=load_config(MUONS / "compile.yaml", {"budget.lut_share": 0.25}),
        data=None,
        output=tmp_path / "wide",
    )
    narrow = replace(request, data=None, output=tmp_path / "narrow")
    times = [compile_model(item).report.timing_s["total"] or 0.0 for item in (narrow, wide)]
    assert times[1] <= 1.2 * times[0]


def test_the_edge_classifier_meets_its_bars(tmp_path: Path) -> None:
    """A sector of 30 hits and 81 edge slots: more than the 28 and 56 that are asked for."""
    config = load_config(EDGES / "compile.yaml")
    request = Request(EDGES / "model.h5", config, EDGES / "events.npz", tmp_path / "edges")
    report = compile_model(request).report
    assert report.passed, report.failures
    assert report.fidelity.exact
    pairs = {pair.name: pair for pair in report.fidelity.pairs}
    assert (pairs["rtl~graph"].events or 0) >= 1_000
    assert (report.latency.ns or 1e9) < 150
    assert (report.latency.ii_ns or 1e9) <= 25
    assert report.pipeline.margin_kept
    assert report.resources.yosys is not None
    assert report.resources.yosys.dsp == 0
    assert (report.resources.device_share["lut"] or 1) < 0.15
    check_edge_physics(EDGES, "small")


def test_a_strip_of_the_accurate_classifier_meets_its_bars(tmp_path: Path) -> None:
    """540 hits and 4,374 edge slots, 54 of them every clock."""
    folder = EDGES.with_name("edge_classifier_accurate")
    config = load_config(folder / "compile_large.yaml")
    data, output = folder / "events_large.npz", tmp_path / "strip"
    report = compile_model(Request(folder / "model_large.h5", config, data, output)).report
    assert report.passed, report.failures
    assert report.fidelity.exact
    assert (report.latency.ns or 1e9) < 1000
    assert (report.resources.device_share["lut"] or 2) < 1
    check_edge_physics(folder, "large")


def check_edge_physics(folder: Path, sector: str) -> None:
    """The float network reaches 99, 98 and 99 %; the quantized one is within a point of it."""
    metrics = json.loads((folder / "metrics.json").read_text())
    figures = ("purity", "efficiency", "accuracy")
    best = metrics["sectors"]["large"]["networks"]["float"]["half"]
    for name, bar in zip(figures, (0.99, 0.98, 0.99), strict=True):
        assert best[name]["value"] >= bar
    found = metrics["sectors"][sector]["networks"]
    for name in figures:
        change = found["quantized"]["half"][name]["value"] - found["float"]["half"][name]["value"]
        assert change > -0.01
    size = metrics["sectors"][sector]
    assert size["dense_bit_operations"] >= 10 * size["bit_operations"]


def wider(model: Path, width: int, to: Path) -> Path:
    """The same weights over an image of another width."""
    shutil.copyfile(model, to)
    with h5py.File(to, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        first = config["config"]["layers"][0]["config"]
        first["batch_input_shape"][2] = width
        file.attrs["model_config"] = json.dumps(config)
    return to


# The points of models/jet_frontier: most LUTs, most loss in points of accuracy.
BARS = {"best": (6500, 0.3), "knee": (1600, 1.0), "tiny": (500, 4.0)}
LONGEST_NS = 30.0


@pytest.mark.parametrize("name", BARS)
def test_the_frontier_meets_its_bars(tmp_path: Path, name: str) -> None:
    folder = JETS.with_name("jet_frontier")
    config = load_config(JETS / "compile.yaml")
    request = Request(folder / f"{name}.keras", config, JETS / "events.npz", tmp_path / name)
    report = compile_model(request).report
    assert report.passed, report.failures
    lut, loss = BARS[name]
    assert report.resources.cost_model is not None
    assert report.resources.yosys is not None
    for counted in (report.resources.cost_model, report.resources.yosys):
        assert (counted.lut or 1e9) <= lut
        assert counted.dsp == 0
    assert (report.latency.ns or 1e9) <= LONGEST_NS
    assert report.pipeline.margin_kept
    assert report.latency.ii_cycles == 1
    stated = json.loads((folder / "front.json").read_text())["points"]
    point = next(item for item in stated if item["model"] == f"{name}.keras")
    assert point["lut"] == pytest.approx(report.resources.cost_model.lut, abs=0.01)
    assert point["latency_cycles"] == report.latency.cycles
    assert 100 * (point["reference"] - point["metric"]) <= loss


def test_the_constituent_tagger_meets_its_bars(tmp_path: Path) -> None:
    folder = JETS.with_name("constituent_tagger")
    config = load_config(None, {"budget.latency_ns": 60.0})
    request = Request(folder / "model.keras", config, folder / "events.npz", tmp_path / "set")
    report = compile_model(request).report
    assert report.passed, report.failures
    assert report.resources.cost_model is not None
    assert (report.resources.cost_model.lut or 1e9) <= 44_000
    assert report.latency.ii_cycles == 1
    change = json.loads((folder / "metrics.json").read_text())
    assert change["change"]["accuracy"]["low"] > -0.01


@pytest.mark.parametrize("backend", ["Vivado", "VivadoAccelerator", "Quartus", "Catapult"])
def test_other_backends_are_exact_too(tmp_path: Path, backend: str) -> None:
    config = quick(**{"firmware.backend": backend})
    report = compile_model(Request(TINY, config, output=tmp_path / "tiny")).report
    assert report.passed, report.failures
