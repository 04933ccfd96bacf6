"""Sums of many terms, put together again for a pipeline.

alkaid shares sums between outputs and leaves, for what is not shared, trees of adders of two;
its own fusing of neighbours into adders of three saves LUTs, and hardly a level of such a tree.
Here each tree is rebuilt from its terms: three at a time, the earliest first, which takes the
fewest levels there are (M. C. Golumbic, IEEE Trans. Comput. C-25, 1164, 1976), and of equally
early ones those with the lowest top bit first, which keeps adders short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from alkaid.trace.passes.surrogate import cost_lat_add, cost_lat_ternary_add
from alkaid.types import Op, QInterval

__all__ = ["SLACK_NS", "balance", "end_ns"]

SLACK_NS: Final = 2e-3
"""Kept below every cut; alkaid sorts delays in single precision."""
ADD: Final = 0
SUBTRACT: Final = 1
SUM: Final = 11
"""alkaid's opcodes of a + b, a - b and of a sum of several, each with a sign and a shift."""
SHORTEST_ADDER_NS: Final = 1.09375
"""Of alkaid's delays, that of an adder of one bit."""


def end_ns(start: float, delay: float, stage_ns: float) -> float:
    """When an operation ends that may not straddle the cuts between stages.

    start: when its inputs are there. One that is longer than a stage gets a stage of its own.
    """
    stage = floor(start / stage_ns)
    limit = (stage + 1) * stage_ns - SLACK_NS
    if delay <= 0 or start + delay <= limit:
        return start + max(delay, 0.0)
    if start > stage * stage_ns:
        start = (stage + 1) * stage_ns
        limit += stage_ns
    return min(start + delay, limit)


def balance(program: Any, stage_ns: float) -> Any:
    """A program of the same results with adders of three, for stages of a length.

    program: alkaid CombLogic with binary adders, no dead code, and its delays. stage_ns: longest
    estimated logic delay of a stage; an adder of three that would not fit stays two adders. Costs
    and delays of the result are to be estimated anew.
    """
    inner = _inner_adders(program)
    made = _Rebuilt(program, stage_ns)
    where: dict[int, int] = {}
    for index, op in enumerate(program.ops):
        if index in inner:
            continue
        if op.opcode in (ADD, SUBTRACT) and not inner.isdisjoint(op.addr):
            where[index] = made.total(_terms(program, index, inner, where), op.qint)
        else:
            delay = op.latency - max((program.ops[k].latency for k in op.addr), default=0.0)
            where[index] = made.append(op._replace(addr=tuple(where[k] for k in op.addr)), delay)
    outputs = [where[index] if index >= 0 else index for index in program.out_idxs]
    return program._replace(ops=made.ops, out_idxs=outputs)


@dataclass(frozen=True, slots=True)
class _Term:
    """sign * 2**shift * an operation. leads: holds the sum's first term, which is added as it is,
    so that the sum itself needs neither a sign nor a shift."""

    index: int
    sign: int
    shift: int
    leads: bool


def _inner_adders(program: Any) -> set[int]:
    """Adders of two that only another one reads, and once."""
    adders = {k for k, op in enumerate(program.ops) if op.opcode in (ADD, SUBTRACT)}
    reads = program.ref_count
    return {k for n in adders for k in program.ops[n].addr if k in adders and reads[k] == 1}


def _terms(program: Any, root: int, inner: set[int], where: Mapping[int, int]) -> list[_Term]:
    """What an adder and the inner adders below it add up, from its left to its right."""
    found = []
    todo = [_Term(root, 1, 0, True)]
    while todo:
        term = todo.pop()
        if term.index != root and term.index not in inner:
            found.append(_Term(where[term.index], term.sign, term.shift, term.leads))
            continue
        op = program.ops[term.index]
        left, right = op.addr
        sign = -term.sign if op.opcode == SUBTRACT else term.sign
        todo.append(_Term(right, sign, term.shift + op.data[0], False))
        todo.append(_Term(left, term.sign, term.shift, term.leads))
    return found


