"""Open synthesis: yosys maps the Verilog to UltraScale+ cells, and we count them.

The flow is that of ``synth_xilinx -family xcup``, spelled out so that yosys 0.23 (Debian) and 0.70
(the pyosys wheel) run the same one, and without what a trigger network pays for and cannot use.
On a network of 20,000 LUTs the LUTs stay within 1 % and it takes less than a third of the time:

- the stages of the core are mapped as modules of their own, so one that stands there twice is
  mapped once; they are flattened before registers are merged and shift registers extracted;
- ``abc`` in place of ``abc9``;
- wires that are no more than a name are dropped early (``opt_clean -purge``);
- the search for DSP cascades, which looks at every register, runs only where there is a DSP; that
  for shift registers of variable length, and the recoding of state machines, are left out.

It is out of context: no pin and no clock buffers. There is no placement and no routing, and yosys
knows no ternary adders: where RTL adds three terms at once it counts more LUTs than a vendor tool.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trigger_ml.artifacts import Hdl, Resources, RtlProject, Synthesis
from trigger_ml.errors import Blocker, ConfigError, ToolFailedError
from trigger_ml.synth.cells import Counted, Group, count_cells
from trigger_ml.toolrun import Command, require_tool, run

__all__ = ["Engine", "Plan", "find_engine", "plan", "read_synthesis", "synthesize"]

PURPOSE: Final = "count resources by open synthesis"
RUN_SCRIPT: Final = (
    "import sys; from pyosys import libyosys as yosys; "
    "yosys.run_pass('script ' + sys.argv[1], yosys.Design())"
)
"""Python program that runs a yosys script; its status is 1 when yosys finds an error."""

SCRIPT_NAME: Final = "synthesis.ys"
LOG_NAME: Final = "yosys.log"
STAGES_NAME: Final = "stages.json"
COUNTS_NAME: Final = "counts.json"

SCRIPT: Final = r"""# {top}: cells of an UltraScale+ part, out of context
{read}
read_verilog -lib +/xilinx/cells_sim.v
read_verilog -lib +/xilinx/cells_xtra.v
hierarchy -check -top {top}
proc
setattr -mod -unset keep_hierarchy *
setattr -mod -set keep_hierarchy 1 {core}/c:* %M $paramod* %d
flatten
delete t:$scopeinfo
opt_expr
opt_clean -purge
opt -nodffe -nosdff
wreduce
peepopt
opt_clean -purge
# multipliers
memory_dff
techmap -map +/mul2dsp.v -map +/xilinx/xcu_dsp_map.v -D DSP_A_MAXWIDTH=27 -D DSP_B_MAXWIDTH=18 \
  -D DSP_A_MAXWIDTH_PARTIAL=18 -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=9 \
  -D DSP_SIGNEDONLY=1 -D DSP_NAME=$__MUL27X18
