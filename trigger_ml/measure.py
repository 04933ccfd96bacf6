"""Every measurement of a design: all witnesses on the same vectors, cycles, counts, physics."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml import toolrun
from trigger_ml.artifacts import (
    CosimRun,
    Hdl,
    Run,
    Vectors,
    Verdict,
)
from trigger_ml.capacity import room_hint
from trigger_ml.check import physics
from trigger_ml.check.budget import (
    judge_equality,
    judge_resources,
    judge_timing,
    judge_vendor,
)
from trigger_ml.check.divergence import Divergence
from trigger_ml.check.equality import Comparison, compare
from trigger_ml.config import OutputKind
from trigger_ml.design import Design, Measurements, PhysicsFindings, SourceCheck
from trigger_ml.errors import ToolMissingError
from trigger_ml.explain import explain_csim, explain_outputs, explain_source, on_grid
from trigger_ml.frontends.client import Frontend
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Node, Softmax
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.lower.stream.write import StreamLogic
from trigger_ml.measure_edges import edge_decisions, judge_edges
from trigger_ml.measure_masks import judge_masks, mask_decisions
from trigger_ml.measure_resources import count_resources
from trigger_ml.progress import Stopwatch
from trigger_ml.report.ranges import ObservedRange, observe
from trigger_ml.simulate import csim
from trigger_ml.simulate.rtl import cosimulate, simulator
from trigger_ml.simulate.vectors import CORNERS, EVENTS
from trigger_ml.synth.devices import share

__all__ = ["anchors", "check_source", "measure"]

CROSS_SIMULATORS: Final = ("icarus", "ghdl")
CROSS_SHARE: Final = 4
"""A group of columns is so many times the logic of the vectors that verify.cross_simulate was
measured on."""
STREAM_EVENTS: Final = 100
"""Images through alkaid's own interpreter, kernel by kernel and column by column."""


def check_source(
    frontend: Frontend, network: FixedGraph, vectors: Vectors, clock: Stopwatch
) -> SourceCheck:
    """Evaluate the source model on all vectors and compare it with the graph."""
    values = network.decode_inputs(vectors.codes).astype(np.float32)
    with clock.stage("source", "source model in its own framework") as stage:
        outputs = frontend.evaluate(values)
        stage.note = f"{len(values):,} events"
    graph = replace(network, outputs=anchors(network))
    with clock.stage("graph", "fixed-point graph in NumPy integers") as stage:
        graph_codes = evaluate(graph, vectors.codes, stage.moved)
        stage.note = f"{len(values):,} events"
    codes = _source_codes(graph, outputs.logits.reshape(len(values), -1))
    run = Run("source", codes, clock.seconds["source"])
    graph_run = Run("graph", graph_codes, clock.seconds["graph"])
    comparison = compare(graph_run, run)
    divergence = None
    if not comparison.exact:
        divergence = explain_source(frontend, graph, vectors, graph_run, run)
    return SourceCheck(run, outputs.logits, outputs.tail, graph_run, comparison, divergence)


def anchors(network: FixedGraph) -> tuple[str, ...]:
    """The nodes that the source model's outputs, before their softmax, correspond to."""
    return tuple(
        node.inputs[0] if _stands_for_floats(node) else node.name for node in network.output_nodes
    )


def _stands_for_floats(node: Node) -> bool:
    return isinstance(node.operation, Softmax) and not node.operation.own


def _source_codes(graph: FixedGraph, values: NDArray[np.float64]) -> Codes:
    """Flat rows of the source's outputs as codes of the graph's output types."""
    ends = np.cumsum([node.size for node in graph.output_nodes])
    parts = np.split(values, ends[:-1], axis=1)
    return np.concatenate(
        [on_grid(part, n.type) for part, n in zip(parts, graph.output_nodes, strict=True)], axis=1
    )


