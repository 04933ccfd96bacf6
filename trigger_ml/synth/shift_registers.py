"""Registers of an alkaid pipeline that only wait, and become shift registers in LUTs.

A value that is made in one stage and needed several stages later crosses the stages between in a
chain of registers. Where nothing else reads them, synthesis puts a chain of three or more into
one SRL for each bit (Vivado's default shreg_min_size, and yosys's ``xilinx_srl -minlen 3``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

__all__ = ["Registers", "count_registers"]

SHORTEST_CHAIN: Final = 3
SRL_BITS: Final = 32
"""Longest shift register in one LUT: SRLC32E (UG574)."""
READ_INPUT: Final = -1
"""alkaid's opcode of an operation that reads an input (its docs/alir.md)."""

Element = tuple[str, int]
"""A signal's name and the position of one value in it."""

_Readers = Mapping[Element, list["Element | None"]]
"""What reads an element: others that hold the same value, and None for everything else."""


@dataclass(frozen=True, slots=True)
class Registers:
    """bits: all that the pipeline describes. ff: those that stay flip-flops. srl_lut: LUTs that
    the others take as shift registers."""

    bits: int
    ff: int
    srl_lut: int


def count_registers(fsm: Any) -> Registers:
    """Count the registers of an ``alkaid.stateful.FSM``, in bits."""
    widths = {
        (signal.name, position): int(sum(precision))
        for signal in fsm.signals.values()
        if signal.reg
        for position, precision in enumerate(signal.raw.precisions)
    }
    readers = _readers(fsm)
    follower: dict[Element, Element] = {}
    for element in widths:
        ends = list(_ends(element, readers, widths))
        if len(ends) == 1 and ends[0] is not None:
            follower[element] = ends[0]
    bits = ff = sum(widths.values())
    srl_lut = 0
    for length, width in _chains(follower, widths):
        if length >= SHORTEST_CHAIN:
            # One register more than a shift register holds stays outside it.
            outside = 1 if length in (17, SRL_BITS + 1) else 0
            ff -= (length - outside) * width
            srl_lut += ceil((length - outside) / SRL_BITS) * width
    return Registers(bits, ff, srl_lut)


def _readers(fsm: Any) -> _Readers:
    readers: dict[Element, list[Element | None]] = defaultdict(list)
    for conn in (*fsm.comb_conns, *fsm.reg_conns):
        plain = conn.enable_if is None and conn.alt_src is None and conn.dst.rst_if is None
        plain = plain and not any(s._dynamic_bias for s in (conn.src, conn.dst))
        same = (a == b for a, b in zip(conn.src.precisions, conn.dst.precisions, strict=True))
        ends = zip(range(*conn.src.view), range(*conn.dst.view), same, strict=True)
        for before, after, unchanged in ends:
            moved = plain and unchanged
            readers[conn.src.name, before].append((conn.dst.name, after) if moved else None)
        for other in (conn.enable_if, conn.alt_src):
            for position in range(*other.view) if other is not None else ():
                readers[other.name, position].append(None)
    for signal in fsm.out_signals:
        for position in range(len(signal.raw.precisions)):
            readers[signal.name, position].append(None)
    for name, comb in fsm.logic.items():
        for position, output in _through(comb):
            reader = None if output is None else (f"INTERNAL_{name}_outp", output)
            readers[f"INTERNAL_{name}_inp", position].append(reader)
    return readers


def _through(comb: Any) -> Iterator[tuple[int, int | None]]:
    """Inputs of a stage that are read, with the output they become, or None for logic."""
    read = {i: op.data[0] for i, op in enumerate(comb.ops) if op.opcode == READ_INPUT}
    for op in comb.ops:
        for index in op.addr:
            if index in read:
                yield read[index], None
    for position, index in enumerate(comb.out_idxs):
        if index in read:
            same = comb.inp_qint[read[index]].kif == comb.out_qint[position].kif
            moved = same and not comb.out_negs[position]
            yield read[index], position if moved else None


def _ends(
    element: Element, readers: _Readers, registers: Mapping[Element, int]
) -> Iterator[Element | None]:
    """Registers that take an element's value unchanged, through wires; None for any other use."""
    for reader in readers.get(element, ()):
        if reader is None or reader in registers:
            yield reader
        else:
            yield from _ends(reader, readers, registers)


def _chains(
    follower: Mapping[Element, Element], widths: Mapping[Element, int]
) -> Iterator[tuple[int, int]]:
    """Length and width in bits of every chain that starts at a register without a predecessor."""
    for head in widths.keys() - set(follower.values()):
        length, element = 1, head
        while element in follower:
            element = follower[element]
            length += 1
        yield length, widths[head]
