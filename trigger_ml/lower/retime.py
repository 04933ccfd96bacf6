"""Cutting a traced program into pipeline stages that keep within a delay.

alkaid cuts where the delay from the inputs passes a multiple of the cut-off. An operation that
straddles a cut falls into the later stage with all its delay, so that stages come out longer
than asked, by up to one adder. Here every operation is moved behind the cut that it would
straddle before alkaid splits the program, so no stage is longer than asked, unless a single
operation is.
"""

from __future__ import annotations

from math import floor
from typing import Any, Final

from alkaid.trace.passes import add_surrogate, dead_code_elimin
from alkaid.trace.pipeline import to_pipeline

from trigger_ml.lower.adders import balance, end_ns

__all__ = ["cut"]

READ_INPUT: Final = -1
"""alkaid's opcode of an operation that reads an input (its docs/alir.md)."""


def cut(
    program: Any, stage_ns: float, *, register_inputs: bool = True, input_ns: float = 0.0
) -> Any:
    """alkaid FSM of a program, pipelined, with output registers and, if asked, input registers.

    program: alkaid CombLogic with binary adders; sums of many get adders of three, as vendor
    tools can build them. stage_ns: longest estimated logic delay of a stage. input_ns: logic that
    stands before the inputs, in the first stage.
    """
    timed = add_surrogate(dead_code_elimin(program), _skip_op8_cost=True)
    balanced = add_surrogate(balance(timed, stage_ns), _skip_op8_cost=True)
    retimed, stages = _retime(balanced, stage_ns, input_ns)
    return to_pipeline(retimed, n_stages=stages, verbose=False, reg_inp=register_inputs)


def _retime(program: Any, stage_ns: float, input_ns: float) -> tuple[Any, int]:
    """The program with each operation's delay moved behind the cut it would straddle."""
    before = [float(op.latency) for op in program.ops]
    after: list[float] = []
    for op in program.ops:
        if op.opcode == READ_INPUT:
            after.append(input_ns)
            continue
        reads = op.input_ids
        delay = before[len(after)] - max((before[k] for k in reads), default=0.0)
        start = max((after[k] for k in reads), default=0.0)
        after.append(end_ns(start, delay, stage_ns))
    stages = max(floor(max(after, default=0.0) / stage_ns) + 1, 1)
    # alkaid spaces its cuts evenly up to the latest operation, so one that nothing reads is put
    # exactly at the last cut.
    last = max(range(len(after)), key=lambda k: (after[k], k))
    after[last] = stages * stage_ns
    timed = [op._replace(latency=latency) for op, latency in zip(program.ops, after, strict=True)]
    return program._replace(ops=timed), stages
