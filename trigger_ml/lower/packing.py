"""Which bit goes where between two packed vectors of fixed-point elements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from trigger_ml.graph.types import FixedType

__all__ = ["Element", "Piece", "connect", "total_bits", "unused_bits"]


class Element(NamedTuple):
    """Format of one element of a core's port: alkaid's ``Precision``, in the same order.

    integer: bits left of the binary point **without** the sign. Either count may be negative.
    All three zero: the element takes no bits.
    """

    signed: bool
    integer: int
    fraction: int

    @property
    def width(self) -> int:
        """Bits it takes in the port."""
        return int(self.signed) + self.integer + self.fraction

    @classmethod
    def of_type(cls, declared: FixedType) -> Element:
        """The same format as a declared type."""
        return cls(declared.signed, declared.integer - int(declared.signed), declared.fraction)

    def fits(self, other: Element) -> bool:
        """Whether every value of this format is a value of another."""
        return self.width == 0 or (
            self.integer <= other.integer
            and self.fraction <= other.fraction
            and (other.signed or not self.signed)
        )

    def __str__(self) -> str:
        sign = "signed" if self.signed else "unsigned"
        return f"{sign}, {self.integer} integer and {self.fraction} fraction bits"


class Piece(NamedTuple):
    """Consecutive bits of a vector and where they come from.

    source: lowest source bit; None for zeros. repeat: the one source bit fills all of them.
    """

    low: int
    width: int
    source: int | None
    repeat: bool = False

    @property
    def high(self) -> int:
        """Highest bit."""
        return self.low + self.width - 1

    @property
    def source_end(self) -> int:
        """One above the highest source bit; 0 for zeros."""
        return 0 if self.source is None else self.source + (1 if self.repeat else self.width)


def connect(sources: Sequence[Element], sinks: Sequence[Element]) -> tuple[Piece, ...]:
    """How the bits of one packed vector make another one of the same values.

    Binary points are aligned. Missing bits below are zero, missing bits above repeat the sign
    (zero where there is none), and bits that the sink has no place for are dropped.
    """
    pieces: list[Piece] = []
    source_low = sink_low = 0
    for source, sink in zip(sources, sinks, strict=True):
        for bit in range(sink.width):
            at = bit - sink.fraction + source.fraction
            if 0 <= at < source.width:
                piece = Piece(sink_low + bit, 1, source_low + at)
            elif at >= 0 and source.signed and source.width:
                piece = Piece(sink_low + bit, 1, source_low + source.width - 1, True)
            else:
                piece = Piece(sink_low + bit, 1, None)
            _append(pieces, piece)
        source_low += source.width
        sink_low += sink.width
    return tuple(pieces)


def _append(pieces: list[Piece], piece: Piece) -> None:
    """Add one bit, to the last piece where it continues it."""
    if pieces:
        last = pieces[-1]
        if last.source is None or last.repeat:
            continues = (last.source, last.repeat) == (piece.source, piece.repeat)
        else:
            continues = not piece.repeat and piece.source == last.source_end
        if continues:
            pieces[-1] = last._replace(width=last.width + 1)
            return
    pieces.append(piece)


def unused_bits(pieces: Iterable[Piece], bits: int) -> tuple[tuple[int, int], ...]:
    """(low, high) of the runs of source bits, of ``bits`` in all, that no piece reads."""
    runs: list[tuple[int, int]] = []
    at = 0
    used = sorted((p.source, p.source_end) for p in pieces if p.source is not None)
    for low, end in [*used, (bits, bits)]:
        if low > at:
            runs.append((at, low - 1))
        at = max(at, end)
    return tuple(runs)


def total_bits(elements: Iterable[Element]) -> int:
    """Width of a packed vector."""
    return sum(element.width for element in elements)
