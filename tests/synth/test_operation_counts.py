"""Columns, bits and products of hand-made programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from alkaid.trace import FVArray, HWConfig, to_pipeline, trace

from trigger_ml.synth.alkaid_codes import Columns, Term, columns_of
from trigger_ml.synth.operation_counts import Counts, count_operations, count_stage
from trigger_ml.synth.shift_registers import count_registers


def inputs(*widths: int, signed: bool = False) -> Any:
    size = np.array(widths)
    sign = np.full_like(size, int(signed))
    return FVArray.from_kif(sign, size - sign, 0 * size, HWConfig(1, -1, -1), 0.0)


def program(given: Any, *outputs: Any) -> Any:
    return trace(given, FVArray(np.array(outputs)), keep_dead_inputs=True)


def test_columns_of_a_sum() -> None:
    # a: columns 0 to 3, b: columns 2 to 4 and its sign above.
    a, b = Term(0, 4, False, False), Term(2, 3, True, False)
    assert columns_of([a, b], 6) == Columns(2, 6, (2, 2, 1, 1, 1))
    assert columns_of([a, b], 6).width == 5
    # What is subtracted and starts lower has a carry from its own first column on.
    low = Term(-1, 4, False, True)
    assert columns_of([a, low], 4).start == -1
    assert columns_of([a], 4).width == 0


def test_an_adder_takes_a_lut_where_two_bits_meet() -> None:
    x = inputs(8, 8)
    found = count_stage(program(x, x[0] + x[1]))
    # The ninth column only takes the carry.
    assert found.amounts == {"add": 8.0}
    assert found.carry4 == 3
    shifted = count_stage(program(x, x[0] + x[1] * 16.0))
    assert shifted.amounts == {"add": 4.0}
    assert shifted.carry4 == 3


def test_signs_that_repeat_a_column_are_free() -> None:
    x = inputs(6, 6, signed=True)
    assert count_stage(program(x, x[0] + x[1])).amounts == {"add": 6.0}


@pytest.mark.parametrize(
    ("widths", "signs", "dsp"),
    [
        ((8, 8), (True, True), 1),
        ((4, 4), (True, True), 0),
        ((8, 1), (True, False), 1),
        ((8, 1), (False, False), 0),
    ],
)
def test_products(widths: tuple[int, int], signs: tuple[bool, bool], dsp: int) -> None:
    size, sign = np.array(widths), np.array(signs, dtype=np.int64)
    x = FVArray.from_kif(sign, size - sign, 0 * size, HWConfig(1, -1, -1), 0.0)
    found = count_stage(program(x, x[0] * x[1]))
    assert found.dsp == dsp
    assert found.amounts.get("product", 0.0) == (0 if dsp else widths[0] * widths[1])


def test_counts_add_up() -> None:
    one, two = Counts({"add": 2.0}, 1, 1), Counts({"add": 1.0, "relu": 3.0}, 2, 0)
    assert one + two == Counts({"add": 3.0, "relu": 3.0}, 3, 1)
    assert one.plus(two, 3) == Counts({"add": 5.0, "relu": 9.0}, 7, 1)
    x = inputs(8, 8, 8)
    built = program(x, x[0] + x[1] + x[2])
    fsm = to_pipeline(built, n_stages=2, verbose=False)
    stages = [count_stage(stage) for stage in fsm.logic.values()]
    assert count_operations(fsm) == stages[0] + stages[1]


def registered(*outputs: Any, given: Any) -> int:
    """Registers behind the logic: what stands there but for those of the inputs."""
    fsm = to_pipeline(program(given, *outputs), n_stages=1, verbose=False, reg_inp=False)
    return count_registers(fsm).ff


def test_a_bit_that_an_adder_copies_is_registered_once() -> None:
    x = inputs(8, 8)
    total = x[0] + x[1] * 16.0
    # 13 bits of the sum; of x[0] the low four are in it already.
    assert registered(total, given=x) == 13
    assert registered(total, x[0], given=x) == 13 + 4


def test_a_sum_and_a_difference_have_one_lowest_bit() -> None:
    x = inputs(4, 4)
    assert registered(x[0] + x[1], given=x) == 5
    assert registered(x[0] + x[1], x[0] - x[1], given=x) == 5 + 4


def test_a_bit_that_nothing_reads_is_not_registered() -> None:
    x = inputs(8)
    kept = x[0].quantize(0, 8, -4)
    fsm = to_pipeline(program(x, kept), n_stages=1, verbose=False)
    found = count_registers(fsm)
    assert found.ff < found.bits
    assert found.ff == 2 * 4
