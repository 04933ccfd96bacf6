"""A kernel's logic: traced once, instantiated for every lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from alkaid.trace.passes import add_surrogate

from trigger_ml.config import Target
from trigger_ml.graph.types import Codes
from trigger_ml.lower.replay import replay
from trigger_ml.lower.retime import cut
from trigger_ml.lower.rtl import sound_trace
from trigger_ml.lower.stream.layout import KernelPlan
from trigger_ml.lower.wrapper import Core

__all__ = ["BORDER_NS", "Kernel", "cut_kernel", "trace_kernel"]

BORDER_NS: Final = 0.3
"""Logic before a kernel's first stage: the gate that makes taps outside the image zero. One LUT
and its net, as alkaid counts a step of one-bit logic."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A traced kernel.

    program: alkaid's combinational program. Inputs are the windows of the plan's reads one after
    the other, each column by column, rows outside, channels inside; the output is one column.
    fsm: the pipeline cut from it, registered at its output only. latency_cycles: its registers.
    """

    plan: KernelPlan
    program: Any
    fsm: Any
    latency_cycles: int

    @property
    def stage_delays_ns(self) -> tuple[float, ...]:
        """Estimated logic delay of every stage, the gate before the first one included."""
        return tuple(
            float(add_surrogate(stage, _skip_op8_cost=True).latency[1])
            + (BORDER_NS if k == 0 else 0)
            for k, stage in enumerate(self.fsm.logic.values())
        )

    def predict(self, windows: Codes) -> Codes:
        """alkaid's own interpreter on rows of window codes, in the order of the inputs."""
        graph = self.plan.graph
        fractions = np.repeat(
            [node.type.fraction for node in graph.input_nodes],
            [node.size for node in graph.input_nodes],
        )
        raw = self.program.predict(np.ldexp(windows.astype(np.float64), -fractions))
        return np.asarray(np.ldexp(raw, graph.output_nodes[0].type.fraction), dtype=np.int64)


def trace_kernel(
    plan: KernelPlan, target: Target, routing_margin: float, adder_depth: int
) -> Kernel:
    """Trace a kernel and cut it for the target clock.

    routing_margin: clock period over the longest estimated logic delay of a stage.
    Raises ModelError for what alkaid cannot express.
    """
    edges = replay(plan.graph, adder_depth)
    inputs = np.concatenate([_by_columns(edges[node.name]) for node in plan.graph.input_nodes])
    outputs = _by_columns(edges[plan.graph.outputs[0]])
    return cut_kernel(plan, sound_trace(inputs, outputs), target, routing_margin)


def cut_kernel(plan: KernelPlan, program: Any, target: Target, routing_margin: float) -> Kernel:
    """A kernel of a program that was traced before, cut for the target clock."""
    stage_ns = 1e3 / target.clock_mhz / routing_margin
    fsm = cut(program, stage_ns, register_inputs=False, input_ns=BORDER_NS)
    return Kernel(plan, program, fsm, Core.of_fsm(plan.name, fsm).latency_cycles)


def _by_columns(symbols: Any) -> Any:
    """A (height, columns, channels) array as a flat one, column after column."""
    return np.ravel(symbols.transpose(1, 0, 2))
