"""A design's RTL through a program called vivado, and what the build keeps of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.synth.vendor_tools import install_hls, install_vivado
from tests.test_cli import TINY, refused
from trigger_ml.artifacts import Hdl, HlsProject, Vectors
from trigger_ml.config import Config, load_config
from trigger_ml.design import Design
from trigger_ml.graph.model import FixedGraph, Input, Node, Relu
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.build import trace_firmware, write_firmware
from trigger_ml.progress import Quiet, Stopwatch
from trigger_ml.synth.devices import find_device
from trigger_ml.vendor_stage import save_vendor, vendor_synthesis

KIND = FixedType(4, 2)
GRAPH = FixedGraph(
    "tagger",
    (Node("x", Input(), (), (3,), KIND), Node("relu", Relu(), ("x",), (3,), KIND)),
    ("relu",),
)


def make_design(folder: Path, config: Config) -> Design:
    logic = trace_firmware(GRAPH, config)
    rtl = write_firmware(logic, config, "tagger", folder / "rtl")
    hls = folder / "hls"
    hls.mkdir()
    (hls / "build_prj.tcl").touch()
    return Design(
        config,
        find_device(config.target.part),
        GRAPH,
        GRAPH,
        HlsProject(hls, "tagger", "Vitis", "io_parallel"),
        logic,
        rtl,
        Vectors(np.zeros((1, 3), np.int64), (), 1),
        None,
        (),
    )


@pytest.mark.parametrize("engine, lut", [("vivado", 5804), ("vitis", 17404)])
def test_reports_and_script_stay_in_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, lut: float
) -> None:
    if engine == "vivado":
        install_vivado(tmp_path / "tools")
    else:
        install_hls(tmp_path / "tools", "vitis-run")
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    config = load_config(None, {"verify.synth": engine})
    build, work = tmp_path / "build", tmp_path / "work"
    build.mkdir()
    design = make_design(build, config)
    found = vendor_synthesis(design, work, Stopwatch(Quiet()))
    assert (found.origin, found.total.lut) == (engine, lut)
    save_vendor(build, design.rtl[Hdl.VERILOG], config, work)
    kept = {path.name for path in (build / "vendor").rglob("*") if path.is_file()}
    reports = {"utilization_routed.rpt", "timing_routed.rpt", "vivado.log"}
    assert kept >= (reports if engine == "vivado" else {"tagger_csynth.xml", "vitis.log"})
    script = (build / "vendor" / "vivado.tcl").read_text()
    for source in design.rtl[Hdl.VERILOG].sources:
        assert source == build / "rtl" / "verilog" / source.name
        assert f"[file join $rtl {source.name}]" in script


def test_without_a_vendor_tool_the_build_has_the_script_alone(tmp_path: Path) -> None:
    config = load_config(None)
    design = make_design(tmp_path, config)
    save_vendor(tmp_path, design.rtl[Hdl.VERILOG], config, tmp_path / "none")
    assert [path.name for path in (tmp_path / "vendor").iterdir()] == ["vivado.tcl"]


def test_what_runs() -> None:
    assert load_config(None).verify.engine == "yosys"
    assert load_config(None, {"verify.synth": "vivado"}).verify.engine == "vivado"
    quick = load_config(None, {"verify.synth": "vivado", "verify.synthesis": False})
    assert quick.verify.engine == "none"


@pytest.mark.parametrize(
    "tool, what", [("vivado", "slack at the clock"), ("vitis", "latency, interval")]
)
def test_a_compilation_without_the_tool_stops_at_once(tmp_path: Path, tool: str, what: str) -> None:
    err = refused("compile", TINY, "--synth", tool, cwd=tmp_path)
    assert f"needed for --synth {tool}, and is not on PATH" in err
    assert what in err and "report BUILD --import" in err