def measure(design: Design, source: SourceCheck, scratch: Path, clock: Stopwatch) -> Measurements:
    """Run every other witness, count resources, judge. Works on two cores."""
    config, vectors = design.config, design.vectors
    with ThreadPoolExecutor(1) as side:
        try:
            hls = side.submit(_c_simulation, design, source, scratch / "csim", clock)
            counting = side.submit(count_resources, design, scratch / "synth", clock)
            graph = _graph_run(design.firmware, design, source)
            alkaid = _alkaid_run(design, clock)
            cosim = _main_simulation(design, graph, scratch, clock)
            cross = _cross_simulations(design, graph, scratch, clock)
            csim_run, csim_comparison, csim_divergence = hls.result()
            synthesis = counting.result()
        except BaseException:
            side.shutdown(wait=False, cancel_futures=True)
            toolrun.stop_all()
            raise
    comparisons = {"graph~source": source.comparison, "csim~graph": csim_comparison}
    for run in (alkaid, cosim.run, *(item.run for item in cross)):
        comparisons[f"{run.witness}~graph"] = compare(run, graph)
    divergence = source.divergence or csim_divergence
    if divergence is None:
        divergence = explain_outputs(design, comparisons, scratch)
    with clock.stage("physics", "physics metrics and ranges"):
        found = _physics(design, source, graph)
        ranges = _ranges(design.firmware, vectors)
    counted = synthesis[-1]
    verdicts = (
        *judge_equality(comparisons),
        *judge_timing(cosim, config.target.clock_mhz, config.budget),
        *judge_resources(
            share(counted.total, design.device),
            counted.origin,
            config.budget,
            room_hint(design.logic, synthesis, config, design.device),
        ),
        *judge_vendor(synthesis, config.target.clock_mhz),
        *_softmax_decisions(design, source, graph),
        *mask_decisions(found, source),
        *edge_decisions(found, source),
    )
    runs = (source.run, graph, csim_run, alkaid)
    return Measurements(
        graph, runs, comparisons, divergence, cosim, cross, synthesis, ranges, found, verdicts
    )


def _graph_run(graph: FixedGraph, design: Design, source: SourceCheck) -> Run:
    """A graph on all vectors; the source check's run where it has the same outputs."""
    if graph.outputs == anchors(design.network):
        return source.graph_run
    codes = evaluate(graph, design.vectors.codes)
    return Run("graph", codes, source.graph_run.seconds)


def _alkaid_run(design: Design, clock: Stopwatch) -> Run:
    with clock.stage("alkaid", "alkaid interpreter") as stage:
        logic, codes = design.logic, design.vectors.codes
        count = STREAM_EVENTS if isinstance(logic, StreamLogic) else len(codes)
        codes = logic.predict(codes[:count])
        stage.note = f"{len(codes):,} events"
    return Run("alkaid", codes, clock.seconds["alkaid"])


def _main_simulation(design: Design, graph: Run, scratch: Path, clock: Stopwatch) -> CosimRun:
    """All corners and the events asked for, back to back, through the chosen simulator."""
    name = design.config.verify.simulator
    corners = design.vectors.rows(CORNERS).stop
    count = corners + design.config.verify.cosim_events
    return _cosimulation(design, graph, name, count, scratch, clock)


def _cross_simulations(
    design: Design, graph: Run, scratch: Path, clock: Stopwatch
) -> tuple[CosimRun, ...]:
    """A few vectors through the other simulators that are installed, VHDL included."""
    count = design.config.verify.cross_simulate
    stream = design.rtl[Hdl.VERILOG].stream
    if stream is not None:
        count = ceil(count / (stream.groups * CROSS_SHARE))
    found = []
    for name in CROSS_SIMULATORS:
        if name == design.config.verify.simulator or count == 0:
            continue
        if design.rtl.keys().isdisjoint(simulator(name).hdls):
            continue
        try:
            simulator(name).version()
        except ToolMissingError:
            continue
        cosim = _cosimulation(design, graph, name, count, scratch, clock)
        found.append(replace(cosim, run=replace(cosim.run, witness=name)))
    return tuple(found)


