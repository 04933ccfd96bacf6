"""Pipeline stages keep within the delay that they are cut for."""

import itertools

import numpy as np
import pytest

from tests.graph.networks import chain
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.lower.retime import cut
from trigger_ml.lower.rtl import Logic, trace_graph
from trigger_ml.synth.cost_model import stage_delays_ns


@pytest.fixture(scope="module")
def logic() -> Logic:
    kind = FixedType(7, 3, rounding=Rounding.RND, overflow=Overflow.SAT)
    return trace_graph(chain(np.random.default_rng(1), [8, 16, 8, 4], lambda: kind))


@pytest.mark.parametrize("stage_ns", [1.9, 2.0, 2.6, 5.0, 100.0])
def test_no_stage_is_longer_than_asked(logic: Logic, stage_ns: float) -> None:
    delays = stage_delays_ns(cut(logic.program, stage_ns))
    assert max(delays) <= stage_ns
    assert len(delays) >= logic.program.latency[1] / stage_ns


def test_stages_are_not_wasted(logic: Logic) -> None:
    """No two neighbours would fit into one stage."""
    delays = stage_delays_ns(cut(logic.program, 3.0))
    assert all(sum(pair) > 3.0 for pair in itertools.pairwise(delays))


def test_one_operation_longer_than_a_stage_stands_alone(logic: Logic) -> None:
    delays = stage_delays_ns(cut(logic.program, 0.8))
    assert 0.8 < max(delays) < 2.0


def test_cutting_changes_no_result(logic: Logic) -> None:
    fsm = cut(logic.program, 1.5)
    codes = np.random.default_rng(0).integers(-64, 64, (300, 8))
    values = logic.graph.input_nodes[0].type.decode(codes)
    for stage in fsm.logic.values():
        values = stage.predict(values)
    out = logic.graph.output_nodes[0].type
    assert np.array_equal(np.ldexp(values, out.fraction), evaluate(logic.graph, codes))


def test_a_faster_clock_takes_more_stages(logic: Logic) -> None:
    slow, fast = (len(cut(logic.program, 1e3 / mhz / 1.5).logic) for mhz in (240.0, 480.0))
    assert slow < fast
