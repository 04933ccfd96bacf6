"""What each layer adds: the parts make up the whole."""

import numpy as np
import pytest
from alkaid.trace import FVArray, HWConfig, trace

from tests.graph.networks import chain
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.lower.retime import cut
from trigger_ml.lower.rtl import Logic, trace_graph
from trigger_ml.synth import layer_costs as costs
from trigger_ml.synth.cost_model import estimate
from trigger_ml.synth.layer_costs import layer_costs, with_layer_costs

STAGE_NS = 2.0


@pytest.fixture(scope="module")
def logic() -> Logic:
    kind = FixedType(7, 3, rounding=Rounding.RND, overflow=Overflow.SAT)
    return trace_graph(chain(np.random.default_rng(1), [8, 16, 8, 4], lambda: kind))


def test_layers_make_up_the_network(logic: Logic) -> None:
    fsm = cut(logic.program, STAGE_NS)
    counted = estimate(logic.program, fsm, layer_lut=logic.layer_cost)
    found = layer_costs(logic.layer_programs, lambda program: cut(program, STAGE_NS))
    assert list(found) == list(logic.layer_cost)
    assert len(found) == 3
    assert sum(item.ff for item in found.values()) == counted.total.ff
    assert sum(item.carry8 for item in found.values()) == counted.total.carry8
    assert sum(item.dsp for item in found.values()) == counted.total.dsp == 0
    assert sum(item.stages for item in found.values()) == counted.details["stages"]
    ends = np.cumsum([item.delay_ns for item in found.values()])
    assert list(ends) == pytest.approx(list(logic.layer_delay.values()))
    assert {name: item.lut for name, item in found.items()} == pytest.approx(logic.layer_cost)
    assert all(item.ff > 0 and item.carry8 > 0 and item.delay_ns > 0 for item in found.values())

    told = with_layer_costs(counted, found)
    first = next(iter(found))
    assert told.by_layer[first].ff == found[first].ff
    assert told.details["layer_delay_ns"][first] == found[first].delay_ns
    assert told.total == counted.total


def test_a_product_is_the_dsp_of_its_layer() -> None:
    size = np.array([8, 8])
    x = FVArray.from_kif(np.ones_like(size), size - 1, 0 * size, HWConfig(1, -1, -1), 0.0)
    outputs = {"sum": x[0] + x[1], "product": (x[0] + x[1]) * x[1]}
    programs = {
        name: trace(x, FVArray(np.array([output])), keep_dead_inputs=True)
        for name, output in outputs.items()
    }
    found = layer_costs(programs, lambda program: cut(program, STAGE_NS))
    assert {name: cost.dsp for name, cost in found.items()} == {"sum": 0, "product": 1}


def test_large_networks_are_not_cut_layer_by_layer(
    logic: Logic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "MOST_OPERATIONS", 10)
    found = layer_costs(logic.layer_programs, lambda program: cut(program, STAGE_NS))
    assert found == {}
    counted = estimate(logic.program, cut(logic.program, STAGE_NS), layer_lut=logic.layer_cost)
    assert with_layer_costs(counted, found) is counted
