"""The calibration that ships: fit and statistics by hand, and the committed table against both."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.calibration import study
from benchmarks.calibration_networks import NETWORKS, held_out
from benchmarks.calibration_tables import BEGIN, DOCUMENT, END, PLOT, _plot, calibrate, document
from trigger_ml.synth.calibration import (
    FILE,
    VENDOR_LUT,
    Accuracy,
    band,
    load_calibration,
    lut_of,
    predicted,
)
from trigger_ml.synth.calibration_fit import fit_coefficients, judge
from trigger_ml.synth.operation_counts import KINDS, Counts

TABLE = Path(__file__).parents[2] / "benchmarks" / "calibration.json"


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def test_a_fit_finds_what_made_the_numbers() -> None:
    rows = [{"add": 8.0}, {"add": 4.0, "relu": 6.0}, {"relu": 5.0}, {"add": 1.0, "relu": 1.0}]
    luts = [2 * row.get("add", 0) + 0.5 * row.get("relu", 0) for row in rows]
    assert fit_coefficients(rows, luts, ("add", "relu", "gate")) == {
        "add": 2.0,
        "relu": 0.5,
        "gate": 0.0,
    }


def test_no_coefficient_is_negative() -> None:
    rows = [{"add": 10.0}, {"add": 10.0, "relu": 5.0}]
    assert fit_coefficients(rows, [20.0, 10.0], ("add", "relu"))["relu"] == 0.0


def test_judgement_by_hand() -> None:
    found = judge([110.0, 180.0, 300.0], [100.0, 200.0, 300.0])
    assert found.networks == 3
    assert found.mape == pytest.approx((0.1 + 0.1 + 0) / 3)
    assert found.r2 == pytest.approx(1 - (10**2 + 20**2) / (100**2 + 0 + 100**2))
    assert (found.least, found.most) == pytest.approx((0.9, 1.1))
    assert (found.low, found.high) == pytest.approx((1 / 1.1, 1 / 0.9))
    assert found.around(1000.0) == pytest.approx(
        {"value": 1000.0, "low": 1000 / 1.1, "high": 1000 / 0.9}
    )


def test_the_band_covers_95_of_100() -> None:
    """Of 80 networks the worst on each side is outside: four in all may be."""
    truth = [100.0] * 80
    guess = [100.0] * 76 + [150.0, 120.0, 80.0, 50.0]
    found = judge(guess, truth)
    inside = [found.low <= t / g <= found.high for t, g in zip(truth, guess, strict=True)]
    assert sum(inside) / len(inside) >= 0.95
    assert (found.low, found.high) == pytest.approx((100 / 120, 100 / 80))


def test_a_prediction_adds_up() -> None:
    counts = Counts({"add": 10.0, "relu": 4.0, "unknown": 7.0}, carry4=6, dsp=2)
    assert lut_of(counts, 3.0, {"add": 1.5, "relu": 0.5}) == 3 + 15 + 2
    known = load_calibration()
    found = predicted(counts, 3.0, 50.0)
    yosys = found["yosys"]
    expected = 3 + 10 * known.lut["add"] + 4 * known.lut["relu"]
    assert yosys["lut"]["value"] == pytest.approx(expected)
    assert yosys["lut"]["low"] == pytest.approx(expected * known.accuracy["lut"].low)
    assert yosys["ff"]["value"] == 50.0
    assert yosys["carry8"]["value"] == 3.0
    assert yosys["dsp"] == 2
    assert found["networks"] == known.networks["held_out"]
    assert (DOCUMENT.parents[1] / found["study"]).is_file()


def test_the_band_of_the_cost_model() -> None:
    """0.88 to 1.03 of what Vivado routed, so routed is between cost / 1.03 and cost / 0.88."""
    found = band(1030.0, 1000.0)
    assert found["lut"] == pytest.approx([1000.0, 1030 / 0.88])
    assert VENDOR_LUT[0] < 1 < VENDOR_LUT[1]
    flops = load_calibration().accuracy["ff"]
    assert found["ff"] == [1000 * flops.low, 1000 * flops.high]


def test_the_committed_table_gives_what_ships(table: dict[str, Any]) -> None:
    found, shipped = calibrate(table), load_calibration()
    assert found.lut == shipped.lut
    assert found.networks == shipped.networks
    assert (found.date, found.versions) == (shipped.date, shipped.versions)
    for name, accuracy in found.accuracy.items():
        assert asdict(accuracy) == pytest.approx(asdict(shipped.accuracy[name]), abs=1e-4)
    assert set(yaml.safe_load(FILE.read_text())) == {
        "date",
        "versions",
        "networks",
        "lut",
        "accuracy",
    }
    assert all(isinstance(item, Accuracy) for item in shipped.accuracy.values())


def test_the_documentation_shows_the_committed_table(table: dict[str, Any]) -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    shown = page.split(BEGIN)[1].split(END)[0].strip()
    found = calibrate(table)
    assert shown == document(table, found).strip()
    assert PLOT.name in page
    plot = _plot(table["networks"], found)
    assert plot.count("<use") == PLOT.read_text(encoding="utf-8").count("<use")


def test_bars_on_held_out_networks(table: dict[str, Any]) -> None:
    found = calibrate(table)
    items = table["networks"]
    assert len(items) >= 60
    assert found.accuracy["lut"].mape < 0.08
    assert found.accuracy["ff"].mape < 0.08
    assert found.accuracy["lut"].r2 > 0.95
    assert found.networks["held_out"] >= 30
    for item in items:
        assert item["held_out"] == held_out(item["name"])
        cycles = item["cycles"]
        assert cycles["predicted"] == cycles["rtl"]
        assert cycles["simulated"] in (None, cycles["rtl"])
    assert sum(item["cycles"]["simulated"] is not None for item in items) >= 5


def test_the_table_is_of_these_networks(table: dict[str, Any]) -> None:
    names = [network.name for network in NETWORKS]
    assert [item["name"] for item in table["networks"]] == names
    assert len(set(names)) == len(names)
    families = {network.family for network in NETWORKS}
    assert families == {"dense", "convolution", "stream", "edges", "merge", "table", "model"}


def test_one_network_again(table: dict[str, Any], tmp_path: Path) -> None:
    """Traced, estimated and counted by yosys again: the figures of the table, and reused after."""
    name = "dense_64x16x4_w3a3_z80"
    network = next(item for item in NETWORKS if item.name == name)
    committed = next(item for item in table["networks"] if item["name"] == name)
    for _ in range(2):
        found = study(network, tmp_path)
        for key in ("cost_model", "counts", "fixed_lut", "carry4", "cycles", "rough"):
            assert found[key] == committed[key], key
        assert found["yosys"] == pytest.approx(committed["yosys"], rel=0.02)
    kept = json.loads((tmp_path / f"{name}.yosys.json").read_text())
    assert kept["total"] == found["yosys"]
    assert set(KINDS) >= set(found["counts"])
