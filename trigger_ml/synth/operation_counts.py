"""What logic asks of LUTs, kind by kind, as a synthesizer without ternary adders sees it.

Columns of an addition are counted from what ``shift_adder.v`` and ``ternary_adder.v`` of alkaid
write and yosys makes of it:

- a column of a carry chain takes one LUT where two bits meet, and none where only one does, or
  where both are the signs that the column below has added already;
- yosys compresses three terms to two before it adds them: about two LUTs a column;
- a subtraction whose right side starts lower has a borrow as its third term;
- a constant that follows a sum in the same stage joins it, and makes it one term longer;
- a product of 9 bits or more becomes a DSP, of a signed value with a single bit as well
  (``mul2dsp`` with the limits of ``synth_xilinx``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from trigger_ml.synth.alkaid_codes import Code, columns_of, terms_of

__all__ = ["KINDS", "Counts", "count_operations", "count_stage"]

KINDS: Final = (
    "add",
    "borrow",
    "sum_of_three",
    "sum_of_two",
    "sum_of_one",
    "chained",
    "constant",
    "constant_in_sum",
    "relu",
    "choice",
    "gate",
    "negation",
    "product",
    "table",
)
"""Columns or bits, but for products (both widths multiplied) and tables (alkaid's LUTs)."""

ADDITIONS: Final = (Code.ADD, Code.SUBTRACT, Code.SUM, Code.ADD_CONSTANT)
CARRY4_BITS: Final = 4
SHORTEST_CARRY: Final = 3
"""yosys makes shorter chains of LUTs (its xilinx/arith_map.v)."""
DSP_BITS: Final = 9
DSP_FACTOR_BITS: Final = 2
"""DSP_Y_MINWIDTH, and DSP_A_MINWIDTH and DSP_B_MINWIDTH, of the synthesis script. Products that are
too wide for one DSP are counted as one."""


@dataclass(frozen=True, slots=True)
class Counts:
    """amounts: of each kind. carry4: CARRY4 of all chains. dsp: products in DSPs."""

    amounts: Mapping[str, float] = field(default_factory=dict)
    carry4: int = 0
    dsp: int = 0

    def __add__(self, other: Counts) -> Counts:
        return self.plus(other, 1)

    def plus(self, other: Counts, times: int) -> Counts:
        """The sum with some times another one."""
        keys = {**self.amounts, **other.amounts}
        return Counts(
            {k: self.amounts.get(k, 0.0) + times * other.amounts.get(k, 0.0) for k in keys},
            self.carry4 + times * other.carry4,
            self.dsp + times * other.dsp,
        )


def count_operations(fsm: Any) -> Counts:
    """Counts of all stages of an ``alkaid.stateful.FSM``."""
    return sum((count_stage(stage) for stage in fsm.logic.values()), Counts())


def count_stage(stage: Any) -> Counts:
    """Counts of one alkaid CombLogic. What nothing reads is left out."""
    amounts: defaultdict[str, float] = defaultdict(float)
    readers = stage.ref_count
    carry4 = dsp = 0
    for index, op in enumerate(stage.ops):
        width = int(sum(op.qint.kif))
        if readers[index] == 0 or width == 0:
            continue
        sources = [stage.ops[k] for k in op.addr]
        match op.opcode:
            case Code.ADD | Code.SUBTRACT | Code.SUM | Code.ADD_CONSTANT:
                inner = [
                    source
                    for source, k in zip(sources, op.addr, strict=True)
                    if readers[k] == 1 and source.opcode in ADDITIONS
                ]
                carry4 += _addition(op, sources, bool(inner), width, amounts)
            case Code.RELU if sources[0].qint.min < 0:
                amounts["relu"] += width
            case Code.CHOOSE:
                amounts["choice"] += width
            case Code.BITS_OF_TWO:
                amounts["gate"] += width
            case Code.NEGATE:
                amounts["negation"] += width
            case Code.TABLE:
                amounts["table"] += op.cost
            case Code.MULTIPLY:
                bits = [int(sum(source.qint.kif)) for source in sources]
                if _in_dsp(bits, [bool(source.qint.kif.signed) for source in sources]):
                    dsp += 1
                else:
                    amounts["product"] += bits[0] * bits[1]
            case _:
                pass
    return Counts(dict(amounts), carry4, dsp)


def _addition(
    op: Any, sources: Sequence[Any], chained: bool, width: int, amounts: defaultdict[str, float]
) -> int:
    """Add an addition's columns to the amounts; its CARRY4."""
    terms = terms_of(op, sources)
    columns = columns_of(terms, width - 1 - op.qint.kif.fractional)
    if op.opcode == Code.ADD_CONSTANT:
        amounts["constant_in_sum" if chained else "constant"] += columns.width
        return _carry4(columns.width)
    # Above the last bit that is no sign, a column repeats the one below. The carries of three
    # terms reach one column further.
    end = max((term.low + term.width for term in terms if term.width > 0), default=0)
    own = end + (op.opcode == Code.SUM) - columns.start
    met = Counter(columns.terms[: max(own, 0)])
    if op.opcode == Code.SUM:
        for kind, number in (("sum_of_three", 3), ("sum_of_two", 2), ("sum_of_one", 1)):
            amounts[kind] += met[number]
    else:
        amounts["add"] += met[2]
    if chained:
        amounts["chained"] += columns.width
    borrows = op.opcode == Code.SUBTRACT and terms[1].width > 0 and terms[1].low < terms[0].low
    if borrows:
        amounts["borrow"] += columns.width
    return _carry4(columns.width)


def _in_dsp(bits: Sequence[int], signed: Sequence[bool]) -> bool:
    """Whether a product becomes a DSP; beside a signed factor an unsigned one gets a sign."""
    mixed = signed[0] != signed[1]
    grown = [width + (mixed and not sign) for width, sign in zip(bits, signed, strict=True)]
    return min(grown) >= DSP_FACTOR_BITS and sum(bits) >= DSP_BITS


def _carry4(width: int) -> int:
    return ceil(width / CARRY4_BITS) if width >= SHORTEST_CARRY else 0
