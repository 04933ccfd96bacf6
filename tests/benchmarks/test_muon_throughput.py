"""What benchmarks/muon_throughput.py makes of rates, without a build or Keras."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from trigger_ml.artifacts import Segment, Vectors
from trigger_ml.errors import DataError

ROOT = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT))
    yield importlib.import_module("muon_throughput")
    sys.path.remove(str(ROOT))


def report(cycles: int | None = 40, interval: int | None = 9) -> SimpleNamespace:
    """As much of a report as is read."""
    return SimpleNamespace(
        model=SimpleNamespace(file="m.h5", sha256="0"),
        latency=SimpleNamespace(cycles=cycles, ii_cycles=interval, measured_by="verilator"),
        target=SimpleNamespace(clock_mhz=360.0),
        pipeline=SimpleNamespace(timing="estimate"),
        versions={"hls4ml": "1"},
    )


def test_batches_double_up_to_the_largest(benchmark: ModuleType) -> None:
    assert benchmark.batch_sizes(1) == [1]
    assert benchmark.batch_sizes(2048) == [2**k for k in range(12)]
    assert benchmark.batch_sizes(100)[-1] == 64


def test_firmware_comes_to_the_interval_from_the_latency(benchmark: ModuleType) -> None:
    firmware = benchmark.read_firmware(report())
    assert firmware.sustained == pytest.approx(40e6)
    assert firmware.rate(1) == pytest.approx(360e6 / 40)
    assert firmware.rate(2) == pytest.approx(2 * 360e6 / 49)
    assert firmware.rate(1) < firmware.rate(2048) < firmware.sustained
    assert firmware.rate(100_000) == pytest.approx(40e6, rel=1e-3)


@pytest.mark.parametrize("missing", [{"cycles": None}, {"interval": None}, {"interval": 0}])
def test_nothing_measured_is_an_error(benchmark: ModuleType, missing: dict[str, int]) -> None:
    with pytest.raises(DataError, match="no measured latency"):
        benchmark.read_firmware(report(**missing))


def test_rates_are_medians_and_stop_in_time(benchmark: ModuleType) -> None:
    asked: list[int] = []

    def run(batch: int) -> None:
        asked.append(batch)
        time.sleep(0.02 * batch)

    found = benchmark.measure_rates(run, [1, 2, 4, 8, 1024, 2048], 1.5)
    assert list(found) == [1, 2, 4, 8][: len(found)]
    assert all(10 < rate <= 50 for rate in found.values())
    assert 1024 not in asked
    # Once to warm up, and then for half a second.
    assert asked.count(1) > 5


def test_the_first_batch_is_measured_however_slow(benchmark: ModuleType) -> None:
    found = benchmark.measure_rates(lambda batch: time.sleep(0.05), [1, 2], 0.01)
    assert list(found) == [1]


def test_ratios_are_against_the_faster_keras_at_the_same_batch(benchmark: ModuleType) -> None:
    series = {
        benchmark.PREDICT: {1: 10.0, 2: 30.0},
        benchmark.TRACED: {1: 20.0, 2: 25.0, 4: 40.0},
        benchmark.FIRMWARE: {1: 200.0, 2: 600.0, 4: 800.0, 8: 900.0},
    }
    found = benchmark.ratios(series)
    assert found[benchmark.PREDICT] == {1: 0.5, 2: 1.0}
    assert found[benchmark.FIRMWARE] == {1: 10.0, 2: 20.0, 4: 20.0}


def test_images_are_the_events_over_and_over(benchmark: ModuleType) -> None:
    codes = np.arange(8).reshape(4, 2)
    segments = (Segment("corner:min", 0, 1), Segment("events", 1, 3), Segment("random", 3, 4))
    stored = SimpleNamespace(vectors=Vectors(codes, segments, 1))
    assert benchmark.images(stored, 5)[:, 0].tolist() == [2, 4, 2, 4, 2]
    stored = SimpleNamespace(vectors=Vectors(codes, segments[:1], 1))
    assert benchmark.images(stored, 5)[:, 0].tolist() == [0, 2, 4, 6, 0]


def test_table_and_figure_say_what_was_left_out(benchmark: ModuleType) -> None:
    firmware = benchmark.read_firmware(report())
    series = {
        benchmark.PREDICT: {1: 10.0, 2: 30.0},
        benchmark.TRACED: {1: 20.0, 2: 25.0},
        benchmark.CSIM: {1: 5.0},
        benchmark.FIRMWARE: {batch: firmware.rate(batch) for batch in (1, 2)},
    }
    found = benchmark.record(report(), firmware, series, {"tensorflow": "2"}, {"total": 1.0})
    assert found["best_to_best_keras"][benchmark.FIRMWARE] == pytest.approx(40e6 / 30)
    assert found["best_to_best_keras"][benchmark.TRACED] == pytest.approx(25 / 30)
    rows = benchmark.table(found).splitlines()
    assert "| 1 | 10 (0.5) | 20 (1) | 5 (0.25) | 9,000,000 (450,000) |" in rows
    assert next(row for row in rows if row.startswith("| 2 |")).split("|")[4] == " – "
    assert any("40.00 million images per second: one every 9 clocks" in row for row in rows)
    assert any("no vendor tool has closed timing" in row for row in rows)
    drawn = benchmark.figure(found)
    axes = drawn.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == list(series)
