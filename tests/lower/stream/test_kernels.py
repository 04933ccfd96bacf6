"""Traced kernels, and whole images through them, against the graph's interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lower.stream.networks import chain, edges_and_nodes, residual, strided, u_net
from trigger_ml.config import Config
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import Codes
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.stream.write import trace_stream

CASES = [
    (chain(1, (4, 30, 2)), 7),
    (u_net(4, (4, 16, 2)), 4),
    (strided(5, (2, 33, 2)), 4),
    (residual(8, (4, 16, 2)), 4),
    (edges_and_nodes(18, 1, 0), 1),
    (edges_and_nodes(18, 6, 1), 2),
]


def images(graph: FixedGraph, count: int) -> Codes:
    rows = (np.random.default_rng(0).random((count, graph.input_size)) < 0.4).astype(np.int64)
    rows[0], rows[1] = 0, 1
    return rows


@pytest.mark.parametrize(("graph", "lanes"), CASES)
def test_kernels_over_whole_images_equal_the_graph(graph: FixedGraph, lanes: int) -> None:
    config = Config()
    logic = trace_stream(plan(graph, lanes), config.target, config.firmware)
    codes = images(graph, 6)
    expected = evaluate(graph, codes)
    assert len(np.unique(expected)) > 4
    assert np.array_equal(logic.predict(codes), expected)


def test_a_kernel_is_traced_once_whatever_the_lanes() -> None:
    config = Config()
    graph = chain(1, (4, 30, 2))
    narrow, wide = (
        trace_stream(plan(graph, lanes), config.target, config.firmware) for lanes in (2, 15)
    )
    costs = [[kernel.program.cost for kernel in logic.kernels.values()] for logic in (narrow, wide)]
    assert costs[0] == costs[1]
    assert narrow.latency_cycles - narrow.plan.groups > wide.latency_cycles - wide.plan.groups


def test_stages_leave_room_for_the_border_gate() -> None:
    config = Config()
    logic = trace_stream(plan(chain(1, (4, 30, 2)), 7), config.target, config.firmware)
    stage_ns = 1e3 / config.target.clock_mhz / config.firmware.routing_margin
    for kernel in logic.kernels.values():
        assert max(kernel.stage_delays_ns) <= stage_ns
        assert kernel.stage_delays_ns[0] > 0.3
