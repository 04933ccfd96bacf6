"""Every bit of an alkaid pipeline: which ones are the same, and which are read at all.

A pipeline describes whole values, and synthesis keeps bits: a low bit that an adder only copies is
the bit that it copies, a + b and a - b have the same lowest bit, and a bit that a cast drops needs
no register. Here each bit is followed from where logic makes it, through wires and registers, to
what reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from trigger_ml.synth.alkaid_codes import Code, columns_of, terms_of

__all__ = ["read_depths"]

Value = tuple[int, int]
"""A bit: the number of what made it, and the registers that it has passed since."""
Element = tuple[str, int]
"""A signal's name and the position of one value in it."""

CONSTANT: Final = -1
"""Number of all constant bits: they need no register."""


class _Reach(Enum):
    """Which bits of its operands a bit of a result depends on."""

    CARRY = "those of its column and below"
    COLUMN = "those of its column"
    ALL = "all"


@dataclass(slots=True)
class _Logic:
    """reads: bits of operands by column; under None what every bit depends on."""

    reach: _Reach
    reads: Mapping[int | None, list[Value]]


def read_depths(fsm: Any) -> list[set[int]]:
    """For every bit that logic makes and something reads: after how many registers it is read.

    fsm: ``alkaid.stateful.FSM`` of a pipeline. 0 is for what the same stage reads. Bits that
    nothing reads, on the way to an output, are left out.
    """
    bits = _Bits(fsm)
    reads: defaultdict[int, set[int]] = defaultdict(set)
    todo = [value for element in bits.outputs for value in bits.of(element)]
    while todo:
        made, depth = todo.pop()
        if made == CONSTANT:
            continue
        known = reads[made]
        if not known:
            todo.extend(bits.needed_by(made))
        known.add(depth)
    return list(reads.values())


