"""From a FixedGraph to pipelined RTL, by way of alkaid."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from alkaid.codegen import RTLModel
from alkaid.trace import trace
from alkaid.trace.passes import dead_code_elimin, optimize
from alkaid.trace.passes.order import canonical_sort, topo_bandwidth_sort
from alkaid.trace.passes.surrogate import add_surrogate
from numpy.typing import NDArray

from trigger_ml.artifacts import Hdl, RtlProject
from trigger_ml.config import Firmware, Target
from trigger_ml.graph.model import FixedGraph, Input
from trigger_ml.graph.operations import WEIGHTED
from trigger_ml.graph.types import Codes
from trigger_ml.lower.replay import replay
from trigger_ml.lower.retime import cut
from trigger_ml.lower.wrapper import Core, write_wrapper

__all__ = [
    "Logic",
    "pipeline",
    "sound_trace",
    "trace_graph",
    "trace_program",
    "write_core",
    "write_rtl",
]

PROBES: Final = 2000
"""Draws on which an optimization must change nothing."""
SUFFIX: Final = {Hdl.VERILOG: "v", Hdl.VHDL: "vhd"}


@dataclass(frozen=True, slots=True)
class Logic:
    """The traced network: alkaid's combinational program and what each layer adds to its cost.

    layer_cost: estimated LUTs by layer; activations count with the layer before them.
    layer_delay: estimated logic delay from the inputs to the end of each layer, in ns.
    layer_programs: alkaid's program from the inputs to the end of each layer.
    """

    graph: FixedGraph
    program: Any
    layer_cost: Mapping[str, float]
    layer_delay: Mapping[str, float]
    layer_programs: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, codes: Codes) -> Codes:
        """alkaid's own interpreter on rows of input codes, shape (events, input_size)."""
        raw = self.program.predict(self.graph.decode_inputs(codes))
        fractions = np.array([kind.fraction for kind in self.graph.output_types])
        return np.asarray(np.ldexp(raw, fractions), dtype=np.int64)


def trace_graph(graph: FixedGraph, adder_depth: int = Firmware().adder_depth) -> Logic:
    """Trace a graph. Raises ModelError for what alkaid cannot express.

    adder_depth: levels of adders that a constant matrix product may take beyond its shortest
    form, to share more of them; -1 is any number.
    """
    edges, inputs, program = _traced(graph, adder_depth)
    programs = _by_layer(graph, edges, inputs, program)
    ends = [0.0, *(partial.cost for partial in programs.values())]
    cost = {
        layer: end - start for layer, (start, end) in zip(programs, pairwise(ends), strict=True)
    }
    delay = {layer: float(partial.latency[1]) for layer, partial in programs.items()}
    return Logic(graph, program, cost, delay, programs)


def trace_program(graph: FixedGraph, adder_depth: int) -> Any:
    """alkaid's program of a graph, as in :func:`trace_graph`, without what each layer takes."""
    return _traced(graph, adder_depth)[-1]


def _traced(graph: FixedGraph, adder_depth: int) -> tuple[Mapping[str, Any], Any, Any]:
    """The symbols on every edge, those of the inputs in a row, and the program."""
    edges = replay(graph, adder_depth)
    inputs = np.concatenate([np.ravel(edges[node.name]) for node in graph.input_nodes])
    outputs = np.concatenate([np.ravel(edges[name]) for name in graph.outputs])
    return edges, inputs, sound_trace(inputs, outputs)


def sound_trace(inputs: Any, outputs: Any) -> Any:
    """Trace and optimize, and keep the optimization only where it changes no result.

    alkaid 0.8.2 optimizes some one-bit results wrongly (canonicalize_msb_wraps drops a shift).
    """
    plain = trace(inputs, outputs, optimize=False)
    program = optimize(plain, keep_dead_inputs=True)
    probes = _probes(inputs)
    if np.array_equal(plain.predict(probes), program.predict(probes)):
        return program
    return topo_bandwidth_sort(
        canonical_sort(add_surrogate(dead_code_elimin(plain, keep_dead_inputs=True)))
    )


