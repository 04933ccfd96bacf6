"""Layers that are not convolutions alone, in streams: geometry, kernels, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.lower.stream.layer_networks import (
    Layers,
    elementwise,
    narrowed,
    pools,
    rims,
    strides,
)
from tests.lower.stream.test_kernels import images
from tests.lower.stream.test_plan import gated
from trigger_ml.config import Config
from trigger_ml.errors import ModelError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.merge_operations import Add
from trigger_ml.graph.model import FixedGraph, Input
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.verify import verify
from trigger_ml.lower.stream.plan import lanes_for, plan
from trigger_ml.lower.stream.write import trace_stream

CASES = [
    (elementwise(7, (3, 10, 2)), 3),
    (elementwise(7, (3, 9, 2)), 9),
    (strides(9, (4, 17, 2)), 4),
    (strides(9, (4, 16, 2)), 8),
    (strides(9, (5, 18, 2)), 20),
    (pools(11, (5, 19, 2)), 4),
    (pools(11, (5, 19, 2)), 20),
    (rims(4, (3, 17, 2)), 2),
    (rims(4, (3, 17, 2)), 6),
    (narrowed(5, (2, 14, 2)), 2),
    (narrowed(5, (2, 14, 2)), 1),
]
IDS = [f"{graph.by_name['hits'].shape}-{lanes}" for graph, lanes in CASES]


@pytest.mark.parametrize(("graph", "lanes"), CASES, ids=IDS)
def test_every_tap_is_the_column_it_should_be(graph: FixedGraph, lanes: int) -> None:
    verify(graph)
    layout = plan(graph, lanes)
    for part in layout.kernels:
        for read in part.reads:
            for place in range(part.output.width):
                step, lane = divmod(place + part.output.offset, part.output.lanes)
                for tap in range(part.taps):
                    wanted = place * part.stride - part.left + tap
                    index = read.start + lane * part.stride + tap
                    column = step * read.stream.lanes + index - read.history - read.stream.offset
                    assert column == wanted
                    assert 0 <= index < read.history + read.stream.lanes
                    outside = not 0 <= wanted < read.stream.width
                    assert gated(layout, part, lane, tap, step) == outside
        for border in part.borders:
            assert min((*border.first, *border.last, *border.within)) >= 0
            assert all(step < layout.groups - 1 for step in border.within)


@pytest.mark.parametrize(("graph", "lanes"), CASES, ids=IDS)
def test_kernels_over_whole_images_equal_the_graph(graph: FixedGraph, lanes: int) -> None:
    config = Config()
    logic = trace_stream(plan(graph, lanes), config.target, config.firmware)
    codes = images(graph, 6)
    expected = evaluate(graph, codes)
    assert len(np.unique(expected)) > 4
    assert np.array_equal(logic.predict(codes), expected)


def test_what_keeps_a_zero_is_done_inside_windows() -> None:
    layout = plan(elementwise(7, (3, 10, 2)), 2)
    assert [part.name for part in layout.kernels] == [
        "norm_in",
        "c1",
        "c2",
        "c3",
        "table",
        "both",
        "c4",
    ]
    assert "by_row" in layout.kernels[3].graph.by_name
    assert "leaky" in layout.kernels[1].graph.by_name
    rims_of = {part.name: part for part in plan(rims(4, (3, 17, 2)), 2).kernels}
    assert list(rims_of) == ["c1", "inside", "c2", "mean", "c3"]
    assert [rims_of[name].left for name in ("c1", "inside", "mean")] == [2, -2, 2]
    assert {"top", "rows"} <= rims_of["c3"].graph.by_name.keys()


def test_strides_divide_the_lanes() -> None:
    assert lanes_for(strides(9, (4, 17, 2)), 3) == 8
    assert lanes_for(pools(11, (5, 19, 2)), 6) == 4


def test_a_bound_below_zero_moves_the_padding() -> None:
    """Then zeros of the padding are not those of the layer, which gets a kernel of its own."""
    net = Layers(1)
    name = net.rectify("cut", net.cast("grid", net.conv("c1", net.input((2, 6, 1)), (1, 3), 2)))
    net.conv("c2", name, (1, 3), 1, relu=False)
    net.conv("c3", name, (1, 3), 1, relu=False)
    net.merge("sum", Add(), "c2", "c3")
    graph = net.graph()
    operation = graph.by_name["cut"].operation
    assert isinstance(operation, Rectify)
    assert "cut" not in [part.name for part in plan(graph, 2).kernels]
    below = replace(operation, threshold=-2, bound=-1)
    nodes = tuple(
        replace(node, operation=below) if node.name == "cut" else node for node in graph.nodes
    )
    changed = FixedGraph(graph.name, nodes, graph.outputs)
    found = {part.name: part for part in plan(changed, 2).kernels}
    assert isinstance(found["c1"].graph.by_name["cut"].operation, Rectify)
    assert isinstance(found["c2"].graph.by_name["cut"].operation, Input)
    config = Config()
    logic = trace_stream(plan(changed, 2), config.target, config.firmware)
    codes = images(changed, 6)
    assert np.array_equal(logic.predict(codes), evaluate(changed, codes))


def test_what_has_no_place_is_named_all_at_once() -> None:
    net = Layers(1)
    start = net.conv("c1", net.input((2, 6, 1)), (1, 3), 2)
    slopes = net.rectify("slopes", start)
    wide = net.pad("wide", start, (0, 0, 1, 1))
    net.merge("sum", Add(), net.cast("later", wide), wide)
    net.conv("c2", slopes, (1, 3), 1, relu=False)
    around = net.window("around", start, (2, 2), (2, 2))
    graph = FixedGraph("m", tuple(net.nodes), ("c2",))
    nodes = []
    for node in graph.nodes:
        operation = node.operation
        if node.name == slopes:
            assert isinstance(operation, Rectify)
            operation = replace(operation, slope=operation.slope + np.arange(6)[:, None])
        if node.name == around:
            operation = replace(operation, padding=(0, 0, 0, 1))  # type: ignore[call-arg]
        nodes.append(replace(node, operation=operation))
    with pytest.raises(ModelError) as caught:
        plan(FixedGraph("m", tuple(nodes), ("c2",)), 1)
    said = {blocker.where: blocker.fix for blocker in caught.value.blockers}
    assert list(said) == ["slopes", "wide", "around"]
    assert said["slopes"] == "use PReLU(shared_axes=[1, 2])"
    assert said["around"] == "use padding='valid'"