select a:mul2dsp
setattr -unset mul2dsp
opt_expr -fine
wreduce
select -clear
xilinx_dsp -family xcup t:DSP48E2 %m
chtype -set $mul t:$__soft_mul
# adders, memories
techmap -map +/cmp2lut.v -map +/cmp2lcu.v -D LUT_WIDTH=6
alumacc
opt
{memories}
memory_map
opt -full
techmap -map +/techmap.v -D LUT_SIZE=6 -map +/xilinx/arith_map.v
# LUTs, stage by stage
opt_expr -mux_undef -noclkinv
opt_merge
opt_dff
opt_clean -purge
abc -luts 2:2,3,6:5,10,20
opt_clean -purge
tee -q -o {stages} stat -json
# registers, over the whole
setattr -mod -unset keep_hierarchy *
flatten
delete t:$scopeinfo
opt_merge
opt_dff
opt_clean -purge
xilinx_srl -fixed -minlen 3
dfflegalize -cell $_DFFE_?P?P_ 01 -cell $_SDFFE_?P?P_ 01 -cell $_DLATCH_?P?_ 01
techmap -map +/xilinx/ff_map.v t:$_*DFF* t:$_DLATCH* %u
techmap -map +/xilinx/lut_map.v -D LUT_WIDTH=6 t:$lut
techmap -map +/xilinx/cells_map.v
tee -q -o {counts} stat -json
"""


MAP_MEMORIES: Final = """memory -nomap
opt_clean
synth_xilinx -family xcup -run map_memory:map_ffram
opt -fast -full"""
NO_MEMORIES: Final = "memory_collect"
MEMORY: Final = re.compile(r"\bcase[xz]?\b|\b(?:reg|logic|bit)\b[^;()]*?\w\s*\[[^;\]]*\]\s*[;=,]")
"""A table (case) or an array in Verilog. Reading yosys's RAM libraries takes as long as mapping a
small network, so it is done only for RTL that can have use for them."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A yosys. arguments: what runs the script whose name is put behind them."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A synthesis before it runs. copies: source by its name in the work folder, in order."""

    copies: Mapping[str, Path]
    script: str
    command: Command


def find_engine() -> Engine:
    """The pyosys wheel, in a process of its own, or else ``yosys`` on PATH.

    Raises ToolMissingError when there is neither.
    """
    if importlib.util.find_spec("pyosys") is not None:
        return Engine("pyosys", (sys.executable, "-c", RUN_SCRIPT))
    return Engine("yosys", (str(require_tool("yosys", PURPOSE)), "-Q", "-T", "-s"))


def plan(
    project: RtlProject, work: Path, engine: Engine, *, timeout_s: float | None = None
) -> Plan:
    """What to copy, write and run to synthesize ``project.top`` in the folder ``work``.

    Sources get plain names there, so that no path reaches yosys. Raises ConfigError for RTL that
    is not Verilog, and for a project without sources.
    """
    if project.hdl is not Hdl.VERILOG or not project.sources:
        found = f"this project has {len(project.sources)} sources in {project.hdl.name}"
        raise ConfigError(
            Blocker("synthesis", f"yosys reads Verilog; {found}", "lower the design to Verilog")
        )
    copies = {
        f"{k:04d}_{re.sub(r'[^A-Za-z0-9_]', '_', source.stem)}{source.suffix.lower()}": source
        for k, source in enumerate(project.sources)
    }
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in project.sources)
    script = SCRIPT.format(
        memories=MAP_MEMORIES if any(MEMORY.search(text) for text in texts) else NO_MEMORIES,
        top=project.top,
        core=project.core,
        read="\n".join(
            f"read_verilog {'-sv ' if name.endswith('.sv') else ''}{name}" for name in copies
        ),
        stages=STAGES_NAME,
        counts=COUNTS_NAME,
    )
    command = Command((*engine.arguments, SCRIPT_NAME), work, PURPOSE, timeout_s=timeout_s)
    return Plan(copies, script, command)


def synthesize(
    project: RtlProject,
    *,
    work: Path,
    progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
    timeout_s: float | None = None,
) -> Synthesis:
    """Count the LUTs, registers, DSPs, block RAMs and carry chains of a project's top.

    work: folder that keeps the script, the log and yosys's own counts; made if need be.
    progress: called with (0, 1) before and (1, 1) after. engine: find_engine() when None.
    Raises ConfigError for what is not Verilog, ToolMissingError without a yosys, and
    ToolFailedError when it fails, or leaves no count, no cell, or a cell that it did not map.
    """
    started = time.perf_counter()
    engine = engine or find_engine()
    planned = plan(project, work, engine, timeout_s=timeout_s)
    work.mkdir(parents=True, exist_ok=True)
    for name in (COUNTS_NAME, STAGES_NAME):
        (work / name).unlink(missing_ok=True)
    for name, source in planned.copies.items():
        shutil.copyfile(source, work / name)
    (work / SCRIPT_NAME).write_text(planned.script, encoding="utf-8")
    if progress:
        progress(0, 1)
    run(planned.command, log=work / LOG_NAME)
    if progress:
        progress(1, 1)
    return read_synthesis(work, project, engine, time.perf_counter() - started)


def read_synthesis(work: Path, project: RtlProject, engine: Engine, seconds: float) -> Synthesis:
    """Read what a finished run left in its work folder. Raises ToolFailedError as synthesize."""
    version, modules = _read_stat(work / COUNTS_NAME)
    cells = modules.get(project.top)
    if not cells:
        raise ToolFailedError(
            f"could not {PURPOSE}: yosys found no cell in {project.top}; "
            f"modules in {work / COUNTS_NAME}: {', '.join(modules) or 'none'}"
        )
    counted = count_cells({cell: n for cell, n in cells.items() if cell != "$scopeinfo"})
    unmapped = sorted(cell for cell in counted.unknown if cell.startswith("$"))
    if unmapped:
        raise ToolFailedError(
            f"could not {PURPOSE}: yosys left cells that it did not map: {', '.join(unmapped)}; "
            f"see {work / LOG_NAME}"
        )
    _, stages = _read_stat(work / STAGES_NAME)
    by_module = {
        name: _stage(found) for name, found in stages.items() if name != project.top and found
    }
    return Synthesis(
        origin="yosys",
        version=version,
        total=counted.resources,
        details=_details(engine, cells, counted, by_module),
        seconds=seconds,
    )


def _details(
    engine: Engine,
    cells: Mapping[str, int],
    counted: Counted,
    by_module: Mapping[str, Resources],
) -> dict[str, Any]:
    luts = (Group.LUT_LOGIC, Group.LUT_SHIFT, Group.LUT_RAM)
    return {
        "engine": engine.name,
        "family": "xcup",
        **{group.value: counted.groups[group] for group in (*luts, Group.URAM)},
        "inverters": cells.get("INV", 0),
        "cells": dict(sorted(cells.items())),
        "unknown_cells": dict(sorted(counted.unknown.items())),
        "by_module": {name: found.to_json() for name, found in by_module.items()},
    }


def _stage(cells: Mapping[str, int]) -> Resources:
    """Logic of one module before registers are mapped, when every LUT is a ``$lut``."""
    luts = {"LUT6" if cell == "$lut" else cell: number for cell, number in cells.items()}
    found = count_cells(luts).resources
    return Resources(lut=found.lut, dsp=found.dsp, bram36=found.bram36, carry8=found.carry8)


def _read_stat(path: Path) -> tuple[str, dict[str, dict[str, int]]]:
    """Version and {module: {cell: number}} of a file that ``stat -json`` wrote.

    yosys 0.23 and 0.70 differ in what they add to it, not in this.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = re.sub(r" \(.*", "", data["creator"]).removeprefix("Yosys ")
        modules = {
            name.removeprefix("\\"): {
                cell.removeprefix("\\"): int(number)
                for cell, number in module["num_cells_by_type"].items()
            }
            for name, module in data["modules"].items()
        }
    except FileNotFoundError as error:
        raise ToolFailedError(
            f"could not {PURPOSE}: yosys ended well but left no {path.name} in {path.parent}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolFailedError(
            f"could not {PURPOSE}: {path} is not what yosys stat -json writes: {error!r}"
        ) from error
    return version, modules
