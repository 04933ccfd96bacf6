"""LUTs, registers and DSPs of a design, by everything that counts them."""

from __future__ import annotations

from pathlib import Path

from trigger_ml.artifacts import Hdl, Synthesis
from trigger_ml.capacity import count_stream
from trigger_ml.design import Design
from trigger_ml.lower.retime import cut
from trigger_ml.lower.rtl import pipeline
from trigger_ml.lower.stream.write import StreamLogic
from trigger_ml.progress import Stopwatch
from trigger_ml.synth.cost_model import estimate
from trigger_ml.synth.layer_costs import layer_costs, with_layer_costs
from trigger_ml.synth.stream import synthesize_stream
from trigger_ml.synth.yosys import synthesize
from trigger_ml.synth.yosys_cache import open_cache
from trigger_ml.vendor_stage import vendor_synthesis

__all__ = ["count_resources"]


def count_resources(design: Design, work: Path, clock: Stopwatch) -> tuple[Synthesis, ...]:
    """Cost model, then yosys or a vendor tool where it is asked for; the strongest last."""
    project = design.rtl[Hdl.VERILOG]
    with clock.stage("cost_model", "cost model"):
        found = [_estimate(design)]
    engine = design.config.verify.engine
    if engine in ("vivado", "vitis"):
        found.append(vendor_synthesis(design, work, clock))
    elif engine == "yosys":
        with clock.stage("synth", "open synthesis: yosys") as stage:
            count = synthesize_stream if project.stream else synthesize
            cache = open_cache() if design.config.verify.synth_cache else None
            found.append(count(project, work=work, cache=cache))
            stage.note = f"{found[-1].total.lut:,.0f} LUT"
    return tuple(found)


def _estimate(design: Design) -> Synthesis:
    """The cost model's count of the whole top."""
    config, logic = design.config, design.logic
    if isinstance(logic, StreamLogic):
        return count_stream(logic)
    margin = config.firmware.routing_margin
    fsm = pipeline(logic, config.target, margin)
    cycles = design.rtl[Hdl.VERILOG].latency_cycles
    counted = estimate(logic.program, fsm, layer_lut=logic.layer_cost, extra_ff=cycles)
    stage_ns = 1e3 / config.target.clock_mhz / margin
    layers = layer_costs(logic.layer_programs, lambda program: cut(program, stage_ns))
    return with_layer_costs(counted, layers)
