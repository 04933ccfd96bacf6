"""Running Vivado on the RTL, out of context, or Vitis HLS on the HLS project.

The Tcl names no path but relative to itself, so the one that a build holds runs on any machine. The
commands are those of AMD UG835 (Vivado) and UG1399 (Vitis HLS); the HLS project's own script is
hls4ml's ``build_prj.tcl``.
"""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from trigger_ml.artifacts import HlsProject, RtlProject, Synthesis
from trigger_ml.errors import Blocker, ConfigError, ToolFailedError, ToolMissingError
from trigger_ml.synth.devices import Device
from trigger_ml.synth.vendor_reports import combine, find_reports
from trigger_ml.toolrun import Command, find_tool, run

__all__ = [
    "SCRIPT_NAME",
    "find_hls_tool",
    "require_vendor",
    "run_vitis",
    "run_vivado",
    "vivado_script",
]

SCRIPT_NAME: Final = "vivado.tcl"
LOG_NAME: Final = "vivado.log"
HLS_LOG_NAME: Final = "vitis.log"
HLS_OPTIONS: Final = "build_opt.tcl"
HLS_TOOLS: Final = {"vitis": ("vitis-run", "vitis_hls"), "vivado": ("vitis_hls", "vivado_hls")}
"""Programs by hls4ml backend, the newer first."""
_FULL_PART: Final = re.compile(r"x[cqa]\w*(-?[a-z]{2,4}\d{3,4})-\w+(-\w+)*", re.IGNORECASE)
"""Device, package and speed grade; the 7 series write no hyphen before the package."""

SCRIPT: Final = """\
# {top}: synthesized, placed and routed out of context for {part} at {mhz:g} MHz.
# vivado -mode batch -source {name}; the reports are left in the current folder.
set rtl [file join [file dirname [file normalize [info script]]] {folder}]
set constraints [open clock.xdc w]
puts $constraints "create_clock -period {period:.3f} -name clk \\[get_ports clk\\]"
close $constraints
{read}
read_xdc -mode out_of_context clock.xdc
synth_design -mode out_of_context -top {top} -part {part}
report_utilization -file utilization_synth.rpt
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization_routed.rpt
report_utilization -hierarchical -file hierarchy_routed.rpt
report_timing_summary -file timing_routed.rpt
"""


def vivado_script(
    top: str, part: str, clock_mhz: float, names: Sequence[str], folder: Sequence[str]
) -> str:
    """Tcl that synthesizes, places and routes, and leaves its reports in the current folder.

    names: Verilog sources in compile order. folder: where they are, from the script's own folder.
    The period is rounded down to whole ps, which is what Vivado takes.
    """
    read = "\n".join(
        f"read_verilog {'-sv ' if name.endswith('.sv') else ''}[file join $rtl {name}]"
        for name in names
    )
    period = math.floor(1e6 / clock_mhz + 1e-6) / 1e3
    return SCRIPT.format(
        top=top,
        part=part,
        mhz=clock_mhz,
        name=SCRIPT_NAME,
        folder=" ".join(folder),
        period=period,
        read=read,
    )


def find_hls_tool(backend: str) -> Path | None:
    """The program that synthesizes an HLS project of an hls4ml backend, or None."""
    found = (find_tool(name) for name in HLS_TOOLS[backend.lower()])
    return next((path for path in found if path is not None), None)


def require_vendor(engine: str, part: str, backend: str) -> None:
    """Look for what ``verify.synth: vivado`` or ``vitis`` needs, before anything is made.

    Raises ConfigError for a part without package and speed grade and for an HLS backend that
    these tools do not have, and ToolMissingError where the program is not on PATH.
    """
    if engine == "vivado":
        if not _FULL_PART.fullmatch(part):
            what = f"Vivado needs package and speed grade, and {part!r} has none"
            fix = "give the whole order code, such as xcvu13p-flga2577-2-e"
            raise ConfigError(Blocker("target.part", what, fix))
        if find_tool("vivado") is None:
            raise ToolMissingError(
                "vivado is needed for --synth vivado, and is not on PATH. It would add LUTs, "
                "registers and DSPs after placement and routing, and the slack at the clock. "
                "Source its settings64.sh; or compile without it (--synth yosys) and, where "
                f"Vivado is, run: vivado -mode batch -source BUILD/vendor/{SCRIPT_NAME}; "
                "then: trigger-ml report BUILD --import FOLDER"
            )
    if engine == "vitis":
        if backend.lower() not in HLS_TOOLS:
            what = f"Vitis HLS synthesizes projects of the backends Vitis and Vivado, not {backend}"
            raise ConfigError(Blocker("verify.synth", what, "use firmware.backend: Vitis"))
        if find_hls_tool(backend) is None:
            names = " or ".join(HLS_TOOLS[backend.lower()])
            raise ToolMissingError(
                f"{names} is needed for --synth vitis, and is not on PATH. It would add latency, "
                "interval and an estimate of the resources of the HLS project. Source the "
                "settings64.sh of Vitis; or compile without it (--synth yosys) and, where Vitis "
                "is, run in BUILD/hls: vitis-run --mode hls --tcl build_prj.tcl; "
                "then: trigger-ml report BUILD --import FOLDER"
            )


