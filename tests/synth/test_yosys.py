from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from trigger_ml.artifacts import Hdl, Resources, RtlProject
from trigger_ml.errors import ConfigError, ToolFailedError, ToolMissingError
from trigger_ml.synth import yosys, yosys_engine, yosys_script
from trigger_ml.synth.yosys import Plan, plan, read_result, split_project, synthesize
from trigger_ml.synth.yosys_engine import Engine, find_engine, run_commands
from trigger_ml.synth.yosys_paths import Longest
from trigger_ml.synth.yosys_stages import Mapped

DATA = Path(__file__).parent / "data"
NOTHING = Mapped("", {}, Longest(0, 0, 0.0))

ONE_OF_EACH = """
module top (
    input clk, rst,
    input [3:0] d, input [5:0] f, input [1:0] s, input signed [15:0] a, b,
    output reg [3:0] q, output y, output [1:0] late, output signed [16:0] sum
);
    always @(posedge clk) q <= rst ? 4'd0 : d;  // 4 FDRE
    assign y = ^f;  // 1 LUT6
    reg [7:0] line0, line1;  // 2 SRL16E
    always @(posedge clk) begin
        line0 <= {line0[6:0], s[0]};
        line1 <= {line1[6:0], s[1]};
    end
    assign late = {line1[7], line0[7]};
    assign sum = a + b;  // 17 bits of carry: 5 CARRY4, 16 LUT2
endmodule
"""

MULTIPLIER = """
module top (input clk, input signed [17:0] a, b, output reg signed [35:0] p);
    always @(posedge clk) p <= a * b;
endmodule
"""

RAM = """
module top (
    input clk, we, input [9:0] waddr, raddr, input [35:0] wdata, output reg [35:0] rdata
);
    reg [35:0] memory [0:1023];
    always @(posedge clk) begin
        if (we) memory[waddr] <= wdata;
        rdata <= memory[raddr];
    end
endmodule
"""

TWICE = """
module stage (input [7:0] x, output [7:0] y);
    assign y = x + {x[2:0], x[7:3]};
endmodule
module core (input clk, input [7:0] x, output reg [7:0] y);
    wire [7:0] a, b;
    reg [7:0] r;
    stage one (x, a);
    stage two (r, b);
    always @(posedge clk) begin
        r <= a;
        y <= b;
    end
endmodule
module top (input clk, rst, in_valid, input [7:0] in_data, output out_valid, output [7:0] out_data);
    reg [1:0] valid;
    always @(posedge clk) valid <= rst ? 2'd0 : {valid[0], in_valid};
    assign out_valid = valid[1];
    core pipeline (clk, in_data, out_data);
endmodule
"""


def project(folder: Path, text: str, name: str = "top.v", hdl: Hdl = Hdl.VERILOG) -> RtlProject:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / name
    source.write_text(text, encoding="utf-8")
    return RtlProject(folder, hdl, "top", "core", (source,), 2, 8, 8, 360.0)


def engines() -> list[Engine]:
    found = [find_engine()]
    debian = shutil.which("yosys")
    if debian and found[0].name != "yosys":
        found.append(Engine("yosys", (debian, "-Q", "-T", "-s")))
    return found


@pytest.mark.parametrize("engine", engines(), ids=lambda engine: engine.name)
def test_each_cell_is_counted_once(tmp_path: Path, engine: Engine) -> None:
    found = synthesize(project(tmp_path, ONE_OF_EACH), work=tmp_path / "work", engine=engine)
    assert found.details["cells"] == {
        **{"CARRY4": 5, "FDRE": 4, "LUT2": 16, "LUT6": 1, "SRL16E": 2}
    }
    assert found.total == Resources(lut=19, ff=4, dsp=0, bram36=0, carry8=2.5)
    assert found.details["lut_logic"] == 17
    assert found.details["lut_shift_register"] == 2
    assert found.details["unknown_cells"] == {}
    assert found.details["engine"] == engine.name
    assert found.origin == "yosys"
    assert found.version[0].isdigit()
    assert found.seconds > 0
    json.dumps(found.details)


def test_a_multiplier_is_a_dsp(tmp_path: Path) -> None:
    found = synthesize(project(tmp_path, MULTIPLIER), work=tmp_path / "work")
    # yosys leaves p outside the DSP, in synth_xilinx -family xcup too.
    assert found.total == Resources(lut=0, ff=36, dsp=1, bram36=0, carry8=0)


def test_a_multiplier_in_a_stage_is_a_dsp(tmp_path: Path) -> None:
    """Only the stage needs that cell, and the design around it has to know it too."""
    product = "wire signed [15:0] p = $signed(x) * $signed({x[2:0], x[7:3]});"
    text = TWICE.replace("assign y = x + {x[2:0], x[7:3]}", f"{product} assign y = p[15:8]")
    found = synthesize(project(tmp_path, text), work=tmp_path / "work")
    assert found.details["by_module"]["stage"]["dsp"] == 1
    assert found.total.dsp == 2


