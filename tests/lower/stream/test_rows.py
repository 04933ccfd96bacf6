"""Kernels for single rows: what is in them, how often they stand there, and what they read."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lower.stream.networks import ACTIVATION, Sketch, chain, edges_and_nodes, u_net
from trigger_ml.config import Config
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import Codes
from trigger_ml.lower.stream.layout import KernelPlan
from trigger_ml.lower.stream.plan import plan
from trigger_ml.lower.stream.rows import RowNetwork
from trigger_ml.lower.stream.write import trace_stream


def kernels(graph: FixedGraph, lanes: int = 1) -> dict[str, KernelPlan]:
    return {part.name: part for part in plan(graph, lanes).kernels}


def require_exact(graph: FixedGraph, lanes: int) -> None:
    config = Config()
    logic = trace_stream(plan(graph, lanes), config.target, config.firmware)
    kind = graph.input_nodes[0].type
    codes = np.random.default_rng(1).integers(
        kind.min_code, kind.max_code + 1, (20, graph.input_size)
    )
    expected = evaluate(graph, codes)
    assert len(np.unique(expected)) > 3
    assert np.array_equal(logic.predict(codes), expected)


def test_one_kernel_for_edges_and_one_for_nodes() -> None:
    """What lies between two mixes is one kernel; it stands there once for each row."""
    graph = edges_and_nodes(0, 6, 1)
    found = kernels(graph, 2)
    edges, nodes = 24, 6
    assert {name: part.places for name, part in found.items()} == {
        "e_relu": edges,
        "v_relu": nodes,
        "score": edges,
    }
    assert found["score"].instances == 2 * edges
    inside = {node.name for node in found["score"].graph.nodes}
    assert {"start", "end", "all", "hidden_relu", "there_relu", "again"} <= inside


def test_a_kernel_adds_as_many_rows_as_the_longest_sum_has() -> None:
    """A node on the first layer has nobody before it: it reads rows of zeros."""
    part = kernels(edges_and_nodes(0, 6, 1))["v_relu"]
    assert (part.taps, part.left) == (3, 1)
    (_, into), (_, out) = part.rows
    assert {len(picks) for picks in (*into, *out)} == {6}
    assert all(pick is None for pick in into[0])
    assert sorted((pick.tap, pick.row) for pick in into[2] if pick) == [
        (tap, a * 6 + (2 - tap) * 2) for tap in (0, 1, 2) for a in (0, 1)
    ]
    assert {pick.tap for pick in out[0] if pick} == {1}


def test_networks_of_columns_stay_as_they_are() -> None:
    for graph in (chain(1, (4, 30, 2)), u_net(4, (4, 16, 2))):
        assert not RowNetwork(graph).inside
        assert not any(part.rows for part in kernels(graph, 2).values())


def random_mix(seed: int, reach: int, before: int, after: int) -> Codes:
    rng = np.random.default_rng(seed)
    shape = (2 * reach + 1, before, after)
    weight = rng.choice([-2, 1, 3], shape) * (rng.random(shape) < 0.4)
    weight[:, :, 0] = 0
    weight[0, 0, 1] = 1
    return weight


@pytest.mark.parametrize("lanes", [1, 3])
def test_weights_of_all_kinds_from_two_sources(lanes: int) -> None:
    """Sums with several weights, of two tensors side by side, with a bias, one of them empty."""
    net = Sketch(3)
    x = net.input((5, 7, 2), ACTIVATION)
    one, other = net.conv("one", x, (1, 1), 2), net.conv("other", x, (3, 3), 2)
    mixed = net.mix("mixed", one, other, weight=random_mix(3, 1, 10, 4), bias=1)
    net.conv("last", mixed, (1, 1), 2, relu=False)
    graph = net.graph()
    assert {name: bool(part.rows) for name, part in kernels(graph, lanes).items()} == {
        "one_relu": True,
        "other": False,
        "last": True,
    }
    require_exact(graph, lanes)


def test_a_mix_that_leaves_the_network_or_has_two_readers() -> None:
    net = Sketch(4)
    x = net.input((4, 5, 2), ACTIVATION)
    shared = net.mix("shared", x, weight=random_mix(4, 1, 4, 3))
    both = net.concatenate(
        "both", net.conv("a", shared, (1, 1), 2), net.conv("b", shared, (1, 1), 1)
    )
    net.mix("leaves", both, weight=random_mix(5, 0, 3, 4))
    graph = net.graph()
    assert set(kernels(graph)) == {"shared", "both", "leaves"}
    require_exact(graph, 1)


def test_what_is_no_mix_takes_whole_columns() -> None:
    """A kernel over several rows, and a bias of its own for each row: channels by then."""
    net = Sketch(5)
    x = net.input((4, 5, 3), ACTIVATION)
    turned = net.swap("back", net.conv("tall", net.swap("turn", x), (3, 1), 4))
    own = net.swap("back2", net.conv("own", net.swap("turn2", turned), (1, 1), 3))
    mixed = net.mix("mixed", net.conv("c", own, (1, 1), 2), weight=random_mix(6, 0, 3, 3))
    net.conv("last", mixed, (1, 1), 1, relu=False)
    graph = net.graph()
    assert {name: bool(part.rows) for name, part in kernels(graph).items()} == {
        "tall": False,
        "turn2": False,
        "own_relu": True,
        "back2": False,
        "c_relu": True,
        "last": True,
    }
    require_exact(graph, 1)
