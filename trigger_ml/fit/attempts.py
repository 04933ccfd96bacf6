"""Candidates of a network: traced once for each adder depth, cut for each margin, counted for
each throughput, all by the cost model. Nothing is written and no tool runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any, Final

from trigger_ml.artifacts import Synthesis
from trigger_ml.config import Config
from trigger_ml.fit.candidate import Candidate, Settings
from trigger_ml.graph.model import FixedGraph
from trigger_ml.lower.retime import cut
from trigger_ml.lower.rtl import trace_program
from trigger_ml.lower.stream.kernels import Kernel, cut_kernel
from trigger_ml.lower.stream.layout import StreamPlan
from trigger_ml.lower.stream.plan import lanes_for, plan
from trigger_ml.lower.stream.write import StreamLogic, trace_stream
from trigger_ml.lower.throughput import columns_per_clock
from trigger_ml.lower.wrapper import Core
from trigger_ml.synth.cost_model import estimate

__all__ = ["ADDER_DEPTHS", "MARGINS", "Attempts", "attempt"]

MARGINS: Final = (1.4, 1.3, 1.2, 1.1, 1.0)
"""Tried beside the one in the configuration; 1.0 leaves nothing for routing."""
ADDER_DEPTHS: Final = (-1, 0)
"""Tried beside the one in the configuration: share all sums that can be, and as many as the
fewest levels allow."""
PATIENCE_S: Final = 30.0
"""A network that takes longer to trace is traced no second time, so that no answer takes long."""
MOST_THROUGHPUTS: Final = 8


@dataclass(frozen=True, slots=True)
class Attempts:
    """candidates: the first is that of the configuration as it is. notes: what was left out."""

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Count:
    lut: float
    low: float
    ff: float
    dsp: float


def attempt(
    graph: FixedGraph, config: Config, moved: Callable[[int, int], None] | None = None
) -> Attempts:
    """Candidates of the graph that firmware is made from.

    Keys of ``firmware`` that the configuration gives stay as they are. moved: hears how many
    adder depths are done, and of how many. Raises ModelError and ConfigError for what has no
    firmware.
    """
    firmware = config.firmware
    depths = _tried(config, "adder_depth", firmware.adder_depth, ADDER_DEPTHS)
    margins = _tried(config, "routing_margin", firmware.routing_margin, MARGINS)
    margins = [margin for margin in margins if margin <= firmware.routing_margin]
    make = _streamed if firmware.streams(graph.streamable) else _flat
    found: list[Candidate] = []
    for done, depth in enumerate(depths):
        began = time.perf_counter()
        found += make(graph, _with(config, adder_depth=depth), margins)
        seconds = time.perf_counter() - began
        if moved is not None:
            moved(done + 1, len(depths))
        if seconds > PATIENCE_S and done + 1 < len(depths):
            left = ", ".join(str(depth) for depth in depths[done + 1 :])
            note = f"tracing took {seconds:.0f} s, so adder_depth {left} was not tried"
            return Attempts(tuple(found), (note,))
    return Attempts(tuple(found))


def _tried(config: Config, key: str, value: Any, others: Iterable[Any]) -> list[Any]:
    """Values of a key, that of the configuration first; it alone where it was given."""
    if key in config.firmware.model_fields_set:
        return [value]
    return [value, *(other for other in others if other != value)]


def _with(config: Config, **keys: Any) -> Config:
    firmware = config.firmware.model_copy(update=keys)
    return config.model_copy(update={"firmware": firmware})


def _flat(graph: FixedGraph, config: Config, margins: list[float]) -> list[Candidate]:
    """One pipeline that takes an event each clock."""
    clock_ns, depth = 1e3 / config.target.clock_mhz, config.firmware.adder_depth
    program = trace_program(graph, depth)
    found = []
    for margin in margins:
        fsm = cut(program, clock_ns / margin)
        cycles = Core.of_fsm("core", fsm).latency_cycles
        # The valid bit goes along with the data.
        counted = estimate(program, fsm, extra_ff=cycles)
        count = _counted(counted, config)
        worst = counted.details["worst_stage_ns"] or 0.0
        found.append(
            Candidate(
                Settings(margin, depth),
                clock_ns,
                cycles,
                1,
                count.lut,
                count.low,
                count.ff,
                count.dsp,
                float(worst),
            )
        )
    return found


def _streamed(graph: FixedGraph, config: Config, margins: list[float]) -> list[Candidate]:
    """A stream of columns; kernels do not depend on the columns of a clock."""
    layouts = [plan(graph, lanes) for lanes in _throughputs(graph, config)]
    traced = trace_stream(layouts[0], config.target, config.firmware).kernels
    found = []
    for margin in margins:
        kernels = {
            name: cut_kernel(kernel.plan, kernel.program, config.target, margin)
            for name, kernel in traced.items()
        }
        counts = {
            name: _counted(estimate(kernel.program, kernel.fsm), config)
            for name, kernel in kernels.items()
        }
        settings = Settings(margin, config.firmware.adder_depth)
        for layout in layouts:
            found.append(_at(layout, kernels, counts, config, settings))
    return found


def _at(
    layout: StreamPlan,
    kernels: Mapping[str, Kernel],
    counts: Mapping[str, _Count],
    config: Config,
    settings: Settings,
) -> Candidate:
    """A stream with the columns that a layout has."""
    own = {part.name: replace(kernels[part.name], plan=part) for part in layout.kernels}
    logic = StreamLogic(layout, own, config.firmware.flag_bits)
    shell = logic.shell
    each = [(counts[part.name], part.instances) for part in layout.kernels]
    return Candidate(
        replace(settings, columns_per_clock=layout.source.lanes),
        1e3 / config.target.clock_mhz,
        logic.latency_cycles,
        layout.groups,
        shell.lut + sum(count.lut * number for count, number in each),
        shell.lut + sum(count.low * number for count, number in each),
        shell.ff + sum(count.ff * number for count, number in each),
        sum(count.dsp * number for count, number in each),
        max(delay for kernel in own.values() for delay in kernel.stage_delays_ns),
    )


def _counted(counted: Synthesis, config: Config) -> _Count:
    """What the build will be judged by, as far as the cost model knows: where yosys counts, what
    it is predicted to count."""
    total = counted.total
    assert total.lut is not None and total.ff is not None and total.dsp is not None
    lut, low = total.lut, counted.details["band"]["lut"][0]
    if config.verify.engine == "yosys":
        predicted = counted.details["predicts"]["yosys"]["lut"]
        lut, low = predicted["value"], predicted["low"]
    return _Count(float(lut), float(low), float(total.ff), float(total.dsp))


def _throughputs(graph: FixedGraph, config: Config) -> list[int]:
    """Columns a clock: those of the configuration first, then more and fewer of them."""
    first = columns_per_clock(graph, config)
    if config.firmware.columns_per_clock is not None:
        return [first]
    width = graph.input_nodes[0].shape[1]
    lanes = sorted({lanes_for(graph, groups) for groups in range(1, width + 1)})
    steps = min(len(lanes), MOST_THROUGHPUTS)
    # Every so many of a growing list: dense where an image takes many clocks, sparse where few.
    picked = {lanes[floor(k * (len(lanes) - 1) / max(steps - 1, 1))] for k in range(steps)}
    near = lanes.index(first) if first in lanes else 0
    picked.update(lanes[near + 1 : near + 3])
    return [first, *sorted(picked - {first})]
