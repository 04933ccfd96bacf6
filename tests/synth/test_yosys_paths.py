"""Longest paths of small netlists, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_ml.synth.yosys_paths import (
    CARRY_BIT_NS,
    CARRY_IN_NS,
    CARRY_OUT_NS,
    CLOCK_TO_Q_NS,
    DSP_NS,
    LOCAL_NET_NS,
    LUT_NS,
    NET_NS,
    SETUP_NS,
    WIDE_MUX_NS,
    Longest,
    longest_inside,
    longest_paths,
)

STEP = NET_NS + LUT_NS
EDGES = CLOCK_TO_Q_NS + SETUP_NS


def cell(kind: str, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]) -> dict[str, Any]:
    directions = {**dict.fromkeys(inputs, "input"), **dict.fromkeys(outputs, "output")}
    return {"type": kind, "connections": {**inputs, **outputs}, "port_directions": directions}


def lut(inputs: list[Any], output: int) -> dict[str, Any]:
    return cell("$lut", {"A": inputs}, {"Y": [output]})


def register(data: int, output: int) -> dict[str, Any]:
    return cell("$_DFF_P_", {"C": [1], "D": [data]}, {"Q": [output]})


def carry(ci: Any, s: list[Any], di: list[Any], co: list[Any], o: list[Any]) -> dict[str, Any]:
    return cell("CARRY4", {"CI": [ci], "CYINIT": ["0"], "S": s, "DI": di}, {"CO": co, "O": o})


def module(outputs: list[Any], *cells: dict[str, Any]) -> dict[str, Any]:
    return {
        "ports": {"y": {"direction": "output", "bits": outputs}},
        "cells": {f"cell{k}": item for k, item in enumerate(cells)},
    }


def same(found: Longest, levels: int, carry_bits: int, ns: float) -> None:
    assert (found.levels, found.carry_bits) == (levels, carry_bits)
    assert found.delay_ns == pytest.approx(ns)


def test_luts_in_series() -> None:
    chain = module([12], lut([10, 11], 12), lut([2, 3], 10), lut([4, "0"], 5))
    same(longest_inside(chain), 2, 0, 2 * STEP)


def test_a_wire_takes_nothing_inside_and_a_net_between_registers() -> None:
    same(longest_inside(module([2, "0"])), 0, 0, 0.0)
    found = longest_paths(module([2], register(3, 4)), {})
    same(found[""], 0, 0, EDGES + NET_NS)


def test_a_wide_lut_is_two_and_a_multiplexer() -> None:
    same(longest_inside(module([9], lut([2, 3, 4, 5, 6, 7, 8], 9))), 1, 0, STEP + WIDE_MUX_NS)


def test_an_adder_is_a_lut_and_its_carry_bits() -> None:
    """Eight bits: from the lowest S, along seven more bits, to the highest O."""
    cells = [lut([2 + k, 12 + k], 22 + k) for k in range(8)]
    low = carry("0", [22, 23, 24, 25], [2, 3, 4, 5], [30, 31, 32, 33], [40, 41, 42, 43])
    high = carry(33, [26, 27, 28, 29], [6, 7, 8, 9], [34, 35, 36, 37], [44, 45, 46, 47])
    found = longest_inside(module(list(range(40, 48)), *cells, low, high))
    to_chain = STEP + LOCAL_NET_NS + CARRY_IN_NS
    same(found, 1, 8, to_chain + 6 * CARRY_BIT_NS + CARRY_OUT_NS)
    carried = longest_inside(module([37], *cells, low, high))
    same(carried, 1, 8, to_chain + 7 * CARRY_BIT_NS)
    alone = longest_inside(module([40], *cells, low, high))
    same(alone, 1, 1, STEP + LOCAL_NET_NS + CARRY_OUT_NS)


def test_a_signal_reaches_a_chain_through_a_lut_of_its_slice() -> None:
    found = longest_inside(module([40], carry("0", [2], [3], [30], [40])))
    same(found, 1, 1, STEP + CARRY_OUT_NS)


def test_a_register_ends_one_path_and_begins_another() -> None:
    cells = (lut([2, 3], 10), register(10, 11), lut([11, 4], 12), lut([12, 5], 13))
    same(longest_inside(module([13], *cells)), 2, 0, 2 * STEP)
    same(longest_inside(module([11], *cells)), 1, 0, STEP)
    same(longest_paths(module([13], *cells), {})[""], 2, 0, 2 * STEP + EDGES + LOCAL_NET_NS)


def dsp(registers: str) -> dict[str, Any]:
    found = cell("DSP48E2", {"A": [2], "B": [3]}, {"P": [4]})
    return {**found, "parameters": {"PREG": registers, "MREG": "0", "AREG": "0", "BREG": "0"}}


def test_a_dsp_is_passed_where_it_holds_no_register() -> None:
    same(longest_inside(module([4], dsp("00"))), 0, 0, NET_NS + DSP_NS)
    same(longest_inside(module([4], dsp("01"))), 0, 0, 0.0)


def test_a_stage_counts_with_the_gates_before_and_after_it() -> None:
    stages = {"first": Longest(3, 8, 2.0), "second": Longest(1, 0, 0.5)}
    cells = (
        lut([2, 3], 10),
        cell("first", {"x": [10, 4]}, {"y": [11, 12]}),
        register(11, 13),
        register(12, 14),
        cell("second", {"x": [13, 14]}, {"y": [15]}),
        lut([15, 5], 16),
        lut([6, 7], 17),
    )
    found = longest_paths(module([16, 17], *cells), stages)
    assert set(found) == {"first", "second", ""}
    same(found["first"], 4, 8, 2.0 + STEP + EDGES + LOCAL_NET_NS)
    same(found["second"], 2, 0, 0.5 + STEP + EDGES + LOCAL_NET_NS)
    same(found[""], 1, 0, STEP + EDGES + LOCAL_NET_NS)


def test_a_loop_of_logic_ends() -> None:
    found = longest_inside(module([10], lut([2, 11], 10), lut([10, 3], 11)))
    assert found.levels == 2


def test_a_deep_chain_needs_no_recursion() -> None:
    found = longest_inside(module([5000], *(lut([k, 1], k + 1) for k in range(10, 5000))))
    assert found.levels == 4990