def _cosimulation(
    design: Design, graph: Run, name: str, count: int, scratch: Path, clock: Stopwatch
) -> CosimRun:
    chosen = simulator(name)
    hdl = Hdl.VERILOG if Hdl.VERILOG in chosen.hdls else Hdl.VHDL
    vectors = design.vectors.codes[:count]
    with clock.stage(f"cosim_{name}", f"cocotb on {name}, {hdl.value}") as stage:
        cosim = cosimulate(
            design.rtl[hdl],
            vectors,
            expected=graph.codes[:count],
            input_types=design.firmware.input_types,
            output_types=design.firmware.output_types,
            simulator=chosen,
            work=scratch / f"cosim_{name}",
            progress=stage.moved,
        )
        stage.note = (
            f"{cosim.events:,} events, latency {cosim.latency_cycles} clocks, "
            f"build {cosim.build_seconds:.0f} s"
        )
    return cosim


def _c_simulation(
    design: Design, source: SourceCheck, work: Path, clock: Stopwatch
) -> tuple[Run, Comparison, Divergence | None]:
    """Build and run the HLS project, compare it with the network's graph, explain."""
    vectors, network = design.vectors, design.network
    with clock.stage("csim_build", f"C simulation: build ({design.hls.backend}, g++)"):
        simulation = csim.build(design.hls, network, work)
    with clock.stage("csim", "C simulation: run") as stage:
        asked = design.config.verify.csim_events
        count = len(vectors.codes) if asked is None else vectors.rows(CORNERS).stop + asked
        run = simulation.run(vectors.codes[:count], stage.moved)
        stage.note = f"{len(run.codes):,} events"
    reference = _graph_run(network, design, source)
    comparison = compare(run, reference)
    divergence = None
    if not comparison.exact:
        divergence = explain_csim(simulation, network, vectors, run, reference)
    return run, comparison, divergence


def _physics(design: Design, source: SourceCheck, graph: Run) -> PhysicsFindings | None:
    """Float, quantized and firmware on the labelled events; None without labels."""
    vectors = design.vectors
    rows = vectors.rows(EVENTS)
    if vectors.masks is not None:
        return judge_masks(design, vectors.masks, source, graph)
    if vectors.edges is not None:
        return judge_edges(design, vectors.edges, source, graph)
    if vectors.labels is None:
        return None
    network = design.network.by_name[anchors(design.network)[0]]
    firmware, quantized = network.type.decode(source.graph_run.codes[rows]), source.logits[rows]
    if isinstance(network.operation, Softmax):
        firmware, quantized = (_as_logits(part, network.type) for part in (firmware, quantized))
    elif design.config.firmware.output is OutputKind.SOFTMAX:
        kind = design.firmware.output_nodes[0].type
        firmware = _as_logits(kind.decode(graph.codes[rows]), kind)
    return physics.compare(
        design.float_scores,
        quantized,
        firmware,
        vectors.labels,
        design.class_names,
        seed=vectors.seed,
    )


def _as_logits(probabilities: NDArray[np.float64], kind: FixedType) -> NDArray[np.float64]:
    """Logarithms, of half a step where a probability is zero."""
    return np.log(np.maximum(probabilities, kind.step / 2))


def _softmax_decisions(design: Design, source: SourceCheck, graph: Run) -> tuple[Verdict, ...]:
    """How many decisions the firmware's softmax changes, against the source's float one.

    A statement, not a limit: the tables are coarser than floating point by design.
    """
    if design.config.firmware.output is not OutputKind.SOFTMAX or source.tail is None:
        return ()
    events = design.vectors.rows(EVENTS)
    rows = events if events.stop > events.start else slice(0, len(graph.codes))
    flips = int((graph.codes[rows].argmax(axis=1) != source.tail[rows].argmax(axis=1)).sum())
    count = len(graph.codes[rows])
    text = f"{flips:,} of {count:,} decisions differ from the float softmax"
    return (Verdict("softmax decisions", True, text),)


def _ranges(graph: FixedGraph, vectors: Vectors) -> dict[str, ObservedRange]:
    """Codes seen on every edge: over the events, or over all vectors where there are none."""
    rows = vectors.rows(EVENTS)
    codes = vectors.codes[rows] if rows.stop > rows.start else vectors.codes
    return observe(graph, codes)