def run_vivado(
    project: RtlProject, part: str, device: Device, work: Path, timeout_s: float | None = None
) -> Synthesis:
    """Synthesize, place and route a project's top out of context, for its own clock.

    work: folder for script, log and reports; made if need be. timeout_s: wall time.
    Raises ToolMissingError without Vivado, ToolFailedError when it fails, runs out of time or
    leaves no report of the routed design, and DataError for one that is not whole.
    """
    started = time.perf_counter()
    work.mkdir(parents=True, exist_ok=True)
    (work / "rtl").mkdir(exist_ok=True)
    for source in project.sources:
        shutil.copyfile(source, work / "rtl" / source.name)
    names = [source.name for source in project.sources]
    script = vivado_script(project.top, part, project.clock_mhz, names, ("rtl",))
    (work / SCRIPT_NAME).write_text(script, encoding="utf-8")
    command = Command(
        ("vivado", "-mode", "batch", "-nojournal", "-nolog", "-source", SCRIPT_NAME),
        work,
        "place and route the RTL",
        timeout_s=timeout_s,
    )
    run(command, log=work / LOG_NAME)
    for name in ("utilization_routed.rpt", "timing_routed.rpt"):
        if not (work / name).exists():
            raise ToolFailedError(
                f"could not {command.purpose}: vivado ended well but left no {name}",
                work / LOG_NAME,
            )
    found = combine(find_reports(work), work, project.top, device, project.clock_mhz)
    return replace(found[0], seconds=time.perf_counter() - started)


def run_vitis(
    project: HlsProject,
    clock_mhz: float,
    device: Device,
    work: Path,
    timeout_s: float | None = None,
) -> Synthesis:
    """C synthesis of a copy of an HLS project; Vivado's synthesis of what came of it, where
    Vivado is on PATH too.

    work: folder that gets the copy and the log. timeout_s: wall time.
    Raises as :func:`run_vivado`.
    """
    started = time.perf_counter()
    tool = find_hls_tool(project.backend)
    if tool is None:
        require_vendor("vitis", "", project.backend)
        raise AssertionError("unreachable: require_vendor raises")
    copy = work / "hls"
    shutil.copytree(project.directory, copy, ignore=shutil.ignore_patterns("*.so", "*.o"))
    steps = {"reset": 1, "csim": 0, "synth": 1, "cosim": 0, "validation": 0, "export": 0}
    steps |= {"vsynth": int(find_tool("vivado") is not None), "fifo_opt": 0}
    options = "\n".join(f"    {name} {value}" for name, value in steps.items())
    (copy / HLS_OPTIONS).write_text(f"array set opt {{\n{options}\n}}\n", encoding="utf-8")
    if tool.name == "vitis-run":
        arguments: tuple[str, ...] = ("--mode", "hls", "--tcl", "build_prj.tcl")
    else:
        # hls4ml's script for Vivado HLS reads its steps from the command line.
        words = " ".join(f"{name}={value}" for name, value in steps.items())
        arguments = ("-f", "build_prj.tcl", words)
    command = Command(
        (str(tool), *arguments), copy, "synthesize the HLS project", timeout_s=timeout_s
    )
    log = work / HLS_LOG_NAME
    run(command, log=log)
    if not list(copy.rglob("*csynth.xml")) and not list(copy.rglob("*csynth.rpt")):
        raise ToolFailedError(
            f"could not {command.purpose}: {tool.name} ended well but left no csynth.xml", log
        )
    found = combine(find_reports(copy), copy, project.top, device, clock_mhz)
    return replace(found[0], seconds=time.perf_counter() - started)
