"""alkaid's operations as synthesis sees them: their codes, and the columns of what they add.

The codes are those of its docs/alir.md; where bits are aligned, copied and dropped follows the
Verilog that it writes (``shift_adder.v``, ``ternary_adder.v``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

__all__ = ["Code", "Columns", "Term", "columns_of", "terms_of"]


class Code(IntEnum):
    """What an operation does."""

    NEGATE = -2
    READ = -1
    ADD = 0
    SUBTRACT = 1
    RELU = 2
    CAST = 3
    ADD_CONSTANT = 4
    CONSTANT = 5
    CHOOSE = 6
    MULTIPLY = 7
    TABLE = 8
    BITS_OF_ONE = 9
    BITS_OF_TWO = 10
    SUM = 11


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a sum. low: column of its lowest bit, 0 for the units. width: its bits."""

    low: int
    width: int
    signed: bool
    negative: bool

    def in_column(self, column: int) -> bool:
        """Whether it has a bit there; a sign goes on for ever."""
        if self.width <= 0 or column < self.low:
            return False
        return self.signed or column < self.low + self.width


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a sum has to be added up. start, top: its first and last column with a carry, below
    the first one bits are only copied. terms: how many bits are added, column by column."""

    start: int
    top: int
    terms: tuple[int, ...]

    @property
    def width(self) -> int:
        """Bits of the carry chain."""
        return max(self.top - self.start + 1, 0)


def terms_of(op: Any, sources: Sequence[Any]) -> list[Term]:
    """What an addition adds, in the order of its operands; a constant comes last.

    op: one of ADD, SUBTRACT, SUM, ADD_CONSTANT. sources: the operations it reads.
    """
    match op.opcode:
        case Code.ADD | Code.SUBTRACT:
            return [
                _term(sources[0], 0, False),
                _term(sources[1], op.data[0], op.opcode == Code.SUBTRACT),
            ]
        case Code.SUM:
            pairs = zip(op.data[::2], op.data[1::2], strict=True)
            return [
                _term(source, shift, not plus)
                for source, (plus, shift) in zip(sources, pairs, strict=False)
            ]
        case _:
            value, fraction = op.data
            size = abs(value)
            zeros = (size & -size).bit_length() - 1 if size else 0
            constant = Term(zeros - fraction, size.bit_length() - zeros, False, value < 0)
            return [_term(sources[0], 0, False), constant]


def columns_of(terms: Sequence[Term], top: int) -> Columns:
    """Columns of a sum. top: its highest one that is kept."""
    lows = sorted(term.low for term in terms if term.width > 0)
    if len(lows) < 2:
        return Columns(top + 1, top, ())
    lowest = min((term for term in terms if term.width > 0), key=lambda term: term.low)
    start = lows[0] if lowest.negative else lows[1]
    counts = (sum(term.in_column(column) for term in terms) for column in range(start, top + 1))
    return Columns(start, top, tuple(counts))


def _term(source: Any, shift: int, negative: bool) -> Term:
    kif = source.qint.kif
    return Term(shift - kif.fractional, int(sum(kif)), bool(kif.signed), negative)
