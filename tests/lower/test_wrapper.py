from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.simulate import tiny
from trigger_ml.artifacts import Hdl
from trigger_ml.errors import ModelError
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.packing import Element
from trigger_ml.lower.wrapper import Core, write_wrapper
from trigger_ml.packaged import packaged_folder
from trigger_ml.simulate.verilator import _root

CORE = Core("core", 3, (Element(True, 3, 4),), (Element(True, 3, 4),))
TYPES = [FixedType(8, 4)]


@pytest.mark.parametrize("hdl", Hdl)
def test_files_come_in_compile_order_and_are_the_same_every_time(hdl: Hdl) -> None:
    suffix = ".v" if hdl is Hdl.VERILOG else ".vhd"
    files = write_wrapper("top", CORE, TYPES, TYPES, hdl)
    assert list(files) == [f"trigger_ml_valid_pipeline{suffix}", f"top{suffix}"]
    assert files == write_wrapper("top", CORE, TYPES, TYPES, hdl)
    shared = packaged_folder("firmware") / f"trigger_ml_valid_pipeline{suffix}"
    assert files[shared.name] == shared.read_text()
    assert "${" not in files[f"top{suffix}"]


def test_verilog_maps_every_bit() -> None:
    text = write_wrapper("tiny", tiny.CORE, tiny.INPUT_TYPES, tiny.OUTPUT_TYPES, Hdl.VERILOG)[
        "tiny.v"
    ]
    assert re.findall(r"assign .*|wire unused.*", text) == [
        "assign core_in[6:0] = in_data[7:1];",
        "assign core_in[9:7] = in_data[13:11];",
        "assign out_data[1:0] = {2{1'b0}};",
        "assign out_data[7:2] = core_out[5:0];",
        "assign out_data[8:8] = {1{core_out[5]}};",
        "assign out_data[11:9] = {3{1'b0}};",
        "assign out_data[14:12] = core_out[8:6];",
        "assign out_data[16:15] = {2{1'b0}};",
        "assign out_data[19:17] = core_out[11:9];",
        "assign out_data[20:20] = {1{core_out[11]}};",
        "assign out_data[24:21] = {4{1'b0}};",
        "assign out_data[27:25] = core_out[14:12];",
        "assign out_data[28:28] = {1{core_out[14]}};",
        "wire unused_bits = &{1'b0, in_data[0:0], in_data[10:8]};",
    ]


def test_vhdl_maps_every_bit() -> None:
    text = write_wrapper("tiny", tiny.CORE, tiny.INPUT_TYPES, tiny.OUTPUT_TYPES, Hdl.VHDL)[
        "tiny.vhd"
    ]
    assert "    core_in(6 downto 0) <= in_data(7 downto 1);\n" in text
    assert "    out_data(1 downto 0) <= (others => '0');\n" in text
    assert "    out_data(8 downto 8) <= (others => core_out(5));\n" in text
    assert "unused" not in text


@pytest.mark.parametrize("latency", [1, 2, 24])
def test_verilog_is_clean_under_every_lint_rule(tmp_path: Path, latency: int) -> None:
    core = replace(tiny.CORE, latency_cycles=latency)
    files = write_wrapper("tiny", core, tiny.INPUT_TYPES, tiny.OUTPUT_TYPES, Hdl.VERILOG)
    files["tiny_core.v"] = tiny.VERILOG
    for name, text in files.items():
        (tmp_path / name).write_text(f"`default_nettype none\n{text}")
    for language in ("1364-2001", "1364-2005", "1800-2017"):
        finished = subprocess.run(
            [
                str(_root() / "bin" / "verilator_bin"),
                *("--lint-only", "-Wall", "--default-language", language),
                *("-Wno-DECLFILENAME", "--top-module", "tiny"),
                *(str(tmp_path / name) for name in files),
            ],
            env={"VERILATOR_ROOT": str(_root())},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        assert "%Warning" not in finished.stderr


@pytest.mark.parametrize(
    ("core", "types_in", "types_out", "message"),
    [
        (
            replace(CORE, latency_cycles=0),
            TYPES,
            TYPES,
            "core core: its latency is 0 registers, and valid needs one at least\n"
            "    -> give it a latency cutoff, or a stage",
        ),
        (
            CORE,
            TYPES * 2,
            TYPES,
            "core core: it has 1 inputs, and 2 types are declared",
        ),
        (
            replace(CORE, inputs=(Element(False, 0, 0),)),
            TYPES,
            TYPES,
            "core core: its inputs have no bits: the network gives the same for every event\n"
            "    -> look at its weights, its types and the constants it was trained to",
        ),
        (
            CORE,
            TYPES,
            [FixedType(8, 5)],
            "output element 0: the core gives signed, 3 integer and 4 fraction bits, which "
            "fixed<8,5> cannot hold\n"
            "    -> quantize to the declared type before the end of the trace",
        ),
        (
            replace(CORE, name="top"),
            TYPES,
            TYPES,
            "top top: the top and its core need different names",
        ),
    ],
)
def test_refusals(
    core: Core, types_in: list[FixedType], types_out: list[FixedType], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        write_wrapper("top", core, types_in, types_out, Hdl.VERILOG)
    assert str(caught.value) == message


def test_core_of_fsm_counts_registers() -> None:
    schedule = SimpleNamespace(bias=5)
    inputs = SimpleNamespace(name="model_inp", precisions=((True, 3, 4), (False, 0, 0)))
    outputs = SimpleNamespace(name="model_out", precisions=((False, 2, -1),), schedule=schedule)
    fsm = SimpleNamespace(inp_signals=[inputs], out_signals=[outputs])
    assert Core.of_fsm("core", fsm) == Core(
        "core", 5, (Element(True, 3, 4), Element(False, 0, 0)), (Element(False, 2, -1),)
    )
    with pytest.raises(ModelError, match="one input and one output port are needed, not 2 and 1"):
        Core.of_fsm("core", SimpleNamespace(inp_signals=[inputs] * 2, out_signals=[outputs]))


def test_importing_the_wrapper_loads_no_tool() -> None:
    script = (
        "import sys, trigger_ml.lower.wrapper; "
        "print([m for m in ('alkaid', 'cocotb', 'hls4ml') if m in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "[]\n"