def _probes(inputs: Any) -> NDArray[np.float64]:
    """Inputs to try: both ends of every range, zero, and draws between them."""
    low = np.array([float(item.low) for item in inputs])
    high = np.array([float(item.high) for item in inputs])
    step = np.array([float(item.step) for item in inputs])
    draws = np.random.default_rng(0).random((PROBES, len(inputs)))
    rows = np.concatenate([low[None], high[None], low + draws * (high - low)])
    return np.asarray(np.floor(rows / step) * step)


def write_rtl(
    logic: Logic, target: Target, routing_margin: float, top: str, hdl: Hdl, directory: Path
) -> RtlProject:
    """Cut the logic into pipeline stages for the target clock and write it, with its top.

    routing_margin: clock period over the longest estimated logic delay of a stage; what is
    left is for routing. directory: a new folder for the sources.
    """
    core_name = f"{top}_core"
    fsm = pipeline(logic, target, routing_margin)
    core, sources = write_core(fsm, target, core_name, top, hdl, directory)
    graph = logic.graph
    inputs = graph.input_types
    outputs = graph.output_types
    for name, text in write_wrapper(top, core, inputs, outputs, hdl).items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        sources.append(path)
    return RtlProject(
        directory,
        hdl,
        top,
        core_name,
        tuple(sources),
        core.latency_cycles,
        sum(kind.width for kind in inputs),
        sum(kind.width for kind in outputs),
        target.clock_mhz,
    )


def write_core(
    fsm: Any, target: Target, core_name: str, prefix: str, hdl: Hdl, directory: Path
) -> tuple[Core, list[Path]]:
    """Write a pipeline's own modules; its ports, and its sources in compile order.

    fsm: as :func:`trigger_ml.lower.retime.cut` gives it. prefix: of its stages' names.
    directory: made if need be; alkaid's library files in it may be another core's.
    """
    raw = directory.with_name(f"{directory.name}.{core_name}.alkaid")
    model = RTLModel(
        fsm,
        raw,
        prj_name=core_name,
        flavor=hdl.value,
        part_name=target.part,
        clock_period=1e3 / target.clock_mhz,
        print_latency=False,
        ternary_fuse=False,
    )
    model.write()
    directory.mkdir(parents=True, exist_ok=True)
    sources = _collect(raw / "src", prefix, core_name, SUFFIX[hdl], directory)
    shutil.rmtree(raw)
    return Core.of_fsm(core_name, model.fsm), sources


def pipeline(logic: Logic, target: Target, routing_margin: float) -> Any:
    """alkaid's description of the pipeline that :func:`write_rtl` writes."""
    return cut(logic.program, 1e3 / target.clock_mhz / routing_margin)


def _collect(source: Path, top: str, core: str, suffix: str, directory: Path) -> list[Path]:
    """Copy alkaid's sources flat, in compile order: library, tables, stages, core.

    The stages, which alkaid calls logic0, logic1, ..., get the top's name, so that two networks
    can stand in one design.
    """
    library = [
        *sorted((source / "static").glob(f"*.{suffix}")),
        *source.glob(f"{core}_tables.{suffix}"),
    ]
    files = [Path(shutil.copy(path, directory)) for path in library]
    stages = sorted(source.glob(f"logic*.{suffix}"), key=lambda path: int(path.stem[5:]))
    for path in [*stages, source / f"{core}.{suffix}"]:
        text = re.sub(r"\blogic(\d+)\b", rf"{top}_stage\1", path.read_text(encoding="utf-8"))
        target = directory / re.sub(r"^logic", f"{top}_stage", path.name)
        target.write_text(text, encoding="utf-8")
        files.append(target)
    return files


def _by_layer(
    graph: FixedGraph, edges: Mapping[str, Any], inputs: Any, program: Any
) -> dict[str, Any]:
    """Programs that end with each group of a layer and the activations after it."""
    groups: list[tuple[str, str]] = []
    for node in graph.nodes:
        if isinstance(node.operation, Input):
            continue
        if isinstance(node.operation, WEIGHTED) or not groups:
            groups.append((node.name, node.name))
        else:
            groups[-1] = (groups[-1][0], node.name)
    found = {
        layer: trace(inputs, np.ravel(edges[last]), keep_dead_inputs=True)
        for layer, last in groups[:-1]
    }
    return {**found, **{layer: program for layer, _ in groups[-1:]}}
