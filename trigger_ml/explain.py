"""Where witnesses part: the layer, or the pipeline stage, and the likely cause."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import Hdl, Run, Vectors
from trigger_ml.check.divergence import Divergence, first_divergence
from trigger_ml.check.equality import Comparison
from trigger_ml.design import Design
from trigger_ml.errors import ToolError
from trigger_ml.frontends.client import Frontend
from trigger_ml.graph.interpreter import trace_edges
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.lower.rtl import pipeline
from trigger_ml.lower.stream.write import StreamLogic
from trigger_ml.simulate.csim import CSimulation
from trigger_ml.simulate.probe import probe_stages

__all__ = ["explain_csim", "explain_outputs", "explain_source", "on_grid"]

EXPLAINED: Final = 64
"""Events that are traced layer by layer to find where two witnesses part."""
OFF_GRID: Final = np.iinfo(np.int64).min
"""Stands for a value that is no code; equal to no code of a type of up to 62 bits."""


def on_grid(values: NDArray[np.float64], kind: FixedType) -> Codes:
    """Values to codes; a value between two codes becomes one that equals nothing."""
    scaled = np.ldexp(values, kind.fraction)
    codes = np.rint(scaled).astype(np.int64)
    return np.where(codes == scaled, codes, OFF_GRID)


def explain_csim(
    simulation: CSimulation, network: FixedGraph, vectors: Vectors, run: Run, reference: Run
) -> Divergence | None:
    """First layer where the C simulation leaves the graph."""
    rows = _differing(run.codes, reference.codes)
    codes = vectors.codes[rows]
    shown, edges = simulation.trace(codes), trace_edges(network, codes)
    segment = vectors.segment_of(int(rows[0]))
    return first_divergence("csim~graph", network, shown, edges, rows, segment)


def explain_source(
    frontend: Frontend, graph: FixedGraph, vectors: Vectors, graph_run: Run, source: Run
) -> Divergence | None:
    """First layer where the source model leaves the graph."""
    rows = _differing(graph_run.codes, source.codes)
    codes = vectors.codes[rows]
    layers = frontend.trace(graph.decode_inputs(codes).astype(np.float32))
    shown = {
        node.name: on_grid(layers[node.source].reshape(len(rows), *node.shape), node.type)
        for node in graph.nodes
        if node.source in layers
    }
    edges = trace_edges(graph, codes)
    segment = vectors.segment_of(int(rows[0]))
    return first_divergence("source~graph", graph, shown, edges, rows, segment)


def explain_outputs(
    design: Design, comparisons: Mapping[str, Comparison], scratch: Path
) -> Divergence | None:
    """Where a witness that shows only its outputs parts from the graph."""
    graph, vectors = design.firmware, design.vectors
    for name, comparison in comparisons.items():
        if comparison.exact or comparison.first is None or comparison.codes is None:
            continue
        event, flat = comparison.first
        node, element = _output_element(graph, flat)
        left, right = comparison.codes
        cause = f"{comparison.mismatches:,} of {comparison.events:,} events differ at the outputs"
        if name == "rtl~graph" and design.config.verify.simulator != "ghdl":
            cause = f"{_inside_rtl(design, vectors.codes[event], scratch)}; {cause}"
        segment = vectors.segment_of(event)
        return Divergence(
            name, node.name, element, event, left, right, str(node.type), cause, segment
        )
    return None


def _inside_rtl(design: Design, event: Codes, scratch: Path) -> str:
    """Which pipeline stage goes wrong first, in words."""
    config = design.config
    if isinstance(design.logic, StreamLogic):
        return "the graph's own kernels are right, so look at windows, borders or a kernel's RTL"
    fsm = pipeline(design.logic, config.target, config.firmware.routing_margin)
    inputs = design.firmware.input_types
    try:
        found = probe_stages(design.rtl[Hdl.VERILOG], fsm, event, inputs, scratch / "probe")
    except ToolError as error:
        return f"the pipeline cannot be looked into ({error})"
    if found is None:
        return (
            "every stage is right while its input is held, so the timing is wrong: a register "
            "is missing or one too many"
        )
    return str(found)


def _output_element(graph: FixedGraph, flat: int) -> tuple[Node, int]:
    for node in graph.output_nodes:
        if flat < node.size:
            return node, flat
        flat -= node.size
    raise AssertionError("an element beyond the outputs")


def _differing(left: Codes, right: Codes) -> Codes:
    """Row numbers of the first events that differ, at least one."""
    rows = np.flatnonzero((left != right).any(axis=1))[:EXPLAINED]
    return rows if len(rows) else np.zeros(1, dtype=np.int64)
