"""What each layer adds to flip-flops, carry chains, DSPs and logic delay, by the cost model.

The network up to the end of each layer is cut into stages as the whole one is; a layer has what is
there more than without it. So the parts add up to the whole, and a layer that narrows what it is
given can have fewer flip-flops than none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from trigger_ml.artifacts import Resources, Synthesis
from trigger_ml.synth.operation_counts import count_operations
from trigger_ml.synth.shift_registers import count_registers

__all__ = ["LayerCost", "layer_costs", "with_layer_costs"]

MOST_OPERATIONS: Final = 100_000
"""Of a network; cutting a larger one once for each layer takes minutes."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """ff: registers of the core. dsp: products that synthesis puts into DSPs. delay_ns: logic
    from the end of the layers before to its own end, without routing. stages: pipeline stages
    up to its end more than before it."""

    lut: float
    ff: float
    carry8: float
    dsp: float
    delay_ns: float
    stages: int


def layer_costs(programs: Mapping[str, Any], cut: Callable[[Any], Any]) -> dict[str, LayerCost]:
    """Costs by layer; nothing for networks that are too large for it.

    programs: alkaid CombLogic from the inputs to the end of each layer, in order. cut: makes the
    pipeline of one.
    """
    if max((len(program.ops) for program in programs.values()), default=0) > MOST_OPERATIONS:
        return {}
    ends = [LayerCost(0.0, 0.0, 0.0, 0.0, 0.0, 0)]
    for program in programs.values():
        fsm = cut(program)
        counts = count_operations(fsm)
        ends.append(
            LayerCost(
                float(program.cost),
                float(count_registers(fsm).ff),
                counts.carry4 / 2,
                float(counts.dsp),
                float(program.latency[1]),
                len(fsm.logic),
            )
        )
    return {
        name: LayerCost(
            after.lut - before.lut,
            after.ff - before.ff,
            after.carry8 - before.carry8,
            after.dsp - before.dsp,
            after.delay_ns - before.delay_ns,
            after.stages - before.stages,
        )
        for name, (before, after) in zip(programs, pairwise(ends), strict=True)
    }


def with_layer_costs(counted: Synthesis, layers: Mapping[str, LayerCost]) -> Synthesis:
    """An estimate with what each layer takes of all it counts, where that is known.

    No layer has block RAM: registers are all that the RTL stores in. details: layer_delay_ns and
    layer_stages are added.
    """
    if not layers:
        return counted
    by_layer = {
        **counted.by_layer,
        **{
            name: Resources(lut=cost.lut, ff=cost.ff, dsp=cost.dsp, bram36=0.0, carry8=cost.carry8)
            for name, cost in layers.items()
        },
    }
    details = {
        **counted.details,
        "layer_delay_ns": {name: cost.delay_ns for name, cost in layers.items()},
        "layer_stages": {name: cost.stages for name, cost in layers.items()},
    }
    return replace(counted, by_layer=by_layer, details=details)
