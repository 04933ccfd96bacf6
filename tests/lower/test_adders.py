"""Sums keep their value and take as few levels of adders as there can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from alkaid.trace import FVArray, trace
from alkaid.trace.passes import add_surrogate, dead_code_elimin
from hypothesis import given, settings
from hypothesis import strategies as st

from trigger_ml.lower.adders import balance, end_ns
from trigger_ml.lower.arithmetic import HARDWARE

SHIFTS = st.integers(-4, 4)
STAGE_NS = 1.85
"""Room for one adder of two, or of three up to 14 bits."""


def inputs(widths: Sequence[int]) -> Any:
    """Signed integers."""
    zeros = np.zeros(len(widths), dtype=np.int8)
    integers = np.array(widths, dtype=np.int8) - 1
    return FVArray.from_kif(zeros + 1, integers, zeros, HARDWARE, 0.0, {})


def traced(symbols: Any, results: Sequence[Any]) -> Any:
    packed = np.empty(len(results), dtype=object)
    packed[:] = results
    program = trace(symbols, FVArray(packed, symbols.solver_options), keep_dead_inputs=True)
    return add_surrogate(dead_code_elimin(program, keep_dead_inputs=True))


def chain_of(symbols: Any, factors: Sequence[float]) -> Any:
    """A sum, one term after another: as many levels as there are terms."""
    total = symbols[0] * factors[0]
    for symbol, factor in zip(symbols[1:], factors[1:], strict=True):
        total = total + symbol * factor
    return total


def rows(widths: Sequence[int], count: int = 300) -> np.ndarray[Any, np.dtype[np.float64]]:
    high = 2.0 ** (np.array(widths) - 1)
    drawn = np.random.default_rng(0).uniform(-high, high, (count, len(widths)))
    return np.concatenate([[-high, high - 1], np.floor(drawn)])


def levels(program: Any) -> int:
    """Adders on the longest path."""
    depth: list[int] = []
    for op in program.ops:
        depth.append(max((depth[k] for k in op.addr), default=0) + (op.opcode in (0, 1, 11)))
    return max(depth[k] for k in program.out_idxs)


@pytest.mark.parametrize(("terms", "depth"), [(3, 1), (4, 2), (9, 2), (10, 3), (27, 3), (28, 4)])
def test_a_chain_becomes_a_tree_of_threes(terms: int, depth: int) -> None:
    symbols = inputs([4] * terms)
    program = traced(symbols, [chain_of(symbols, [1.0] * terms)])
    assert levels(program) == terms - 1
    tree = balance(program, STAGE_NS)
    assert levels(tree) == depth
    assert np.array_equal(tree.predict(rows([4] * terms)), program.predict(rows([4] * terms)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_signs_shifts_and_shared_sums_keep_their_values(data: st.DataObject) -> None:
    widths = data.draw(st.lists(st.integers(2, 12), min_size=3, max_size=12))
    symbols = inputs(widths)
    factor = st.builds(lambda sign, shift: sign * 2.0**shift, st.sampled_from((1, -1)), SHIFTS)
    factors = data.draw(st.lists(factor, min_size=len(widths), max_size=len(widths)))
    total = chain_of(symbols, factors)
    middle = len(widths) // 2 + 1
    half = chain_of(symbols[:middle], factors[:middle])
    shared = half * 2.0 - symbols[-1]
    inside = symbols[0] - (symbols[1] * 4.0 - (symbols[2] - chain_of(symbols, factors[::-1])))
    program = traced(symbols, [total, total - shared, np.maximum(shared, 0) + half, inside])
    tree = balance(program, data.draw(st.sampled_from((1.2, STAGE_NS, 5.0))))
    assert np.array_equal(tree.predict(rows(widths)), program.predict(rows(widths)))


def test_terms_that_are_late_are_added_last() -> None:
    """Three levels for one term leave room for 18 others beside it, then one adder of three."""
    symbols = inputs([4] * 45)
    late = np.maximum(chain_of(symbols[:27], [1.0] * 27), 0)
    total = late
    for symbol in symbols[27:]:
        total = total + symbol
    tree = balance(traced(symbols, [total]), STAGE_NS)
    assert levels(tree) == 4


def test_an_adder_of_three_that_fits_no_stage_stays_two() -> None:
    symbols = inputs([20] * 3)
    program = traced(symbols, [chain_of(symbols, [1.0] * 3)])
    assert {op.opcode for op in balance(program, STAGE_NS).ops} == {-1, 0}
    assert 11 in {op.opcode for op in balance(program, 5.0).ops}


def test_sums_that_others_read_too_are_kept() -> None:
    symbols = inputs([4] * 4)
    pair = symbols[0] + symbols[1]
    program = traced(symbols, [pair + symbols[2], pair + symbols[3]])
    assert len(balance(program, STAGE_NS).ops) == len(program.ops)


@pytest.mark.parametrize(
    ("start", "delay", "end"),
    [
        (0.0, 1.0, 1.0),
        (1.0, 0.5, 1.5),
        (1.5, 1.0, 3.0),
        (1.5, 0.0, 1.5),
        (2.0, 1.5, 3.5),
        (0.0, 3.0, 1.998),
        (1.0, 3.0, 3.998),
    ],
)
def test_no_operation_straddles_a_cut(start: float, delay: float, end: float) -> None:
    assert end_ns(start, delay, 2.0) == pytest.approx(end, abs=1e-9)
