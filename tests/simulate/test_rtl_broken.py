"""Cosimulation of designs that are broken: each is caught, and none passes in silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.simulate import tiny
from tests.simulate.test_rtl import LANGUAGE, run_tiny
from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.errors import ToolFailedError
from trigger_ml.simulate.rtl import simulator
from trigger_ml.simulate.simulators import Step
from trigger_ml.toolrun import Command

FLIPPED = {
    "icarus": ("a[3:1], b, sum}", "a[3:1], b, sum ^ 6'd1}"),
    "ghdl": ("first(6 downto 4) & sum;", "not first(6 downto 4) & sum;"),
}

REGISTER_REMOVED = (
    "model_out <= second;\n    end",
    "end always @(*) begin model_out = second; end",
)


@pytest.mark.parametrize("name", ["icarus", "ghdl"])
def test_a_flipped_bit_is_in_the_codes(name: str, tmp_path: Path) -> None:
    project = tiny.project(tmp_path / "rtl", LANGUAGE[name], FLIPPED[name])
    codes = tiny.events(50)
    expected = tiny.answers(codes)
    found = run_tiny(project, codes, tmp_path / "work", simulator(name), expected)
    assert (found.run.codes != expected).any(axis=1).all()
    log = (tmp_path / "work" / "simulation.log").read_text()
    assert "50 of 50 events differ; the first is event 0, element " in log
    assert "FAIL=1" in log


def test_a_removed_register_is_a_mismatch(tmp_path: Path) -> None:
    """Data one clock ahead of valid are another event's."""
    project = tiny.project(tmp_path / "rtl", replace=REGISTER_REMOVED)
    codes = tiny.events(50)
    expected = tiny.answers(codes)
    found = run_tiny(project, codes, tmp_path / "work", simulator("icarus"), expected)
    np.testing.assert_array_equal(found.run.codes[:-1], expected[1:])
    assert not np.array_equal(found.run.codes, expected)
    with pytest.raises(ToolFailedError, match="first event, driven again at the end, gave another"):
        run_tiny(project, codes, tmp_path / "work", simulator("icarus"), None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            (".LATENCY(3)", ".LATENCY(4)"),
            "the RTL cannot be measured: the first event, driven again at the end, gave another",
        ),
        (
            ("assign out_valid = valid[LATENCY-1];", "assign out_valid = 1'b0;"),
            "the RTL cannot be measured: no out_valid within 70 clocks of the first event",
        ),
        (
            ("assign out_valid = valid[LATENCY-1];", ""),
            "the RTL cannot be measured: out_valid is Z at clock 0 after reset",
        ),
        (
            ("assign out_valid = valid[LATENCY-1];", "assign out_valid = 1'b1;"),
            "the RTL cannot be measured: 51 events went in and 53 came out (out_valid counted)",
        ),
        (
            ("assign next = {valid[LATENCY-2:0], in_valid};", "assign next = {valid, 1'bx};"),
            "the RTL cannot be measured: out_valid is X at clock 3 after reset",
        ),
        (
            ("model_out <= second;", "model_out <= {second[14:1], 1'bx};"),
            "the RTL cannot be measured: out_data is not resolvable although out_valid is high: "
            "event 0, element 0 is ",
        ),
        (
            ("if (rst)", "if (1'b0)"),
            "the RTL cannot be measured: with gaps and resets: out_valid without an event, after ",
        ),
        (
            ("        .in_valid(in_valid),", "        .in_valid(1'b1),"),
            "the RTL cannot be measured: 51 events went in and ",
        ),
        (
            ("if (rst) begin", "if (rst | in_valid & (in_data[3:1] == 3'd5)) begin"),
            "could not compile the Verilog with Icarus: iverilog ended with status ",
        ),
    ],
)
def test_a_broken_protocol(change: tuple[str, str], message: str, tmp_path: Path) -> None:
    project = tiny.project(tmp_path / "rtl", replace=change)
    with pytest.raises(ToolFailedError) as caught:
        run_tiny(project, tiny.events(50), tmp_path / "work", simulator("icarus"))
    assert str(caught.value).startswith(message)


def test_results_that_depend_on_gaps_are_caught(tmp_path: Path) -> None:
    """A core that keeps state over idle clocks is right at full rate only."""
    change = ("second <= {first", "second <= {15{first == last}} ^ {first")
    text = tiny.VERILOG.replace(
        "reg [9:0] first;", "reg [9:0] first, last;\n    always @(posedge clk) last <= first;"
    ).replace(*change)
    project = tiny.project(tmp_path / "rtl")
    project.sources[0].write_text(text)
    codes = np.array([[2 * k, k % 7, 0, 1] for k in range(8)] * 8, dtype=np.int64)
    for event in range(1, len(codes)):
        assert (codes[event] != codes[event - 1]).any()
    expected = tiny.answers(codes)
    with pytest.raises(ToolFailedError, match="does not stand idle clocks or resets: "):
        run_tiny(project, codes, tmp_path / "work", simulator("icarus"), expected)


class Fake:
    """A simulator that does as it is told: it writes a file, or nothing."""

    name = "fake"
    hdls = frozenset({Hdl.VERILOG})

    def __init__(self, script: str) -> None:
        self._script = script

    def version(self) -> str:
        return "1"

    def build(self, project: RtlProject, folder: Path) -> Iterator[Step]:
        yield Step((), {"nothing.txt": ""})

    def simulate(self, project: RtlProject, folder: Path) -> Command:
        return Command(("sh", "-c", self._script), folder, "simulate")


WRITE = """exec python3 -c 'import json, os
import numpy as np
np.savez(os.environ["TRIGGER_ML_RESULTS"], report=np.array(json.dumps({report})), codes={codes})'
"""
REPORT = (
    '{"events": 2, "latency_cycles": 3, "ii_cycles": 1, "seconds": 1.0, "full_rate": None, '
    '"gaps_and_resets": None, "stress_events": 2}'
)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo all is well", "the testbench left no results (FileNotFoundError); the last lines"),
        ("echo rubbish > $TRIGGER_ML_RESULTS", "the testbench left no results (ValueError)"),
        (": > $TRIGGER_ML_RESULTS", "the testbench left no results (EOFError)"),
        (
            "echo bad; exit 3",
            "could not simulate: sh ended with status 3; its last lines:\n    bad",
        ),
        (
            WRITE.format(report=REPORT, codes="np.zeros((1, 4), int)"),
            "the testbench gave codes of shape (1, 4) for 2 events of 4 outputs",
        ),
        (
            WRITE.format(report=REPORT, codes="np.ones((2, 4), int)"),
            "the testbench and its results disagree: it says 'no difference', its codes are "
            "different from the expected ones",
        ),
        (
            WRITE.format(
                report=REPORT.replace('"stress_events": 2', '"stress_events": 0'),
                codes="np.zeros((2, 4), int)",
            ),
            "the pass with gaps and resets ended after 0 events",
        ),
    ],
)
def test_a_testbench_that_lies(script: str, message: str, tmp_path: Path) -> None:
    project = tiny.project(tmp_path / "rtl")
    zeros = np.zeros((2, 4), dtype=np.int64)
    with pytest.raises(ToolFailedError) as caught:
        run_tiny(project, zeros, tmp_path / "work", Fake(script), zeros)
    assert str(caught.value).startswith(message)
