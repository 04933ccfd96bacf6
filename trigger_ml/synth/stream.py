"""Resources of a streamed top: each kernel counted once, times its instances, and the rest.

Kernels are modules of their own with registered outputs, so nothing is merged across their
borders: the sum is what a whole synthesis would find, short of what a vendor tool might share.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from trigger_ml.artifacts import Resources, RtlProject, Synthesis
from trigger_ml.synth.calibration import band, predicted
from trigger_ml.synth.cost_model import estimate
from trigger_ml.synth.operation_counts import Counts, count_operations
from trigger_ml.synth.yosys import split_project, synthesize
from trigger_ml.synth.yosys_cache import Cache
from trigger_ml.synth.yosys_engine import find_engine
from trigger_ml.synth.yosys_stages import map_stages
from trigger_ml.synth.yosys_timing import joined_timing

__all__ = ["KernelLogic", "estimate_stream", "kernel_project", "synthesize_stream"]

SHELL: Final = "shell"


@dataclass(frozen=True, slots=True)
class KernelLogic:
    """A kernel as the cost model needs it. stage_delays_ns: with the gate before the first."""

    name: str
    program: Any
    fsm: Any
    instances: int
    stage_delays_ns: tuple[float, ...]


def estimate_stream(kernels: Sequence[KernelLogic], shell_lut: float, shell_ff: float) -> Synthesis:
    """What a streamed top takes, by the cost model of its kernels and a count of the rest.

    shell_lut, shell_ff: of everything around the kernels.
    """
    started = time.perf_counter()
    found = [(kernel, estimate(kernel.program, kernel.fsm)) for kernel in kernels]
    total = _sum(
        [Resources(shell_lut, shell_ff, 0.0, 0.0, 0.0)],
        [(item.total, kernel.instances) for kernel, item in found],
    )
    delays = [delay for kernel in kernels for delay in kernel.stage_delays_ns]
    summed = {
        key: sum(item.details[key] * kernel.instances for kernel, item in found)
        for key in ("lut_logic", "lut_shift_register", "lut_binary_adders", "register_bits")
    }
    counts = Counts()
    for kernel in kernels:
        counts = counts.plus(count_operations(kernel.fsm), kernel.instances)
    assert total.lut is not None and total.ff is not None
    details = {
        "lut_raw": total.lut,
        **summed,
        "lut_shell": shell_lut,
        "stages": len(delays),
        "kernel_stages": {kernel.name: len(kernel.stage_delays_ns) for kernel in kernels},
        "stage_delays_ns": delays,
        "worst_stage_ns": max(delays, default=None),
        "kernels": _table({kernel.name: (item, kernel.instances) for kernel, item in found}),
        "predicts": predicted(counts, summed["lut_shift_register"] + shell_lut, total.ff),
        "band": band(total.lut, total.ff),
    }
    return Synthesis(
        origin="cost_model",
        version=found[0][1].version,
        total=total,
        by_layer={
            kernel.name: _sum([], [(item.total, kernel.instances)]) for kernel, item in found
        },
        details=details,
        seconds=time.perf_counter() - started,
    )


def synthesize_stream(project: RtlProject, *, work: Path, cache: Cache | None = None) -> Synthesis:
    """Count a streamed project's top by yosys, every kernel once.

    The stages of all kernels are mapped side by side, and each only where the cache has it not.
    Raises as :func:`trigger_ml.synth.yosys.synthesize`.
    """
    assert project.stream is not None
    started = time.perf_counter()
    engine = find_engine()
    work.mkdir(parents=True, exist_ok=True)
    parts = {name: kernel_project(project, name) for name in project.stream.kernels}
    parts[SHELL] = _shell_project(project, work)
    stages = [stage for part in parts.values() for stage in split_project(part).stages]
    mapped = map_stages(stages, work / "stages", engine, cache=cache)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        running = {
            name: pool.submit(
                synthesize, part, work=work / name, engine=engine, cache=cache, mapped=mapped
            )
            for name, part in parts.items()
        }
        found = {name: future.result() for name, future in running.items()}
    counts = {**project.stream.kernels, SHELL: 1}
    total = _sum([], [(item.total, counts[name]) for name, item in found.items()])
    cells: dict[str, int] = {}
    for name, item in found.items():
        for cell, number in item.details["cells"].items():
            if cell not in project.stream.kernels:
                cells[cell] = cells.get(cell, 0) + number * counts[name]
    first = found[SHELL]
    details = {
        "engine": first.details["engine"],
        "family": first.details["family"],
        "cells": dict(sorted(cells.items())),
        "kernels": _table({name: (item, counts[name]) for name, item in found.items()}),
        **joined_timing([item.details for item in found.values()]),
    }
    return Synthesis(
        origin="yosys",
        version=first.version,
        total=total,
        details=details,
        seconds=time.perf_counter() - started,
    )


def kernel_project(project: RtlProject, name: str) -> RtlProject:
    """One kernel as a project of its own: its module, its pipeline, alkaid's library."""
    assert project.stream is not None
    others = [re.escape(kernel) for kernel in project.stream.kernels if kernel != name]
    foreign = re.compile(rf"({'|'.join(others) or '$^'})(_core|_stage\d|\.)|trigger_ml_stream_")
    sources = tuple(
        source
        for source in project.sources
        if not foreign.match(source.name) and source.stem != project.top
    )
    return replace(project, top=name, core=f"{name}_core", sources=sources, stream=None)


def _shell_project(project: RtlProject, work: Path) -> RtlProject:
    """The top with empty kernels."""
    assert project.stream is not None
    stubs = []
    for name in project.stream.kernels:
        text = (project.directory / f"{name}.v").read_text(encoding="utf-8")
        head = re.search(rf"^module {re.escape(name)} \(.*?\);", text, re.DOTALL | re.MULTILINE)
        assert head is not None
        stub = work / f"{name}.v"
        stub.write_text(f"(* blackbox *)\n{head.group()}\nendmodule\n", encoding="utf-8")
        stubs.append(stub)
    own = [source for source in project.sources if source.name.startswith("trigger_ml_stream_")]
    own += [source for source in project.sources if source.stem == project.top]
    return replace(project, sources=(*stubs, *own), stream=None)


def _sum(once: Sequence[Resources], times: Sequence[tuple[Resources, int]]) -> Resources:
    """Counts added up; None where one of them does not say."""
    parts = [*((item, 1) for item in once), *times]
    totals: dict[str, float | None] = {}
    for item in fields(Resources):
        values = [(getattr(part, item.name), count) for part, count in parts]
        known = all(value is not None for value, _ in values)
        totals[item.name] = sum(value * count for value, count in values) if known else None
    return Resources(**totals)


def _table(found: Mapping[str, tuple[Synthesis, int]]) -> dict[str, dict[str, Any]]:
    return {
        name: {"instances": count, **item.total.to_json()} for name, (item, count) in found.items()
    }