@pytest.mark.slow
def test_a_memory_is_a_block_ram(tmp_path: Path) -> None:
    found = synthesize(project(tmp_path, RAM), work=tmp_path / "work")
    assert found.total == Resources(lut=0, ff=0, dsp=0, bram36=1, carry8=0)


def test_odd_paths_and_stages(tmp_path: Path) -> None:
    folder = tmp_path / "größe 2 (µ)"
    seen: list[tuple[int, int]] = []
    found = synthesize(
        project(folder, TWICE, "jet täg.v"),
        work=folder / "my work",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert found.total.ff == 18
    stage = found.details["by_module"]
    assert list(stage) == ["stage"]
    assert found.total.lut == 2 * stage["stage"]["lut"]
    assert found.total.carry8 == 2 * stage["stage"]["carry8"]
    assert stage["stage"]["ff"] is None
    assert seen == [(0, 1), (1, 1)]


def test_rtl_that_does_not_elaborate_is_an_error_with_yosys_own_words(tmp_path: Path) -> None:
    text = "module top (input a, output b); nowhere x (a, b); endmodule\n"
    with pytest.raises(ToolFailedError, match="nowhere") as caught:
        synthesize(project(tmp_path, text), work=tmp_path / "work")
    assert "could not count resources by open synthesis" in str(caught.value)
    assert str(tmp_path / "work" / "yosys.log") in str(caught.value)


def test_vhdl_and_nothing_are_refused(tmp_path: Path) -> None:
    vhdl = project(tmp_path, "entity top is end;", "top.vhd", Hdl.VHDL)
    empty = RtlProject(tmp_path, Hdl.VERILOG, "top", "core", (), 1, 1, 1, 360.0)
    for wrong in (vhdl, empty):
        with pytest.raises(ConfigError, match="yosys reads Verilog; this project has"):
            synthesize(wrong, work=tmp_path / "work")
    assert not (tmp_path / "work").exists()


def stub(body: str) -> Engine:
    return Engine("stub", (sys.executable, "-c", body))


def test_a_run_that_leaves_no_report_fails_even_where_an_old_one_lies(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(DATA / "counts_0.70.json", work / yosys_script.COUNTS)
    with pytest.raises(ToolFailedError, match=r"left no counts\.json"):
        synthesize(
            project(tmp_path, TWICE), work=work, engine=stub("pass"), mapped={"stage": NOTHING}
        )


def test_a_stage_without_a_netlist_fails(tmp_path: Path) -> None:
    with pytest.raises(ToolFailedError, match="left no netlist of stage_"):
        synthesize(project(tmp_path, TWICE), work=tmp_path / "work", engine=stub("pass"))


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ("", "not what yosys stat -json writes"),
        ("[]", "not what yosys stat -json writes"),
        ('{"creator": "Yosys 0.70"}', "not what yosys stat -json writes"),
        ('{"creator": "Yosys 0.70", "modules": {}}', "found no cell in top"),
        (
            '{"creator": "Yosys 0.70", "modules": {"\\\\top": {"num_cells_by_type": {}}}}',
            "found no cell in top",
        ),
        (
            '{"creator": "Yosys 0.70", "modules": {"\\\\other": {"num_cells_by_type": '
            '{"LUT2": 1}}}}',
            "found no cell in top; modules in .*: other",
        ),
        (
            '{"creator": "Yosys 0.70", "modules": {"\\\\top": {"num_cells_by_type": '
            '{"LUT2": 1, "$add": 2}}}}',
            r"did not map: \$add",
        ),
    ],
)
def test_a_report_without_counts_fails(tmp_path: Path, counts: str, words: str) -> None:
    (tmp_path / yosys_script.COUNTS).write_text(counts.replace("\\top", f"\\{yosys.TOP}"))
    with pytest.raises(ToolFailedError, match=words):
        read_result(tmp_path, project(tmp_path, TWICE), [])


def test_a_black_box_is_listed(tmp_path: Path) -> None:
    text = "module top (input a, output b); somewhere_else x (a, b); endmodule\n"
    box = "(* blackbox *)\nmodule somewhere_else (input a, output b); endmodule\n"
    found = synthesize(replace(project(tmp_path, box + text), core="top"), work=tmp_path / "work")
    assert found.details["unknown_cells"] == {"somewhere_else": 1}


