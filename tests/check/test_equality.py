"""Equality of witnesses, and where they part."""

import numpy as np
import pytest

from trigger_ml.artifacts import CosimRun, Hdl, Run, Vectors
from trigger_ml.check.budget import judge_equality, judge_resources, judge_timing
from trigger_ml.check.divergence import explain, first_divergence
from trigger_ml.check.equality import compare
from trigger_ml.config import Budget
from trigger_ml.graph.model import Dense, FixedGraph, Input, Lookup, Node, Relu, frozen_codes
from trigger_ml.graph.types import Codes, FixedType, Overflow

KIND = FixedType(6, 3, overflow=Overflow.SAT)


def run(name: str, codes: object) -> Run:
    return Run(name, np.array(codes, dtype=np.int64), 0.0)


def test_equal_runs() -> None:
    comparison = compare(run("csim", [[1, 2], [3, 4]]), run("graph", [[1, 2], [3, 4], [5, 6]]))
    assert comparison.exact
    assert (comparison.name, comparison.events, comparison.first) == ("csim~graph", 2, None)


def test_the_first_difference_is_named() -> None:
    comparison = compare(
        run("rtl", [[1, 2], [3, 5], [0, 0]]), run("graph", [[1, 2], [3, 4], [5, 6]])
    )
    assert (comparison.mismatches, comparison.first, comparison.codes) == (2, (1, 1), (5, 4))


def test_missing_events_are_mismatches() -> None:
    comparison = compare(run("rtl", [[1], [2]]), run("graph", [[1]]))
    assert comparison.mismatches == 2


def test_nothing_compared_is_no_pass() -> None:
    empty = np.empty((0, 2), dtype=np.int64)
    assert not compare(Run("rtl", empty, 0), Run("graph", empty, 0)).exact
    verdicts = judge_equality({"rtl~graph": None})
    assert [(v.name, v.passed, v.message) for v in verdicts] == [
        ("bits:rtl~graph", False, "not compared")
    ]


def node(operation: object) -> Node:
    return Node("fc1", operation, ("x",), (3,), KIND)  # type: ignore[arg-type]


def dense() -> Dense:
    return Dense(
        frozen_codes(np.ones((2, 3))), KIND, frozen_codes(np.zeros(3)), KIND, FixedType(12, 6)
    )


BASE = np.array([[5, -3, 7], [1, 2, 3]])


@pytest.mark.parametrize(
    ("operation", "left", "cause"),
    [
        (Relu(), BASE + [[0, 1, 0], [0, 0, -1]], "rounding"),
        (Relu(), BASE + [[64, 0, 0], [0, -64, 0]], "overflow handling"),
        (Relu(), np.where(BASE == 7, KIND.max_code, BASE), "saturation"),
        (Relu(), BASE * 4, "scale: a factor of 2**2"),
        (Lookup("tanh", frozen_codes(np.zeros(64))), BASE + [[2, 0, 0], [0, 0, 0]], "table entry"),
        (dense(), BASE + [[0, 5, 0], [0, 3, 0]], "a weight or bias of 1 of 3 outputs (1)"),
    ],
)
def test_causes(operation: object, left: Codes, cause: str) -> None:
    assert cause in explain(node(operation), left, BASE)


def test_the_first_layer_that_differs_is_named() -> None:
    graph = FixedGraph(
        "g",
        (Node("x", Input(), (), (3,), KIND), node(Relu()), Node("y", Relu(), ("fc1",), (3,), KIND)),
        ("y",),
    )
    right = {"fc1": BASE, "y": BASE}
    left = {"fc1": BASE + [[0, 0, 0], [0, 1, 0]], "y": BASE + 1}
    rows = np.array([40, 41])
    found = first_divergence("csim~graph", graph, left, right, rows, "random")
    assert found is not None
    assert (found.layer, found.event, found.element) == ("fc1", 41, 1)
    assert (found.left, found.right) == (3, 2)
    assert "layer fc1, element 1, event 41 (random): 3 against 2" in str(found)
    assert first_divergence("csim~graph", graph, right, right, rows, "random") is None


def cosim(latency: int) -> CosimRun:
    return CosimRun(run("rtl", [[0]]), "verilator", "5", Hdl.VERILOG, 1, latency, 1, 0.0)


def test_timing_against_the_budget() -> None:
    budget = Budget(latency_ns=50.0, ii_ns=25.0)
    passed = {v.name: v.passed for v in judge_timing(cosim(18), 360.0, budget)}
    assert passed == {"latency": True, "ii": True}
    late = judge_timing(cosim(19), 360.0, budget)[0]
    assert not late.passed
    assert late.message == ("19 clock cycles = 52.8 ns at 360 MHz; budget 50 ns, 2.8 ns too long")
    assert not any(v.passed for v in judge_timing(None, 360.0, budget))


def test_resources_against_the_budget() -> None:
    budget = Budget(lut_share=0.01, dsp_share=0.0)
    verdicts = judge_resources({"lut": 0.02, "dsp": 0.0}, "yosys", budget)
    assert [v.passed for v in verdicts] == [False, True]
    assert not any(v.passed for v in judge_resources(None, "yosys", budget))
    assert judge_resources(None, "yosys", Budget()) == ()


def test_what_is_larger_than_the_part_fails_without_a_budget() -> None:
    assert judge_resources({"lut": 1.0, "dsp": 0.0}, "yosys", Budget()) == ()
    over = judge_resources({"lut": 1.25, "dsp": 0.0}, "yosys", Budget(), "take fewer columns")
    assert [(v.name, v.passed) for v in over] == [("resources:lut", False)]
    assert over[0].message == ("125.00% of the part by yosys: it does not fit; take fewer columns")


def test_a_hint_stands_only_where_luts_are_exceeded() -> None:
    budget = Budget(lut_share=0.1, dsp_share=0.0)
    lut, dsp = judge_resources({"lut": 0.2, "dsp": 0.1}, "yosys", budget, "take fewer columns")
    assert lut.message.endswith("budget 10.00%; take fewer columns")
    assert not dsp.passed and "columns" not in dsp.message
    (kept, _) = judge_resources({"lut": 0.1, "dsp": 0.0}, "yosys", budget, "take fewer columns")
    assert kept.passed and "columns" not in kept.message


def test_vectors_know_where_a_row_is_from() -> None:
    from trigger_ml.artifacts import Segment

    vectors = Vectors(
        np.zeros((5, 1), dtype=np.int64),
        (Segment("corner:min", 0, 1), Segment("corner:max", 1, 2), Segment("events", 2, 5)),
        1,
    )
    assert vectors.rows("corner:") == slice(0, 2)
    assert vectors.segment_of(3) == "events"
    assert vectors.rows("random") == slice(0, 0)
