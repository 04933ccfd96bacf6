"""When every stream comes by: registers between the input register and its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trigger_ml.lower.stream.kernels import Kernel
from trigger_ml.lower.stream.layout import KernelPlan, Repeat, StreamPlan

__all__ = ["Schedule", "schedule"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When every stream comes by. clocks: registers between the input register and a stream, by
    its name. total: the same for the output."""

    clocks: Mapping[str, int]
    total: int

    def ready(self, part: KernelPlan) -> int:
        """Clocks after which everything that a kernel reads has come by."""
        return _ready(self.clocks, part)


def schedule(plan: StreamPlan, kernels: Mapping[str, Kernel]) -> Schedule:
    """Clocks of every stream. kernels: by the name of their plan."""
    clocks = {plan.source.name: 0}
    for part in plan.parts:
        if isinstance(part, Repeat):
            clocks[part.output.name] = clocks[part.source.name]
        else:
            clocks[part.output.name] = _ready(clocks, part) + kernels[part.name].latency_cycles
    return Schedule(clocks, clocks[plan.result.name])


def _ready(clocks: Mapping[str, int], part: KernelPlan) -> int:
    return max(clocks[read.stream.name] for read in part.reads)
