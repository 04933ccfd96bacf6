"""When every stream comes by: registers between the input register and its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trigger_ml.lower.stream.kernels import Kernel
from trigger_ml.lower.stream.layout import Repeat, StreamPlan

__all__ = ["Schedule", "schedule"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When every stream comes by. clocks: registers between the input register and a stream, by
    its name. total: the same for the output."""

    clocks: Mapping[str, int]
    total: int


def schedule(plan: StreamPlan, kernels: Mapping[str, Kernel]) -> Schedule:
    """Clocks of every stream. kernels: by the name of their plan."""
    clocks = {plan.source.name: 0}
    for part in plan.parts:
        if isinstance(part, Repeat):
            clocks[part.output.name] = clocks[part.source.name]
        else:
            ready = max(clocks[read.stream.name] for read in part.reads)
            clocks[part.output.name] = ready + kernels[part.name].latency_cycles
    return Schedule(clocks, clocks[plan.result.name])