class _Bits:
    """The bits of every element, found where they are first asked for."""

    def __init__(self, fsm: Any) -> None:
        self._made: list[tuple[_Logic, int] | None] = []
        self._parities: dict[frozenset[Value], Value] = {}
        self._odd: dict[Value, frozenset[Value]] = {}
        self._known: dict[Element, list[Value]] = {}
        self._drivers: dict[Element, tuple[Any, int]] = {}
        for conn in (*fsm.comb_conns, *fsm.reg_conns):
            for place, position in enumerate(range(*conn.dst.view)):
                self._drivers[conn.dst.name, position] = conn, place
        self._precisions = {s.name: s.raw.precisions for s in fsm.signals.values()}
        self.outputs = [
            (signal.name, position)
            for signal in fsm.out_signals
            for position in range(len(signal.raw.precisions))
        ]
        # In this order no stage is asked for before those in front of it.
        for name, stage in fsm.logic.items():
            values, kinds = self._stage(name, stage), stage.out_qint
            for position, index in enumerate(stage.out_idxs):
                width = int(sum(kinds[position].kif))
                found = values[index] if index >= 0 else []
                padded = found[:width] + [(CONSTANT, 0)] * (width - len(found))
                self._known[f"INTERNAL_{name}_outp", position] = padded

    def of(self, element: Element) -> list[Value]:
        """Bits of an element, the lowest first."""
        if element not in self._known:
            driver = self._drivers.get(element)
            self._known[element] = (
                self._connected(element, *driver) if driver else self._new(self._width(element))
            )
        return self._known[element]

    def needed_by(self, made: int) -> Iterator[Value]:
        """Bits that a made bit depends on."""
        origin = self._made[made]
        if origin is None:
            return
        logic, column = origin
        for other, values in logic.reads.items():
            below = other is not None and logic.reach is _Reach.CARRY and other <= column
            if other is None or logic.reach is _Reach.ALL or other == column or below:
                yield from values

    def _width(self, element: Element) -> int:
        return int(sum(self._precisions[element[0]][element[1]]))

    def _new(self, width: int, logic: _Logic | None = None, first: int = 0) -> list[Value]:
        """Bits that were not there before. first: column of the lowest one."""
        start = len(self._made)
        self._made += [(logic, first + bit) if logic else None for bit in range(width)]
        return [(start + bit, 0) for bit in range(width)]

    def _connected(self, element: Element, conn: Any, place: int) -> list[Value]:
        source = self.of((conn.src.name, range(*conn.src.view)[place]))
        kept = conn.enable_if is not None or conn.alt_src is not None
        kept = kept or any(signal._dynamic_bias for signal in (conn.src, conn.dst))
        if kept or conn.dst.rst_if is not None:
            reads = list(source)
            for other in (conn.enable_if, conn.alt_src):
                for position in range(*other.view) if other is not None else ():
                    reads += self.of((other.name, position))
            found = self._new(self._width(element), _Logic(_Reach.ALL, {None: reads}))
        else:
            before, after = conn.src.precisions[place], conn.dst.precisions[place]
            first = before.fractional - after.fractional
            found = _slice(source, first, self._width(element), bool(before.signed))
        return [(made, depth + (conn.clocked and made != CONSTANT)) for made, depth in found]

    def _stage(self, name: str, stage: Any) -> list[list[Value]]:
        found: list[list[Value]] = []
        for op in stage.ops:
            if op.opcode == Code.READ:
                found.append(self.of((f"INTERNAL_{name}_inp", op.data[0])))
            else:
                found.append(self._result(op, [stage.ops[k] for k in op.addr], found))
        return found

    def _result(self, op: Any, sources: Sequence[Any], found: Sequence[list[Value]]) -> list[Value]:
        width, low = int(sum(op.qint.kif)), -op.qint.kif.fractional
        reads = [found[index] for index in op.addr]
        match op.opcode:
            case Code.CONSTANT:
                return [(CONSTANT, 0)] * width
            case Code.ADD | Code.SUBTRACT | Code.SUM | Code.ADD_CONSTANT:
                return self._sum(op, sources, reads, low, width)
            case Code.CAST:
                return _aligned(sources[0], reads[0], low, width, op.data[0])
            case Code.RELU:
                cut = _aligned(sources[0], reads[0], low, width)
                if sources[0].qint.min >= 0:
                    return cut
                logic = _columns(low, [cut], reads[0][-1:])
            case Code.CHOOSE | Code.BITS_OF_TWO:
                pair = zip(sources[:2], reads[:2], (0, op.data[0]), strict=True)
                cuts = [_aligned(source, read, low, width, shift) for source, read, shift in pair]
                logic = _columns(low, cuts, reads[2][-1:] if op.opcode == Code.CHOOSE else [])
            case _:
                logic = _Logic(_Reach.ALL, {None: [value for read in reads for value in read]})
        return self._new(width, logic, low)

    def _sum(
        self, op: Any, sources: Sequence[Any], reads: Sequence[list[Value]], low: int, width: int
    ) -> list[Value]:
        """A sum: below its second term the lowest one is only copied, unless it is subtracted."""
        terms = terms_of(op, sources)
        by_column: defaultdict[int | None, list[Value]] = defaultdict(list)
        for term, values in zip(terms, reads, strict=False):
            for bit, value in enumerate(values):
                by_column[term.low + bit].append(value)
        logic = _Logic(_Reach.CARRY, by_column)
        start = columns_of(terms, low + width - 1).start
        first = min(
            (k for k, term in enumerate(terms) if term.width > 0), key=lambda k: terms[k].low
        )
        copied = min(max(start - low, 0), width)
        source = reads[first] if first < len(reads) else []
        head = _slice(source, low - terms[first].low, copied, terms[first].signed)
        made = self._new(width - copied, logic, low + copied)
        if made and start == low + copied and op.opcode != Code.ADD_CONSTANT:
            added = [
                values[min(start - term.low, term.width - 1)]
                for term, values in zip(terms, reads, strict=True)
                if term.in_column(start)
            ]
            made[0] = self._parity(added, made[0])
        return head + made

    def _parity(self, values: Sequence[Value], made: Value) -> Value:
        """The lowest bit of a sum, whatever the signs of its terms: one for the same terms."""
        odd: frozenset[Value] = frozenset()
        for value in values:
            if value[0] != CONSTANT:
                odd ^= self._odd.get(value, frozenset({value}))
        if len(odd) == 1:
            return next(iter(odd))
        self._odd[made] = odd
        return self._parities.setdefault(odd, made)


def _columns(low: int, cuts: Sequence[Sequence[Value]], key: list[Value]) -> _Logic:
    """Logic bit by bit. low: its lowest column. cuts: operands. key: what all bits depend on."""
    found: dict[int | None, list[Value]] = {
        low + k: list(values) for k, values in enumerate(zip(*cuts, strict=True))
    }
    return _Logic(_Reach.COLUMN, {**found, None: key})


def _aligned(
    source: Any, values: Sequence[Value], low: int, width: int, shift: int = 0
) -> list[Value]:
    """Bits of an operand in the columns of a result. shift: how far up the operand is moved."""
    kif = source.qint.kif
    return _slice(values, low + kif.fractional - shift, width, bool(kif.signed))


def _slice(values: Sequence[Value], first: int, width: int, signed: bool) -> list[Value]:
    """Some bits of a value. first: the lowest. Below all are zeros, above all signs or zeros."""
    above = values[-1] if signed and values else (CONSTANT, 0)
    return [
        values[k] if 0 <= k < len(values) else (above if k >= 0 else (CONSTANT, 0))
        for k in range(first, first + width)
    ]
