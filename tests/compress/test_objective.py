"""The cost of a candidate is the cost that its firmware is reported with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.graph.networks import chain
from trigger_ml.artifacts import Hdl
from trigger_ml.compress.objective import Cost, measure_cost
from trigger_ml.config import Config, load_config
from trigger_ml.errors import ConfigError, DataError, ModelError
from trigger_ml.frontends.client import firmware_graph
from trigger_ml.graph.model import Dense, FixedGraph, frozen_codes
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.rtl import pipeline, trace_graph, write_rtl
from trigger_ml.synth.cost_model import estimate


def network(seed: int = 3) -> FixedGraph:
    return chain(np.random.default_rng(seed), (6, 8, 4), lambda: FixedType(6, 3))


def compiled(graph: FixedGraph, config: Config, folder: Path) -> tuple[Any, ...]:
    """LUT, FF, clocks and longest stage by way of RTL on disk, as a compilation counts them."""
    logic = trace_graph(firmware_graph(graph, config), config.firmware.adder_depth)
    margin = config.firmware.routing_margin
    rtl = write_rtl(logic, config.target, margin, "tiny", Hdl.VERILOG, folder / "rtl")
    fsm = pipeline(logic, config.target, margin)
    found = estimate(logic.program, fsm, extra_ff=rtl.latency_cycles)
    worst = found.details["worst_stage_ns"]
    return found.total.lut, found.total.ff, rtl.latency_cycles, worst


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target.clock_mhz": 500.0},
        {"firmware.routing_margin": 3.0},
        {"firmware.output": "argmax"},
        {"firmware.output": "threshold", "firmware.threshold": 0.5},
    ],
)
def test_the_figures_of_a_compilation(changes: dict[str, Any], tmp_path: Path) -> None:
    config, graph = load_config(None, changes), network()
    cost = measure_cost(graph, config)
    figures = (cost.lut, cost.ff, cost.latency_cycles, cost.worst_stage_ns)
    assert figures == compiled(graph, config, tmp_path)
    assert cost.latency_ns == pytest.approx(cost.latency_cycles * 1e3 / config.target.clock_mhz)


@pytest.mark.parametrize("depth", [0, 2])
def test_the_figures_at_an_adder_depth(depth: int, tmp_path: Path) -> None:
    config = load_config(None, {"firmware.adder_depth": depth})
    graph = chain(np.random.default_rng(1), (12, 8), lambda: FixedType(6, 6))
    assert measure_cost(graph, config).lut == compiled(graph, config, tmp_path)[0]
    other = load_config(None, {"firmware.adder_depth": 2 - depth})
    assert measure_cost(graph, config).lut != measure_cost(graph, other).lut


def test_the_parts_make_the_whole() -> None:
    cost = measure_cost(network(), Config())
    assert set(cost.by_layer) == {"fc0", "fc1"}
    assert sum(cost.by_layer.values()) == pytest.approx(cost.lut_binary_adders)
    assert min(cost.by_layer.values()) > 0
    assert cost.seconds > 0


def test_fewer_weights_cost_less() -> None:
    graph = network()
    node = graph.by_name["fc0"]
    assert isinstance(node.operation, Dense)
    weight = node.operation.weight.copy()
    weight[:, ::2] = 0
    sparse = replace(node, operation=replace(node.operation, weight=frozen_codes(weight)))
    nodes = tuple(sparse if n is node else n for n in graph.nodes)
    assert (
        measure_cost(replace(graph, nodes=nodes), Config()).lut < measure_cost(graph, Config()).lut
    )


def test_a_network_without_logic_is_not_cheap_but_wrong() -> None:
    graph = network()
    nodes = []
    for node in graph.nodes:
        operation = node.operation
        if isinstance(operation, Dense):
            operation = replace(
                operation,
                weight=frozen_codes(np.zeros_like(operation.weight)),
                bias=frozen_codes(np.zeros_like(operation.bias)),
            )
        nodes.append(replace(node, operation=operation))
    with pytest.raises(ModelError, match="gives the same for every event"):
        measure_cost(replace(graph, nodes=tuple(nodes)), Config())


def test_softmax_is_the_front_ends() -> None:
    with pytest.raises(ConfigError, match=r"search with firmware\.output: logits"):
        measure_cost(network(), load_config(None, {"firmware.output": "softmax"}))


def test_json_and_back() -> None:
    cost = measure_cost(network(), Config())
    data = json.loads(json.dumps(cost.to_json()))
    assert Cost.from_json(data) == cost
    assert Cost.from_json(data).seconds == cost.seconds
    del data["ff"]
    with pytest.raises(DataError, match=r"cost\.ff: Field required"):
        Cost.from_json(data)


def test_the_same_twice() -> None:
    assert measure_cost(network(), Config()) == measure_cost(network(), Config())