@pytest.mark.parametrize("version", ["0.23", "0.70"])
def test_reports_of_both_versions_read_alike(tmp_path: Path, version: str) -> None:
    counts = (DATA / f"counts_{version}.json").read_text()
    (tmp_path / yosys_script.COUNTS).write_text(counts.replace("\\\\top", f"\\\\{yosys.TOP}"))
    shell = {"modules": {yosys.TOP: {"cells": {}, "ports": {}}}}
    (tmp_path / yosys_script.SHELL).write_text(json.dumps(shell))
    found = read_result(tmp_path, project(tmp_path, TWICE), [])
    assert found.version == version
    assert found.cells["FDRE"] == 18
    assert found.cells["CARRY4"] == 4
    assert found.paths == {}


def planned(where: RtlProject, work: Path) -> Plan:
    split = split_project(where)
    mapped = {stage.name: NOTHING for stage in split.stages}
    return plan(where, split, mapped, work, stub("pass"))


def test_plan_is_text_that_names_no_path_and_not_the_design(tmp_path: Path) -> None:
    found = planned(project(tmp_path / "a b", TWICE, "ü.v"), tmp_path / "work")
    assert list(found.files) == ["stage0.il", "source0.v"]
    assert "read_verilog source0.v\n" in found.script
    assert str(tmp_path) not in found.script
    assert found.command.arguments[-1] == yosys.SCRIPT_NAME
    assert found.command.cwd == tmp_path / "work"
    assert not (tmp_path / "work").exists()
    named = {"top": "trigger", "core": "heart", "stage": "step", "pipeline": "pipeline"}
    text = re.sub(rf"\b({'|'.join(named)})\b", lambda m: named[m.group()], TWICE)
    other = replace(project(tmp_path / "b", text), top="trigger", core="heart")
    again = planned(other, tmp_path / "work")
    assert (again.files, again.script) == (found.files, found.script)


def test_same_stems_do_not_collide(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.v").write_text(f"module {folder}; endmodule\n")
    sources = (tmp_path / "a" / "x.v", tmp_path / "b" / "x.v")
    twins = RtlProject(tmp_path, Hdl.VERILOG, "top", "core", sources, 1, 1, 1, 360.0)
    assert list(planned(twins, tmp_path).files.values()) == [
        "module a; endmodule\n",
        "module b; endmodule\n",
    ]


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("reg [7:0] m [0:255];", True),
        ("reg m[3:0];", True),
        ("always @(*) case (x) 1: y = 2; endcase", True),
        ("reg [7:0] a; wire [3:0] b;", False),
        ("input wire signed [7:0] a, output reg [3:0] b", False),
        ("always @(posedge clk) q[3:0] <= d[3:0];", False),
    ],
)
def test_ram_libraries_are_read_where_there_may_be_a_memory(
    tmp_path: Path, text: str, memory: bool
) -> None:
    found = planned(project(tmp_path, text), tmp_path)
    assert ("map_memory" in found.script) == memory
    assert ("cells_xtra" in found.script) == memory


@pytest.mark.parametrize(
    ("text", "rare"),
    [
        ("assign p = a * b;", True),
        ("DSP48E2 #(.AREG(1)) x (.A(a));", True),
        ("RAMB36E2 x (.A(a));", True),
        ("// a * b", False),
        ("/* a * b */", False),
        ("always @(*) y = x;", False),
        ("always @* y = x;", False),
        ("(* keep *) wire y;", False),
        ("shift_adder #(.BW_INPUT0(6), .SHIFT1(-2)) op_1 (v0, v1);", False),
    ],
)
def test_rare_cells_are_read_where_they_may_be_needed(text: str, rare: bool) -> None:
    assert ("cells_xtra" in yosys_script.libraries(["wire x;", text])) == rare


def test_scripts_are_shared_out(tmp_path: Path) -> None:
    names = [f"{k}.ys" for k in range(5)]
    for name in names:
        (tmp_path / name).write_text(f"# {name}\n")
    branching = Engine("stub", ("one",), ("many",))
    found = run_commands(branching, "common\n", names, tmp_path, 2, 9.0)
    assert [command.arguments[2:] for command in found] == [
        ("0.ys", "2.ys", "4.ys"),
        ("1.ys", "3.ys"),
    ]
    assert (tmp_path / found[0].arguments[1]).read_text() == "common\n"
    assert {(command.cwd, command.timeout_s) for command in found} == {(tmp_path, 9.0)}
    alone = run_commands(Engine("stub", ("one",)), "common\n", names, tmp_path, 2, None)
    assert [command.arguments for command in alone] == [("one", name) for name in names]
    assert (tmp_path / "3.ys").read_text() == "common\n# 3.ys\n"


def test_without_any_yosys_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yosys_engine.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissingError, match="pip install pyosys"):
        find_engine()


def test_the_wheel_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "yosys"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(yosys_engine.importlib.util, "find_spec", lambda name: None)
    assert find_engine() == Engine("yosys", (str(program), "-Q", "-T", "-s"))
    monkeypatch.undo()
    assert find_engine().name == "pyosys"
