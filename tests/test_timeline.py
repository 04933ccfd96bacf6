"""The parts of the latency add up to what the simulation counts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.lower.stream.networks import chain
from trigger_ml.config import Config, load_config
from trigger_ml.graph.model import Dense, FixedGraph, Input, Node
from trigger_ml.graph.types import FixedType
from trigger_ml.lower.build import trace_firmware
from trigger_ml.lower.rtl import Logic
from trigger_ml.lower.stream.write import StreamLogic
from trigger_ml.timeline import timeline


def test_layers_of_a_pipeline() -> None:
    generator = np.random.default_rng(0)
    nodes = [Node("inputs", Input(), (), (4,), FixedType(8, 4), "inputs")]
    kind, wide = FixedType(6, 2), FixedType(16, 9)
    for name, shape in (("first", (4, 6)), ("second", (6, 2))):
        weight, bias = generator.integers(-20, 21, shape), generator.integers(-8, 9, shape[1])
        dense = Dense(weight, kind, bias, kind, wide)
        nodes.append(Node(name, dense, (nodes[-1].name,), (shape[1],), wide, name))
    graph = FixedGraph("two", tuple(nodes), ("second",))
    logic = trace_firmware(graph, Config())
    assert isinstance(logic, Logic)
    spans = timeline(logic, 9)
    assert [(span.name, span.kind) for span in spans] == [
        ("input register", "register"),
        ("first", "layer"),
        ("second", "layer"),
    ]
    assert all(a.stop_cycles == b.start_cycles for a, b in pairwise(spans))
    assert (spans[0].start_cycles, spans[0].stop_cycles, spans[-1].stop_cycles) == (0, 1, 9)
    assert [span.estimated for span in spans] == [False, True, True]
    share = logic.layer_delay["first"] / logic.layer_delay["second"]
    assert 0.2 < share < 0.9
    assert spans[1].stop_cycles == pytest.approx(1 + 8 * share)


@pytest.mark.parametrize("columns", [1, 15, 30])
def test_kernels_of_a_stream(columns: int) -> None:
    config = load_config(None, {"firmware.columns_per_clock": columns})
    logic = trace_firmware(chain(1, (4, 30, 2)), config)
    assert isinstance(logic, StreamLogic)
    spans = timeline(logic, logic.latency_cycles)
    groups = logic.plan.groups
    by_kind = {kind: [s for s in spans if s.kind == kind] for kind in ("input", "output", "window")}
    # The path of the last group has no gap, and ends with the latency of the written RTL.
    path = [span for span in spans if span.kind != "output"]
    assert path[0].start_cycles == 0
    assert all(a.stop_cycles == b.start_cycles for a, b in pairwise(path))
    assert path[-1].stop_cycles == logic.latency_cycles
    for span in (*by_kind["input"], *by_kind["output"]):
        assert span.stop_cycles - span.start_cycles == groups - 1
    assert len(by_kind["input"]) == len(by_kind["output"]) == (groups > 1)
    kernels = {s.name: s.stop_cycles - s.start_cycles for s in spans if s.kind == "kernel"}
    assert kernels == {name: item.latency_cycles for name, item in logic.kernels.items()}
