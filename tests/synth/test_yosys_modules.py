"""Cutting the stages out of a design's text."""

from __future__ import annotations

from pathlib import Path

import pytest

from trigger_ml.synth.yosys_modules import STAGE, renamed, split_stages

ADDER = """`timescale 1 ns / 1 ps
module adder #(parameter W = 4) (input [W-1:0] a, output [W-1:0] y);
    assign y = a + 1;
endmodule
"""
UNUSED = "module unused (input a, output y); assign y = a; endmodule\n"
FIRST = """module net_stage0 (input [3:0] x, output [3:0] y);
    wire [3:0] v; adder #(.W(4)) op_0 (x, v); assign y = v;
endmodule
"""
SECOND = FIRST.replace("net_stage0", "net_stage1")
CORE = """module net_core (input clk, input [3:0] x, output reg [3:0] y);
    wire [3:0] a, b;
    net_stage1 late (b, a);
    net_stage0 early (.x(x), .y(b));
    always @(posedge clk) y <= a;
endmodule
"""
TOP = """module net (input clk, input [3:0] x, output [3:0] y);
    net_core c (clk, x, y);
endmodule
"""
SOURCES = {
    Path("adder.v"): ADDER,
    Path("unused.v"): UNUSED,
    Path("stages.v"): FIRST + "\n" + SECOND,
    Path("core.v"): CORE,
    Path("net.v"): TOP,
}


def test_stages_stand_in_the_order_of_their_instances_with_what_they_need() -> None:
    found = split_stages("net", "net_core", SOURCES)
    assert [stage.name for stage in found.stages] == ["net_stage1", "net_stage0"]
    text = found.stages[0].text
    assert text == found.stages[1].text
    assert text.startswith("module adder")
    assert f"module {STAGE} (" in text
    assert "unused" not in text
    assert "net_stage" not in text


def test_the_rest_holds_what_the_top_needs_and_no_stage() -> None:
    rest = split_stages("net", "net_core", SOURCES).rest
    assert list(rest) == list(SOURCES)
    assert rest[Path("core.v")] == CORE
    assert rest[Path("net.v")] == TOP
    assert "module" not in rest[Path("stages.v")] + rest[Path("unused.v")]
    assert rest[Path("adder.v")] == "`timescale 1 ns / 1 ps\n\n"


def test_what_the_top_shares_with_a_stage_stays() -> None:
    shared = {**SOURCES, Path("net.v"): TOP.replace("net_core c", "adder extra (x, );\nnet_core c")}
    assert "module adder" in split_stages("net", "net_core", shared).rest[Path("adder.v")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("adder.v", "`define W 4\n" + ADDER),
        ("stages.v", "(* keep_hierarchy *)\n" + FIRST + SECOND),
        ("stages.v", FIRST + FIRST + SECOND),
        ("stages.v", FIRST + SECOND.replace("adder #(.W(4)) op_0", "net_stage0 inner")),
        ("stages.sv", FIRST + SECOND),
        ("core.v", CORE.replace("net_core", "other_core")),
    ],
    ids=["macro", "attribute", "twice", "stage in a stage", "SystemVerilog", "no core"],
)
def test_a_design_that_cutting_could_change_is_left_whole(name: str, text: str) -> None:
    sources = {path: old for path, old in SOURCES.items() if path.stem != Path(name).stem}
    sources[Path(name)] = text
    found = split_stages("net", "net_core", sources)
    assert found.stages == ()
    assert found.rest == sources


def test_modules_are_renamed_and_nets_of_the_same_name_are_not() -> None:
    text = """// net: written for net
module net (input x, output core);
    wire net; assign net = x; core #(.W(1)) net (.net(net), .core(core));
    core one (
        .net(net), .core(core));  // synthesis keeps core
endmodule
"""
    assert (
        renamed(text, {"net": "A", "core": "B"})
        == """
module A (input x, output core);
    wire net; assign net = x; B #(.W(1)) net (.net(net), .core(core));
    B one (
        .net(net), .core(core));  // synthesis keeps core
endmodule
"""
    )
