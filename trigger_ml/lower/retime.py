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

from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders
from alkaid.trace.pipeline import to_pipeline

__all__ = ["cut"]

SLACK_NS: Final = 2e-3
"""Kept below every cut; alkaid sorts delays in single precision."""


def cut(program: Any, stage_ns: float) -> Any:
    """alkaid FSM of a program, pipelined, with input and output registers.

    program: alkaid CombLogic with binary adders; sums of three are fused, as vendor tools can
    build them. stage_ns: longest estimated logic delay of a stage.
    """
    fused = add_surrogate(dead_code_elimin(fuse_ternary_adders(program)), _skip_op8_cost=True)
    retimed, stages = _retime(fused, stage_ns)
    return to_pipeline(retimed, n_stages=stages, verbose=False)


def _retime(program: Any, stage_ns: float) -> tuple[Any, int]:
    """The program with each operation's delay moved behind the cut it would straddle."""
    before = [float(op.latency) for op in program.ops]
    after: list[float] = []
    for op in program.ops:
        reads = op.input_ids
        delay = before[len(after)] - max((before[k] for k in reads), default=0.0)
        start = max((after[k] for k in reads), default=0.0)
        stage = floor(start / stage_ns)
        limit = (stage + 1) * stage_ns - SLACK_NS
        if delay > 0 and start + delay > limit:
            if start > stage * stage_ns:
                start = (stage + 1) * stage_ns
                limit += stage_ns
            after.append(min(start + delay, limit))
        else:
            after.append(start + max(delay, 0.0))
    stages = max(floor(max(after, default=0.0) / stage_ns) + 1, 1)
    # alkaid spaces its cuts evenly up to the latest operation, so one that nothing reads is put
    # exactly at the last cut.
    last = max(range(len(after)), key=lambda k: (after[k], k))
    after[last] = stages * stage_ns
    timed = [op._replace(latency=latency) for op, latency in zip(program.ops, after, strict=True)]
    return program._replace(ops=timed), stages
