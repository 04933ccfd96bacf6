"""Registers of an alkaid pipeline, and those that only wait and become shift registers in LUTs.

A value that is made in one stage and needed several stages later crosses the stages between in a
chain of registers. Where nothing else reads them, synthesis puts a chain of three or more into
one SRL for each bit (Vivado's default shreg_min_size, and yosys's ``xilinx_srl -minlen 3``).
Bits that are equal are registered once, and those that nothing reads not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any, Final

from trigger_ml.synth.pipeline_bits import read_depths

__all__ = ["Registers", "count_registers"]

SHORTEST_CHAIN: Final = 3
SRL_BITS: Final = 32
"""Longest shift register in one LUT: SRLC32E (UG574)."""


@dataclass(frozen=True, slots=True)
class Registers:
    """bits: all that the pipeline describes. ff: those that stay flip-flops. srl_lut: LUTs that
    take others as shift registers."""

    bits: int
    ff: int
    srl_lut: int


def count_registers(fsm: Any) -> Registers:
    """Count the registers of an ``alkaid.stateful.FSM``, in bits."""
    described = sum(
        int(sum(precision))
        for signal in fsm.signals.values()
        if signal.reg
        for precision in signal.raw.precisions
    )
    ff = srl_lut = 0
    for depths in read_depths(fsm):
        # From one reader to the next, registers only wait.
        for before, after in pairwise(sorted({0, *depths})):
            length = after - before
            if length < SHORTEST_CHAIN:
                ff += length
                continue
            # One register more than a shift register holds stays outside it.
            outside = 1 if length in (17, SRL_BITS + 1) else 0
            ff += outside
            srl_lut += ceil((length - outside) / SRL_BITS)
    return Registers(described, ff, srl_lut)
