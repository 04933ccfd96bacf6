"""What a streamed top holds around its kernels, counted from its plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import Final

from trigger_ml.lower.stream.layout import KernelPlan, StreamPlan
from trigger_ml.lower.stream.schedule import Schedule
from trigger_ml.lower.stream.verilog import BX_BITS

__all__ = ["Shell", "count_shell"]

SRL_BITS: Final = 32
SHORTEST_SRL: Final = 3
TAGS: Final = 4
FRAME_LUT: Final = 20
"""Framing: two counters and their comparisons."""


@dataclass(frozen=True, slots=True)
class Shell:
    """ff: input register, columns kept for windows, tags. lut: gates at the borders of an image,
    shift registers, framing."""

    ff: int
    lut: int


def count_shell(plan: StreamPlan, times: Schedule, flag_bits: int = 0) -> Shell:
    """Registers and LUTs of a top without its kernels.

    times: clocks of every stream. flag_bits: of the flags that go with every image.
    """
    bx_bits = BX_BITS + flag_bits
    ff = plan.source.lanes * plan.source.column_bits + bx_bits
    ff += plan.history * plan.result.column_bits + bx_bits * plan.flush
    delays = [(bx_bits, times.total)]
    gates = 0
    for part in plan.kernels:
        ready = times.ready(part)
        bits = 0
        for read in part.reads:
            ff += read.history * read.stream.column_bits
            bits += read.stream.column_bits
            waits = ready - times.clocks[read.stream.name]
            delays.append((read.stream.lanes * read.stream.column_bits, waits))
        if part.rows:
            gates += _gated_picks(part)
        else:
            gates += len(part.borders) * bits
    beyond = plan.groups * plan.result.lanes - plan.result.width
    gates += max(beyond, 0) * plan.result.column_bits
    lut = gates + FRAME_LUT
    for bits, clocks in delays:
        if clocks >= SHORTEST_SRL:
            lut += bits * ceil(clocks / SRL_BITS)
        else:
            ff += bits * clocks
    return Shell(ff + TAGS * max(times.total, 1), lut)


def _gated_picks(part: KernelPlan) -> int:
    """Bits that a kernel for single rows reads through the gates of a border."""
    at_tap: Counter[int] = Counter()
    for read, rows in part.rows:
        stream = part.reads[read].stream
        taps = [pick.tap for picks in rows for pick in picks if pick is not None]
        for tap, count in Counter(taps).items():
            at_tap[tap] += count * stream.channels * stream.kind.width
    return sum(at_tap[border.tap] for border in part.borders)
