"""Stages mapped to LUTs and carry chains, each by itself, and each only once.

What a stage is mapped to follows from its text, the script and the version of yosys alone: it is
mapped on a state of yosys that no other stage has touched. So it may come from a cache, and from
a process that maps other stages as well.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import ToolFailedError
from trigger_ml.synth.yosys_cache import Cache, digest_of
from trigger_ml.synth.yosys_engine import PURPOSE, Engine, engine_version, run_commands
from trigger_ml.synth.yosys_modules import STAGE, Stage
from trigger_ml.synth.yosys_paths import MODEL, Longest, longest_inside
from trigger_ml.synth.yosys_script import libraries, stage_script
from trigger_ml.toolrun import Command, run_all

__all__ = ["Mapped", "map_stages"]

PER_PROCESS: Final = 3
"""Stages that are worth a process: it reads yosys's libraries before the first."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One stage after mapping. rtlil: yosys's own netlist of it, named STAGE. cells: number by
    type. longest: its slowest path."""

    rtlil: str
    cells: Mapping[str, int]
    longest: Longest


def map_stages(
    stages: Sequence[Stage],
    work: Path,
    engine: Engine,
    *,
    cache: Cache | None = None,
    jobs: int | None = None,
    timeout_s: float | None = None,
) -> dict[str, Mapped]:
    """Map stages, each text once; results by the name of the stage.

    work: folder for scripts and netlists, made if need be. cache: where results are looked up and
    kept. jobs: processes at once, one for each core when None.
    Raises ToolFailedError when yosys fails, or leaves no netlist.
    """
    if not stages:
        return {}
    identity = {"engine": engine.name, "yosys": _version(engine, cache)}
    digests = {stage.name: _digest(stage, identity) for stage in stages}
    found: dict[str, Mapped] = {}
    missing: dict[str, Stage] = {}
    for stage in stages:
        digest = digests[stage.name]
        if digest in found or digest in missing:
            continue
        kept = cache.get(digest) if cache else None
        if kept is not None:
            found[digest] = _read(kept)
        else:
            missing[digest] = stage
    if missing:
        found |= _run(missing, work, engine, cache, jobs, timeout_s)
    return {stage.name: found[digests[stage.name]] for stage in stages}


def _version(engine: Engine, cache: Cache | None) -> str:
    return engine_version(engine) if cache else ""


def _digest(stage: Stage, identity: Mapping[str, str]) -> str:
    script = libraries([stage.text]) + stage_script("stage", stage.text)
    return digest_of({**identity, "script": script, "text": stage.text, "delays": MODEL})


def _run(
    missing: Mapping[str, Stage],
    work: Path,
    engine: Engine,
    cache: Cache | None,
    jobs: int | None,
    timeout_s: float | None,
) -> dict[str, Mapped]:
    work.mkdir(parents=True, exist_ok=True)
    # The longest texts first, dealt out in turn, so that processes end at about the same time.
    order = sorted(missing.items(), key=lambda item: -len(item[1].text))
    # File names stand in netlists, which must not depend on what else is mapped.
    names = {digest: f"stage_{digest[:16]}" for digest, _ in order}
    scripts: dict[str, list[str]] = defaultdict(list)
    for digest, stage in order:
        name = names[digest]
        (work / f"{name}.v").write_text(stage.text, encoding="utf-8")
        script = stage_script(name, stage.text)
        (work / f"{name}.ys").write_text(script, encoding="utf-8")
        scripts[libraries([stage.text])].append(f"{name}.ys")
    at_once = jobs or os.cpu_count() or 1
    commands: list[Command] = []
    for cells, group in scripts.items():
        processes = min(at_once, ceil(len(group) / PER_PROCESS))
        commands += run_commands(engine, cells, group, work, processes, timeout_s)
    run_all(commands, at_once)
    found = {}
    for digest, _ in order:
        result = _collect(work, names[digest])
        if cache:
            cache.put(digest, result)
        found[digest] = _read(result)
    if cache:
        cache.trim()
    return found


def _collect(work: Path, name: str) -> dict[str, Any]:
    """What a run left of one stage, as it is kept."""
    try:
        rtlil = (work / f"{name}.il").read_text(encoding="utf-8")
        netlist = json.loads((work / f"{name}.json").read_text(encoding="utf-8"))
        statistics = json.loads((work / f"{name}.stat.json").read_text(encoding="utf-8"))
        cells = statistics["modules"][f"\\{STAGE}"]["num_cells_by_type"]
        longest = longest_inside(netlist["modules"][STAGE])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolFailedError(
            f"could not {PURPOSE}: yosys ended well but left no netlist of {name} in {work}: "
            f"{error!r}"
        ) from error
    return {
        "rtlil": rtlil,
        "cells": {cell.removeprefix("\\"): int(number) for cell, number in cells.items()},
        "longest": asdict(longest),
    }


def _read(result: Mapping[str, Any]) -> Mapped:
    return Mapped(result["rtlil"], result["cells"], Longest(**result["longest"]))
