from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alkaid.codegen import RTLModel
from alkaid.trace import FVArray, HWConfig, to_pipeline, trace
from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders

from trigger_ml.artifacts import Hdl, Resources, RtlProject
from trigger_ml.synth.cost_model import estimate, stage_delays_ns
from trigger_ml.synth.shift_registers import Registers, count_registers
from trigger_ml.synth.yosys import synthesize

ADD_8_NS = 1.09375 + 7 * 0.025390625
"""alkaid's delay of an adder with eight carry bits (its passes/surrogate.py)."""


def adder_chain(terms: int) -> Any:
    """x0 + x1, then + x2, ...: eight unsigned bits each, one value waits longer than the last."""
    ones = np.ones(terms, dtype=np.int64)
    inputs = FVArray.from_kif(0 * ones, 8 * ones, 0 * ones, HWConfig(1, -1, -1), 0.0)
    total = inputs[0]
    for position in range(1, terms):
        total = total + inputs[position]
    return trace(inputs, FVArray(np.array([total])), keep_dead_inputs=True)


def stages_of_one_adder(program: Any, terms: int) -> Any:
    return to_pipeline(program, n_stages=terms - 1, verbose=False)


def test_a_value_that_waits_becomes_a_shift_register() -> None:
    terms = 5
    fsm = stages_of_one_adder(adder_chain(terms), terms)
    # Registers: 5 x 8 at the input; then the sum (9, 10, 11 bits) and 3, 2, 1 values that wait;
    # 11 bits at the output. x2 waits in 2 registers, x3 in 3 and x4 in 4.
    bits = 5 * 8 + (9 + 3 * 8) + (10 + 2 * 8) + (10 + 1 * 8) + 11
    assert count_registers(fsm) == Registers(bits, bits - 8 * (3 + 4), 2 * 8)


def test_a_value_that_logic_reads_on_its_way_is_no_shift_register() -> None:
    ones = np.ones(1, dtype=np.int64)
    inputs = FVArray.from_kif(0 * ones, 8 * ones, 0 * ones, HWConfig(1, -1, -1), 0.0)
    total = inputs[0]
    for shift in (3, 5, 7, 11):
        total = total + inputs[0] * 2.0**shift
    program = trace(inputs, FVArray(np.array([total])), keep_dead_inputs=True)
    fsm = to_pipeline(program, latency_cutoff=1.0, verbose=False)
    found = count_registers(fsm)
    assert len(fsm.logic) > 3
    # The first sum's low three bits are those of x, which waits beside it in four registers.
    assert found.ff == found.bits - 3 * 4
    assert found.srl_lut == 0


@pytest.mark.parametrize(
    ("registers", "ff", "luts"),
    [(2, 2, 0), (3, 0, 1), (16, 0, 1), (17, 1, 1), (18, 0, 1), (32, 0, 1), (33, 1, 1), (34, 0, 2)],
)
def test_long_chains(registers: int, ff: int, luts: int) -> None:
    ones = np.ones(1, dtype=np.int64)
    inputs = FVArray.from_kif(0 * ones, 1 * ones, 0 * ones, HWConfig(1, -1, -1), 0.0)
    program = trace(inputs, inputs, keep_dead_inputs=True)
    fsm = to_pipeline(program, n_stages=registers - 1, verbose=False)
    assert count_registers(fsm) == Registers(registers, ff, luts)


def test_stage_delay_is_that_of_its_own_logic() -> None:
    terms = 5
    program = adder_chain(terms)
    delays = stage_delays_ns(stages_of_one_adder(program, terms))
    assert len(delays) == terms - 1
    assert delays[0] == pytest.approx(ADD_8_NS)
    assert sum(delays) == pytest.approx(program.latency[1])


def test_an_operation_that_straddles_a_cut_counts_whole() -> None:
    program = adder_chain(5)
    cutoff = 0.75 * ADD_8_NS
    delays = stage_delays_ns(to_pipeline(program, latency_cutoff=cutoff, verbose=False))
    assert max(delays) >= ADD_8_NS > cutoff


def test_binary_and_ternary_adders_are_told_apart() -> None:
    program = adder_chain(5)
    fused = add_surrogate(dead_code_elimin(fuse_ternary_adders(program)), _skip_op8_cost=True)
    for built in (program, fused):
        found = estimate(program, to_pipeline(built, n_stages=2, verbose=False))
        assert found.details["lut_logic"] == pytest.approx(built.cost)
        assert found.details["lut_binary_adders"] == pytest.approx(program.cost)
        assert found.details["lut_ternary_adders"] == pytest.approx(fused.cost)
    assert fused.cost < program.cost
    already = estimate(fused, to_pipeline(fused, n_stages=2, verbose=False))
    assert already.details["lut_binary_adders"] is None


def test_estimate_adds_up() -> None:
    terms = 5
    program = adder_chain(terms)
    found = estimate(
        program, stages_of_one_adder(program, terms), layer_lut={"dense": 30.0}, extra_ff=6
    )
    assert found.origin == "cost_model"
    assert found.version.startswith("alkaid ")
    assert found.total.lut == pytest.approx(program.cost + 16)
    assert found.total.ff == found.details["register_bits"] - 8 * 7
    assert (found.total.dsp, found.total.bram36) == (0, 0)
    # carry chains of 9, 10, 11 and 11 bits with the last carry: 3 CARRY4 each
    assert found.total.carry8 == 6
    assert found.by_layer == {"dense": Resources(lut=30.0)}
    assert found.details["worst_stage_ns"] == max(found.details["stage_delays_ns"])


def test_estimate_against_yosys(tmp_path: Path) -> None:
    terms = 6
    program = adder_chain(terms)
    model = RTLModel(
        program,
        tmp_path / "rtl",
        prj_name="core",
        n_stages=terms - 1,
        ternary_fuse=False,
        print_latency=False,
    )
    model.write()
    expected = estimate(program, model.fsm)
    folder = tmp_path / "rtl" / "src"
    sources = (*folder.glob("static/*.v"), *folder.glob("logic*.v"), folder / "core.v")
    core = RtlProject(folder, Hdl.VERILOG, "core", "core", sources, 6, 48, 11, 360.0)
    found = synthesize(core, work=tmp_path / "work")
    assert found.total.ff == expected.total.ff
    assert found.details["lut_shift_register"] == expected.details["lut_shift_register"]
    assert found.total.lut == pytest.approx(expected.total.lut, rel=0.15)
    assert found.total.carry8 == expected.total.carry8
    assert found.total.lut == pytest.approx(
        expected.details["predicts"]["yosys"]["lut"]["value"], rel=0.05
    )
    assert len(found.details["by_module"]) == terms - 1
