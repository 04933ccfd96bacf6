"""Any function of one value as a cast and a table of few entries, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.narrow import WIDEST, narrowest_type
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding

__all__ = ["Table", "tabulated"]

MOST_BITS: Final = 12
"""Address bits of a table: 4,096 entries for each element."""
CHUNK: Final = 2**20

Function = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Table:
    """f(x) = values[code of x cast into ``source``], the smallest code first."""

    source: FixedType
    values: NDArray[np.float64]


def tabulated(where: str, function: Function, source: FixedType) -> Table:
    """The narrowest table that is the function on every value of a type.

    function: element by element. The cast before the table may drop bits and saturate, as far
    as the function does not see it. Raises ModelError where no table of 2**12 entries will do,
    or its entries are no numbers in binary of few digits.
    """
    fix = "put a QActivation(quantized_bits(8,...,alpha=1)) before it"
    if source.width > WIDEST:
        raise ModelError(Blocker(where, f"reads {source}, of more than {WIDEST} bits", fix))
    results = _over(function, source)
    kind = _narrowest_cast(function, results, source)
    if kind is None:
        what = f"needs a table of more than {1 << MOST_BITS} entries for its input, {source}"
        raise ModelError(Blocker(where, what, fix))
    values = _over(function, kind)
    if narrowest_type(values) is None:
        what = f"its results are no numbers in binary of {WIDEST} bits"
        raise ModelError(Blocker(where, what, "use a quantizer with fewer bits"))
    return Table(kind, values)


def _over(function: Function, kind: FixedType) -> NDArray[np.float64]:
    """The function of every value of a type, in the order of its codes."""
    codes = np.arange(kind.min_code, kind.max_code + 1, dtype=np.int64)
    parts = np.split(codes, range(CHUNK, len(codes), CHUNK))
    made = [function(kind.decode(part).astype(np.float32)) for part in parts]
    return np.concatenate(made).astype(np.float64)


def _narrowest_cast(
    function: Function, results: NDArray[np.float64], source: FixedType
) -> FixedType | None:
    """The narrowest type whose cast changes no result.

    A cast keeps the order of values. So it is enough that the two ends of each run of codes
    with one result stay within that run.
    """
    starts = np.concatenate([[0], np.flatnonzero(np.diff(results)) + 1])
    ends = np.concatenate([starts[1:] - 1, [len(results) - 1]])
    # hls4ml 1.3 makes a wrong type of a layer of which no bit is asked for.
    most = max(source.fraction - max(1 - source.integer, 0), 0)
    for width in range(1, MOST_BITS + 1):
        for drop in range(most, -1, -1):
            fraction = source.fraction - drop
            for signed in (True, False):
                for rounding in (Rounding.TRN, Rounding.RND_CONV):
                    mode = (rounding, Overflow.SAT)
                    kind = FixedType(width, width - fraction, signed, *mode)
                    if _keeps(function, results, source, kind, starts, ends):
                        return kind
    return None


def _keeps(
    function: Function,
    results: NDArray[np.float64],
    source: FixedType,
    kind: FixedType,
    starts: Codes,
    ends: Codes,
) -> bool:
    for places in (starts, ends):
        codes = kind.cast(places + source.min_code, source.fraction)
        moved = (codes << (source.fraction - kind.fraction)) - source.min_code
        inside = np.clip(moved, 0, len(results) - 1)
        if ((inside < starts) | (inside > ends)).any():
            return False
        beyond = np.flatnonzero(moved != inside)
        if not len(beyond):
            continue
        made = function(kind.decode(codes[beyond]).astype(np.float32))
        if not np.array_equal(made, results[places[beyond]]):
            return False
    return True
