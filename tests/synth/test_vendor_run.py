"""Vendor tools as a user has them, a program on PATH: what they are told, and what fails."""

import os
import shutil
from pathlib import Path

import pytest

from tests.synth.vendor_tools import install, install_hls, install_vivado
from trigger_ml.artifacts import Hdl, HlsProject, Resources, RtlProject
from trigger_ml.errors import ConfigError, DataError, ToolFailedError, ToolMissingError
from trigger_ml.synth.devices import find_device
from trigger_ml.synth.vendor_run import require_vendor, run_vitis, run_vivado, vivado_script

PART = "xcvu13p-flga2577-2-e"
VU13P = find_device(PART)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH, before /bin and nothing else."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder


@pytest.fixture
def rtl(tmp_path: Path) -> RtlProject:
    folder = tmp_path / "verilog"
    folder.mkdir()
    names = ("tagger_core.sv", "tagger.v")
    for name in names:
        (folder / name).write_text(f"module {name.split('.')[0]}; endmodule\n")
    sources = tuple(folder / name for name in names)
    return RtlProject(folder, Hdl.VERILOG, "tagger", "tagger_core", sources, 3, 4, 4, 360.0)


@pytest.fixture
def hls(tmp_path: Path) -> HlsProject:
    folder = tmp_path / "hls"
    folder.mkdir()
    (folder / "build_prj.tcl").write_text("csynth_design\n")
    (folder / "build_opt.tcl").write_text("array set opt { csim 1 }\n")
    return HlsProject(folder, "tagger", "Vitis", "io_parallel")


def test_the_script_reads_its_sources_in_order_and_asks_for_the_clock() -> None:
    text = vivado_script("tagger", PART, 360.0, ["a.v", "b.sv"], ("..", "rtl", "verilog"))
    first = text.index("read_verilog [file join $rtl a.v]")
    second = text.index("read_verilog -sv [file join $rtl b.sv]")
    assert first < second < text.index("synth_design -mode out_of_context -top tagger")
    assert "[file join [file dirname [file normalize [info script]]] .. rtl verilog]" in text
    # Rounded down: never a slower clock than the target.
    assert "create_clock -period 2.777 -name clk" in text
    assert "-period 3.125 " in vivado_script("t", PART, 320.0, [], ("rtl",))
    assert "-period 25.000 " in vivado_script("t", PART, 40.0, [], ("rtl",))


def test_vivado_places_and_routes(tools: Path, rtl: RtlProject, tmp_path: Path) -> None:
    install_vivado(tools)
    work = tmp_path / "work"
    found = run_vivado(rtl, PART, VU13P, work, timeout_s=60)
    assert (found.origin, found.version) == ("vivado", "2023.2")
    assert found.total == Resources(lut=5804, ff=3420, dsp=80, bram36=0, carry8=666)
    assert found.details["timing_state"] == "routed"
    assert found.details["files"]["lut"] == "utilization_routed.rpt"
    assert found.seconds > 0
    assert "Vivado v2023.2" in (work / "vivado.log").read_text()


def test_a_failing_vivado_says_its_last_lines_and_keeps_its_log(
    tools: Path, rtl: RtlProject, tmp_path: Path
) -> None:
    install(tools, "vivado", "#!/bin/sh\necho 'ERROR: [Synth 8-439] module not found'\nexit 1\n")
    with pytest.raises(ToolFailedError, match="could not place and route the RTL") as caught:
        run_vivado(rtl, PART, VU13P, tmp_path / "work")
    assert "module not found" in str(caught.value)
    assert caught.value.log is not None and "Synth 8-439" in caught.value.log.read_text()


def test_a_vivado_that_hangs_is_ended(tools: Path, rtl: RtlProject, tmp_path: Path) -> None:
    install(tools, "vivado", "#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(ToolFailedError, match="took longer than 1 s"):
        run_vivado(rtl, PART, VU13P, tmp_path / "work", timeout_s=1)


def test_a_vivado_that_leaves_no_report_or_half_of_one_fails(
    tools: Path, rtl: RtlProject, tmp_path: Path
) -> None:
    install(tools, "vivado", "#!/bin/sh\ntouch utilization_routed.rpt\n")
    with pytest.raises(ToolFailedError, match=r"left no timing_routed\.rpt"):
        run_vivado(rtl, PART, VU13P, tmp_path / "a")
    install(tools, "vivado", "#!/bin/sh\ntouch utilization_routed.rpt timing_routed.rpt\n")
    with pytest.raises(DataError, match="the file is empty"):
        run_vivado(rtl, PART, VU13P, tmp_path / "b")


@pytest.mark.parametrize(
    "program, words",
    [
        ("vitis-run", "--mode hls --tcl build_prj.tcl"),
        ("vitis_hls", "-f build_prj.tcl reset=1 csim=0 synth=1 cosim=0"),
    ],
)
def test_vitis_synthesizes_a_copy(
    tools: Path, hls: HlsProject, tmp_path: Path, program: str, words: str
) -> None:
    install_hls(tools, program)
    before = {path: path.read_text() for path in hls.directory.iterdir()}
    found = run_vitis(hls, 360.0, VU13P, tmp_path / "work", timeout_s=60)
    assert (found.origin, found.version, found.details["state"]) == ("vitis", "2022.2", "estimated")
    assert found.total.lut == 17404
    assert words in (tmp_path / "work" / "hls" / "called.txt").read_text()
    assert {path: path.read_text() for path in hls.directory.iterdir()} == before
    options = (tmp_path / "work" / "hls" / "build_opt.tcl").read_text()
    assert "vsynth 0" in options


def test_vitis_takes_vivado_along_where_it_is(tools: Path, hls: HlsProject, tmp_path: Path) -> None:
    install_hls(tools, "vitis-run")
    install_vivado(tools)
    run_vitis(hls, 360.0, VU13P, tmp_path / "work")
    assert "vsynth 1" in (tmp_path / "work" / "hls" / "build_opt.tcl").read_text()


def test_a_vitis_that_leaves_no_report_fails(tools: Path, hls: HlsProject, tmp_path: Path) -> None:
    install(tools, "vitis_hls", "#!/bin/sh\n")
    with pytest.raises(ToolFailedError, match=r"left no csynth\.xml"):
        run_vitis(hls, 360.0, VU13P, tmp_path / "work")


def test_a_missing_tool_says_what_it_would_add_and_what_to_run_elsewhere(tools: Path) -> None:
    if shutil.which("vivado") or shutil.which("vitis_hls"):
        pytest.skip("a vendor tool stands in /usr/bin")
    with pytest.raises(ToolMissingError) as caught:
        require_vendor("vivado", PART, "Vitis")
    for part in ("slack at the clock", "vivado -mode batch -source", "report BUILD --import"):
        assert part in str(caught.value)
    with pytest.raises(ToolMissingError) as caught:
        require_vendor("vitis", PART, "Vitis")
    for part in ("vitis-run or vitis_hls", "build_prj.tcl", "report BUILD --import"):
        assert part in str(caught.value)
    require_vendor("yosys", "VU13P", "Quartus")
    require_vendor("none", "VU13P", "Quartus")


def test_what_a_vendor_tool_cannot_do_is_said_first(tools: Path) -> None:
    install_vivado(tools)
    with pytest.raises(ConfigError, match="package and speed grade, and 'VU13P' has none"):
        require_vendor("vivado", "VU13P", "Vitis")
    with pytest.raises(ConfigError, match="not Quartus"):
        require_vendor("vitis", PART, "Quartus")
    require_vendor("vivado", PART, "Quartus")
    require_vendor("vivado", "xc7vx690tffg1761-2", "Vitis")
