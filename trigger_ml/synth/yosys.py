"""Open synthesis: yosys maps the Verilog to UltraScale+ cells, and we count them.

The flow is that of ``synth_xilinx -family xcup``, without what a trigger network pays for and
cannot use. On a network of 20,000 LUTs the LUTs stay within 1 % and it takes less than a third of
the time:

- the stages of the core are mapped as modules of their own, side by side, and each text once, in
  this design or ever (:mod:`trigger_ml.synth.yosys_cache`); they are put together before registers
  are merged and shift registers extracted;
- ``abc`` in place of ``abc9``;
- wires that are no more than a name are dropped early (``opt_clean -purge``);
- the search for DSP cascades, which looks at every register, runs only where there is a DSP; that
  for shift registers of variable length, and the recoding of state machines, are left out.

It is out of context: no pin and no clock buffers. There is no placement and no routing, and yosys
knows no ternary adders: where RTL adds three terms at once it counts more LUTs than a vendor tool.
Delays of the stages are estimates (:mod:`trigger_ml.synth.yosys_paths`).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from trigger_ml.artifacts import Hdl, Resources, RtlProject, Synthesis
from trigger_ml.errors import Blocker, ConfigError, ToolFailedError
from trigger_ml.synth.cells import Counted, Group, count_cells
from trigger_ml.synth.yosys_cache import Cache, digest_of
from trigger_ml.synth.yosys_engine import PURPOSE, Engine, engine_version, find_engine
from trigger_ml.synth.yosys_modules import STAGE, Split, read_sources, renamed, split_stages
from trigger_ml.synth.yosys_paths import MODEL, Longest, longest_paths
from trigger_ml.synth.yosys_script import COUNTS, SHELL, design_script
from trigger_ml.synth.yosys_stages import Mapped, map_stages
from trigger_ml.synth.yosys_timing import timing_details
from trigger_ml.toolrun import Command, run

__all__ = ["Plan", "Result", "plan", "read_result", "split_project", "synthesize"]

SCRIPT_NAME: Final = "synthesis.ys"
LOG_NAME: Final = "yosys.log"
TOP: Final = "trigger_ml_design"
CORE: Final = "trigger_ml_core"


@dataclass(frozen=True, slots=True)
class Plan:
    """A synthesis before it runs. files: texts by their names in the work folder."""

    files: Mapping[str, str]
    script: str
    command: Command


@dataclass(frozen=True, slots=True)
class Result:
    """What yosys found in a design. version: its own. cells: of the whole, by type. paths: the
    slowest through each stage, by its place ("0"); under the empty name those through none."""

    version: str
    cells: Mapping[str, int]
    paths: Mapping[str, Longest]


def split_project(project: RtlProject) -> Split:
    """The stages of a project and the rest of its sources.

    Raises ConfigError for RTL that is not Verilog, and for a project without sources.
    """
    if project.hdl is not Hdl.VERILOG or not project.sources:
        found = f"this project has {len(project.sources)} sources in {project.hdl.name}"
        raise ConfigError(
            Blocker("synthesis", f"yosys reads Verilog; {found}", "lower the design to Verilog")
        )
    return split_stages(project.top, project.core, read_sources(project))


def plan(
    project: RtlProject,
    split: Split,
    mapped: Mapping[str, Mapped],
    work: Path,
    engine: Engine,
    *,
    timeout_s: float | None = None,
) -> Plan:
    """What to write and run to synthesize ``project.top`` in the folder ``work``.

    mapped: the stages of the split by name. Files, top, core and stages get names of ours, so
    that no path reaches yosys, and what it finds depends on what the design is alone.
    """
    ours = {project.core: CORE, project.top: TOP}
    ours |= {stage.name: _stage_name(k) for k, stage in enumerate(split.stages)}
    read = {
        f"source{k}{path.suffix.lower()}": renamed(text, ours)
        for k, (path, text) in enumerate(split.rest.items())
    }
    netlists = {f"stage{k}.il": mapped[stage.name].rtlil for k, stage in enumerate(split.stages)}
    script = design_script(
        TOP,
        read,
        {_stage_name(k): file for k, file in enumerate(netlists)},
        [stage.text for stage in split.stages],
    )
    command = Command((*engine.arguments, SCRIPT_NAME), work, PURPOSE, timeout_s=timeout_s)
    return Plan({**netlists, **read}, script, command)


def _stage_name(place: int) -> str:
    return f"{STAGE}_{place}"


def synthesize(
    project: RtlProject,
    *,
    work: Path,
    progress: Callable[[int, int], None] | None = None,
    engine: Engine | None = None,
    cache: Cache | None = None,
    mapped: Mapping[str, Mapped] | None = None,
    timeout_s: float | None = None,
) -> Synthesis:
    """Count the LUTs, registers, DSPs, block RAMs and carry chains of a project's top.

    work: folder that keeps the scripts, the log and yosys's own counts; made if need be.
    progress: called with (0, 1) before and (1, 1) after. engine: find_engine() when None.
    cache: results of earlier runs, which are the same as new ones. mapped: stages that were
    mapped before, by name. timeout_s: for each run of yosys.
    Raises ConfigError for what is not Verilog, ToolMissingError without a yosys, and
    ToolFailedError when it fails, or leaves no count, no cell, or a cell that it did not map.
    """
    started = time.perf_counter()
    engine = engine or find_engine()
    split = split_project(project)
    if progress:
        progress(0, 1)
    if mapped is None:
        mapped = map_stages(split.stages, work / "stages", engine, cache=cache, timeout_s=timeout_s)
    planned = plan(project, split, mapped, work, engine, timeout_s=timeout_s)
    inside = [mapped[stage.name].longest for stage in split.stages]
    digest = _digest(planned, engine) if cache else ""
    result = _kept(cache, digest) if cache else None
    if result is None:
        _execute(planned, work)
        result = read_result(work, project, inside)
        if cache:
            cache.put(digest, asdict(result))
            cache.trim()
    if progress:
        progress(1, 1)
    return _synthesis(engine, split, mapped, result, time.perf_counter() - started)


def _execute(planned: Plan, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    for name in (COUNTS, SHELL):
        (work / name).unlink(missing_ok=True)
    for name, text in {**planned.files, SCRIPT_NAME: planned.script}.items():
        (work / name).write_text(text, encoding="utf-8")
    run(planned.command, log=work / LOG_NAME)


def read_result(work: Path, project: RtlProject, inside: Sequence[Longest]) -> Result:
    """Read what a finished run left in its work folder.

    inside: the slowest path of each stage by itself. Raises ToolFailedError.
    """
    version, modules = _read_stat(work / COUNTS)
    cells = modules.get(TOP)
    if not cells:
        raise ToolFailedError(
            f"could not {PURPOSE}: yosys found no cell in {project.top}; "
            f"modules in {work / COUNTS}: {', '.join(modules) or 'none'}"
        )
    unmapped = sorted(cell for cell in cells if cell.startswith("$") and cell != "$scopeinfo")
    if unmapped:
        raise ToolFailedError(
            f"could not {PURPOSE}: yosys left cells that it did not map: {', '.join(unmapped)}; "
            f"see {work / LOG_NAME}"
        )
    try:
        shell = json.loads((work / SHELL).read_text(encoding="utf-8"))["modules"][TOP]
        found = longest_paths(shell, {_stage_name(k): path for k, path in enumerate(inside)})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolFailedError(
            f"could not {PURPOSE}: yosys ended well but left no netlist {SHELL} in {work}: "
            f"{error!r}"
        ) from error
    paths = {name.removeprefix(f"{STAGE}_"): path for name, path in found.items()}
    return Result(version, cells, paths)


def _synthesis(
    engine: Engine,
    split: Split,
    mapped: Mapping[str, Mapped],
    result: Result,
    seconds: float,
) -> Synthesis:
    counted = count_cells({k: n for k, n in result.cells.items() if k != "$scopeinfo"})
    names = [stage.name for stage in split.stages]
    by_module = {name: _stage(mapped[name].cells) for name in names if mapped[name].cells}
    return Synthesis(
        origin="yosys",
        version=result.version,
        total=counted.resources,
        details={
            **_details(engine, result.cells, counted, by_module),
            **timing_details(names, [mapped[name].longest for name in names], result.paths),
        },
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


def _digest(planned: Plan, engine: Engine) -> str:
    """Of all that a result follows from."""
    return digest_of(
        {
            "engine": engine.name,
            "yosys": engine_version(engine),
            "script": planned.script,
            "files": dict(planned.files),
            "delays": MODEL,
        }
    )


def _kept(cache: Cache, digest: str) -> Result | None:
    found = cache.get(digest)
    if found is None:
        return None
    paths = {place: Longest(**path) for place, path in found["paths"].items()}
    return Result(found["version"], found["cells"], paths)


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
