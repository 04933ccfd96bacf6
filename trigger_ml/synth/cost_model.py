"""Resources and stage delays from alkaid's cost model: in a fraction of a second, before synthesis.

LUTs are alkaid's own cost, which for 20 published jet networks was 0.88 to 1.03 of the LUTs that
Vivado routed. Where the pipeline adds three terms at once, it is the cost with ternary adders,
which vendor tools build and yosys does not. What yosys will count is predicted beside it, by
:mod:`trigger_ml.synth.calibration`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders

from trigger_ml.artifacts import Resources, Synthesis
from trigger_ml.synth.alkaid_codes import Code
from trigger_ml.synth.calibration import band, predicted
from trigger_ml.synth.operation_counts import count_operations
from trigger_ml.synth.shift_registers import count_registers

__all__ = ["estimate", "stage_delays_ns"]


def estimate(
    program: Any,
    fsm: Any,
    *,
    layer_lut: Mapping[str, float] | None = None,
    extra_ff: int = 0,
) -> Synthesis:
    """What a pipelined program takes, by alkaid's cost model.

    program: alkaid CombLogic as traced, with binary adders. fsm: the pipeline that was cut from
    it (``RTLModel(...).fsm``). layer_lut: the program's cost by layer. extra_ff: registers beside
    the core, such as the valid bits.

    total.lut adds the LUTs that hold shift registers to the logic, as a vendor tool would count
    them; it has every product in LUTs, and total.dsp says how many of them synthesis puts into
    DSPs instead. total.ff is what is left as flip-flops. total.carry8 counts half a CARRY8 for
    every four bits begun, as yosys does. details: lut_raw (total.lut), lut_logic,
    lut_shift_register, lut_binary_adders, lut_ternary_adders (None where the program already has
    ternary adders), register_bits, stages, stage_delays_ns, worst_stage_ns, and predicts and
    band as :mod:`trigger_ml.synth.calibration` gives them.
    """
    started = time.perf_counter()
    stages = list(fsm.logic.values())
    lut = sum(float(stage.cost) for stage in stages)
    registers = count_registers(fsm)
    counts = count_operations(fsm)
    binary = not any(op.opcode == Code.SUM for op in program.ops)
    delays = stage_delays_ns(fsm)
    total = Resources(
        lut=lut + registers.srl_lut,
        ff=float(registers.ff + extra_ff),
        dsp=float(counts.dsp),
        bram36=0.0,
        carry8=counts.carry4 / 2,
    )
    assert total.lut is not None and total.ff is not None
    details = {
        "lut_raw": total.lut,
        "lut_logic": lut,
        "lut_shift_register": registers.srl_lut,
        "lut_binary_adders": float(program.cost) if binary else None,
        "lut_ternary_adders": float(_with_ternary_adders(program).cost) if binary else None,
        "register_bits": registers.bits + extra_ff,
        "stages": len(stages),
        "stage_delays_ns": list(delays),
        "worst_stage_ns": max(delays, default=None),
        "predicts": predicted(counts, registers.srl_lut, total.ff),
        "band": band(total.lut, total.ff),
    }
    return Synthesis(
        origin="cost_model",
        version=f"alkaid {version('alkaid')}",
        total=total,
        by_layer={name: Resources(lut=cost) for name, cost in (layer_lut or {}).items()},
        details=details,
        seconds=time.perf_counter() - started,
    )


def stage_delays_ns(fsm: Any) -> tuple[float, ...]:
    """Estimated logic delay of every pipeline stage, in ns, without routing.

    The longest path through the stage's own operations, its inputs taken to arrive at 0. alkaid
    cuts a program where its delay from the inputs passes a multiple of ``latency_cutoff``; an
    operation that straddles a cut lies in the later stage with all its delay, so a stage can be
    longer than the cut-off by nearly one operation. (``CombLogic.latency`` of a stage counts from
    the inputs of the whole program.)
    """
    return tuple(
        float(add_surrogate(stage, _skip_op8_cost=True).latency[1]) for stage in fsm.logic.values()
    )


def _with_ternary_adders(program: Any) -> Any:
    """The program as ``RTLModel(ternary_fuse=True)`` builds it."""
    return add_surrogate(dead_code_elimin(fuse_ternary_adders(program)), _skip_op8_cost=True)