class _Rebuilt:
    """The new operations, and when each ends."""

    def __init__(self, program: Any, stage_ns: float) -> None:
        self.ops: list[Any] = []
        self._ends: list[float] = []
        self._adder_size, self._carry_size = program.adder_size, program.carry_size
        self._stage_ns = stage_ns

    def append(self, op: Any, delay: float) -> int:
        start = max((self._ends[k] for k in op.addr), default=0.0)
        self.ops.append(op)
        self._ends.append(end_ns(start, delay, self._stage_ns))
        return len(self.ops) - 1

    def total(self, terms: list[_Term], interval: Any) -> int:
        """Add terms up. interval: alkaid's, of the sum."""
        while len(terms) > 1:
            terms.sort(key=self._order)
            # One adder of two makes an even number odd: where the terms are earliest.
            term = self._add_three(terms, interval) if len(terms) % 2 else None
            terms = [term, *terms[3:]] if term else [self._add_two(terms, interval), *terms[2:]]
        return terms[0].index

    def _order(self, term: _Term) -> tuple[float, int, int]:
        """When an adder can take a term; its top bit; its last one."""
        end, kif = self._ends[term.index], self.ops[term.index].qint.kif
        start = end_ns(end, SHORTEST_ADDER_NS, self._stage_ns) - SHORTEST_ADDER_NS
        return max(start, end), kif.integers + term.shift, term.shift - kif.fractional

    def _add_three(self, terms: Sequence[_Term], interval: Any) -> _Term | None:
        """The first three terms in one adder, if that fits into a stage."""
        own, flip = _turned(terms[:3])
        data = tuple(value for term in own for value in (int(term.sign > 0), term.shift))
        qint = interval if len(terms) == 3 else self._interval(own)
        op = Op(tuple(term.index for term in own), SUM, data, qint, 0.0, 0.0)
        delay = self._delay_of_three(op)
        if delay > self._stage_ns - SLACK_NS:
            return None
        return _Term(self.append(op, delay), flip, 0, any(term.leads for term in own))

    def _delay_of_three(self, op: Any) -> float:
        """alkaid looks at an operation among those that it reads."""
        self.ops.append(op)
        _, delay = cost_lat_ternary_add(len(self.ops) - 1, self.ops, self._carry_size)
        self.ops.pop()
        return float(delay)

    def _add_two(self, terms: Sequence[_Term], interval: Any) -> _Term:
        """The first two terms in one adder, whose left side has neither a sign nor a shift."""
        own, flip = _turned(terms[:2])
        left, right = sorted(own, key=lambda term: (not term.leads, -term.sign))
        shift = right.shift - left.shift
        relative = [_Term(left.index, 1, 0, False), _Term(right.index, right.sign, shift, False)]
        qint = interval if len(terms) == 2 else self._interval(relative)
        opcode = SUBTRACT if right.sign < 0 else ADD
        sides = (self.ops[left.index].qint, self.ops[right.index].qint)
        sizes = (self._adder_size, self._carry_size)
        _, delay = cost_lat_add(*sides, shift, *sizes, right.sign < 0)
        index = self.append(Op((left.index, right.index), opcode, (shift,), qint, 0.0, 0.0), delay)
        return _Term(index, flip, left.shift, left.leads or right.leads)

    def _interval(self, terms: Sequence[_Term]) -> Any:
        low = high = 0.0
        steps = []
        for term in terms:
            least, most, step = self.ops[term.index].qint
            ends = sorted(term.sign * 2.0**term.shift * value for value in (least, most))
            low, high = low + ends[0], high + ends[1]
            steps.append(step * 2.0**term.shift)
        return QInterval(low, high, min(steps))


def _turned(terms: Sequence[_Term]) -> tuple[list[_Term], int]:
    """The terms with at least one added, and the sign that their sum then has."""
    if any(term.sign > 0 for term in terms):
        return list(terms), 1
    return [_Term(term.index, 1, term.shift, term.leads) for term in terms], -1
