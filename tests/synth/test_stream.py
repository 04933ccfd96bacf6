"""Counting a streamed top: every kernel once, times its instances."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lower.stream.networks import chain
from trigger_ml.artifacts import RtlProject
from trigger_ml.config import Config, load_config
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.stream.write import trace_stream, write_stream
from trigger_ml.synth.stream import KernelLogic, estimate_stream, synthesize_stream
from trigger_ml.synth.yosys_engine import find_engine


def test_the_sum_is_what_a_whole_synthesis_finds(tmp_path: Path) -> None:
    config = Config()
    logic = trace_stream(plan(chain(1, (2, 12, 2)), 4), config.target, config.firmware)
    project = write_stream(logic, config.target, "chamber", tmp_path / "rtl")
    assert project.stream is not None
    parts = synthesize_stream(project, work=tmp_path / "parts")
    whole = whole_synthesis(project, tmp_path)
    assert parts.total.lut is not None
    assert parts.total.ff is not None
    # Flattened, the lanes at the borders lose dead logic, and nothing is gained.
    assert 0.85 < whole["LUT"] / parts.total.lut <= 1.03
    assert 0.9 < whole["FD"] / parts.total.ff <= 1.03
    kernels = parts.details["kernels"]
    assert [kernels[name]["instances"] for name in project.stream.kernels] == [4, 4, 4]
    assert kernels["shell"]["instances"] == 1


def whole_synthesis(project: RtlProject, folder: Path) -> dict[str, int]:
    """LUTs and flip-flops that yosys' own synth_xilinx finds in the flattened top."""
    reads = "\n".join(f"read_verilog {path}" for path in project.sources)
    script = folder / "whole.ys"
    script.write_text(
        f"{reads}\nsynth_xilinx -family xcup -top {project.top} -flatten -noclkbuf -noiopad\n"
        f"tee -q -o {folder / 'whole.json'} stat -json\n"
    )
    subprocess.run([*find_engine().arguments, str(script)], check=True, capture_output=True)
    stat = json.loads((folder / "whole.json").read_text())
    cells = stat["modules"][f"\\{project.top}"]["num_cells_by_type"]
    srl = sum(count for name, count in cells.items() if name.startswith("SRL"))
    lut = sum(count for name, count in cells.items() if name.startswith("LUT"))
    return {"LUT": lut + srl, "FD": sum(n for name, n in cells.items() if name.startswith("FD"))}


def test_the_cost_model_scales_with_the_lanes() -> None:
    config = Config()
    graph = chain(1, (2, 24, 2))
    found = []
    for lanes in (4, 8):
        logic = trace_stream(plan(graph, lanes), config.target, config.firmware)
        kernels = [
            KernelLogic(
                name,
                kernel.program,
                kernel.fsm,
                kernel.plan.output.lanes,
                kernel.stage_delays_ns,
            )
            for name, kernel in logic.kernels.items()
        ]
        shell = logic.shell
        found.append(estimate_stream(kernels, shell.lut, shell.ff))
    assert found[1].details["lut_logic"] == 2 * found[0].details["lut_logic"]
    kernels_only = [
        item.details["predicts"]["yosys"]["lut"]["value"] - item.details["lut_shell"]
        for item in found
    ]
    assert kernels_only[1] == pytest.approx(2 * kernels_only[0])
    assert found[0].details["lut_raw"] == found[0].total.lut
    assert found[0].details["stages"] == found[1].details["stages"]
    assert set(found[0].by_layer) == {"c1", "c2", "c3"}


def test_flags_cost_the_registers_that_they_wait_in(tmp_path: Path) -> None:
    config = load_config(None, {"firmware.flag_bits": 8})
    layout = plan(chain(1, (1, 6, 1)), 4)
    with_flags = trace_stream(layout, config.target, config.firmware)
    counted, found = [], []
    for bits in (0, 8):
        logic = replace(with_flags, flag_bits=bits)
        project = write_stream(logic, config.target, "chamber", tmp_path / str(bits))
        parts = synthesize_stream(project, work=tmp_path / f"work{bits}")
        counted.append(logic.shell)
        found.append(parts.details["kernels"]["shell"])
    # The first register and one for each step of flush; the wait beside the kernels is in
    # shift registers, one LUT a bit.
    registers = 8 * (1 + layout.flush)
    assert with_flags.flag_bits == 8
    assert counted[1].ff - counted[0].ff == found[1]["ff"] - found[0]["ff"] == registers
    assert counted[1].lut - counted[0].lut == found[1]["lut"] - found[0]["lut"] == 8
