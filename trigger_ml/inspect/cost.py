"""What a graph takes in firmware, before it is made: by rules of thumb, or traced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final

from trigger_ml.config import Config
from trigger_ml.graph.model import FixedGraph
from trigger_ml.lower.stream.layout import KernelPlan, Repeat, StreamPlan
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.throughput import columns_per_clock
from trigger_ml.synth.rough import Rough, rough_counts

__all__ = ["COST_MODEL", "ROUGH", "Cost", "rough_cost", "traced_cost"]

ROUGH: Final = "rough"
COST_MODEL: Final = "cost_model"
HALF_A_STAGE: Final = 0.5
"""A pipeline is cut between operations, so about half a stage is lost in all."""


@dataclass(frozen=True, slots=True)
class Cost:
    """origin: ROUGH or COST_MODEL. lut: of the whole firmware. by_node: LUTs of nodes; what is
    not named is counted with another. latency_ns: of nodes, room for routing included.
    latency_cycles, ii_cycles: clocks of an event, and from one to the next."""

    origin: str
    lut: float
    by_node: Mapping[str, float]
    latency_ns: Mapping[str, float]
    latency_cycles: int
    ii_cycles: int


def rough_cost(graph: FixedGraph, config: Config) -> Cost:
    """By :mod:`trigger_ml.synth.rough`: no figure is exact but the initiation interval.

    A stream's registers and gates between its kernels are left out. Raises ModelError and
    ConfigError for what has no firmware.
    """
    if config.firmware.streams(graph.streamable):
        return _rough_stream(graph, config)
    counts = rough_counts(graph)
    stages = _longest(graph, counts) / _stage_ns(config)
    return Cost(
        ROUGH,
        sum(item.lut for item in counts.values()),
        {name: item.lut for name, item in counts.items()},
        _with_routing(counts, config),
        ceil(stages + HALF_A_STAGE) + 1,
        1,
    )


def _rough_stream(graph: FixedGraph, config: Config) -> Cost:
    layout = plan(graph, columns_per_clock(graph, config))
    by_node = dict.fromkeys(graph.by_name, 0.0)
    delays: dict[str, float] = {}
    cycles: dict[str, int] = {}
    for part in layout.kernels:
        counts = rough_counts(part.graph)
        for name, item in counts.items():
            owner = _owner(name, part, graph)
            by_node[owner] += item.lut * part.instances
            delays[owner] = max(delays.get(owner, 0.0), item.delay_ns)
        stages = _longest(part.graph, counts) / _stage_ns(config)
        cycles[part.name] = ceil(stages + HALF_A_STAGE)
    margin = config.firmware.routing_margin
    return Cost(
        ROUGH,
        sum(by_node.values()),
        by_node,
        {name: delay * margin for name, delay in delays.items()},
        layout.groups + layout.flush + _pipeline_cycles(layout, cycles),
        layout.groups,
    )


def traced_cost(graph: FixedGraph, config: Config) -> Cost:
    """By alkaid's cost model, as a compilation counts it: seconds, or minutes for large networks.

    Activations count with the layer before them, and a stream's layers with their kernel.
    Raises ModelError and ConfigError for what has no firmware.
    """
    from trigger_ml.capacity import count_stream
    from trigger_ml.lower.build import trace_firmware
    from trigger_ml.lower.rtl import pipeline
    from trigger_ml.lower.stream.write import StreamLogic
    from trigger_ml.lower.wrapper import Core
    from trigger_ml.synth.cost_model import estimate

    logic = trace_firmware(graph, config)
    margin = config.firmware.routing_margin
    if isinstance(logic, StreamLogic):
        counted = count_stream(logic)
        period = 1e3 / config.target.clock_mhz
        latency = {k: kernel.latency_cycles * period for k, kernel in logic.kernels.items()}
        cycles, interval = logic.latency_cycles, logic.plan.groups
    else:
        fsm = pipeline(logic, config.target, margin)
        cycles, interval = Core.of_fsm("core", fsm).latency_cycles, 1
        counted = estimate(logic.program, fsm, layer_lut=logic.layer_cost, extra_ff=cycles)
        ends = [0.0, *logic.layer_delay.values()]
        own = (end - start for start, end in pairwise(ends))
        latency = {name: ns * margin for name, ns in zip(logic.layer_delay, own, strict=True)}
    by_node = {k: v.lut for k, v in counted.by_layer.items() if v.lut is not None}
    assert counted.total.lut is not None
    return Cost(COST_MODEL, counted.total.lut, by_node, latency, cycles, interval)


def _owner(name: str, part: KernelPlan, graph: FixedGraph) -> str:
    """The node of the network that a kernel's node belongs to: kernels for rows split some."""
    for known in (name, name.rpartition("_")[0]):
        if known in graph.by_name:
            return known
    return part.name


def _longest(graph: FixedGraph, counts: Mapping[str, Rough]) -> float:
    """Delay of the longest path from an input to an output, in ns."""
    ends: dict[str, float] = {}
    for node in graph.nodes:
        start = max((ends[name] for name in node.inputs), default=0.0)
        ends[node.name] = start + counts[node.name].delay_ns
    return max(ends[name] for name in graph.outputs)


def _with_routing(counts: Mapping[str, Rough], config: Config) -> dict[str, float]:
    return {k: item.delay_ns * config.firmware.routing_margin for k, item in counts.items()}


def _stage_ns(config: Config) -> float:
    """Logic delay that a pipeline stage may have."""
    return 1e3 / config.target.clock_mhz / config.firmware.routing_margin


def _pipeline_cycles(layout: StreamPlan, cycles: Mapping[str, int]) -> int:
    """Registers from the input register to the output, as ``lower.stream.schedule`` counts."""
    clocks = {layout.source.name: 0}
    for part in layout.parts:
        if isinstance(part, Repeat):
            clocks[part.output.name] = clocks[part.source.name]
        else:
            start = max(clocks[read.stream.name] for read in part.reads)
            clocks[part.output.name] = start + cycles[part.name]
    return clocks[layout.result.name]
