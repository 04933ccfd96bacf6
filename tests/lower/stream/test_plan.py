"""The geometry of a stream: offsets, history and borders, against a count over positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.lower.stream.networks import Sketch, chain, edges_and_nodes, residual, strided, u_net
from trigger_ml.config import Config
from trigger_ml.errors import ConfigError, ModelError
from trigger_ml.graph.model import ArgMax, FixedGraph, Node, Transpose
from trigger_ml.graph.types import FixedType, Rounding
from trigger_ml.lower.stream.layout import KernelPlan, StreamPlan
from trigger_ml.lower.stream.plan import lanes_for, plan
from trigger_ml.lower.throughput import columns_per_clock

CASES = [
    (chain(1, (4, 30, 2)), 7),
    (chain(2, (4, 28, 2)), 7),
    (chain(3, (4, 6, 2)), 1),
    (u_net(4, (4, 16, 2)), 4),
    (u_net(5, (2, 10, 1)), 2),
    (strided(5, (2, 33, 2)), 4),
    (residual(8, (4, 16, 2)), 4),
    (edges_and_nodes(6, 7, 1), 2),
]


@pytest.mark.parametrize(("graph", "lanes"), CASES)
def test_every_tap_is_the_column_it_should_be(graph: FixedGraph, lanes: int) -> None:
    """Columns are followed through windows step by step; a tap is right, or gated."""
    layout = plan(graph, lanes)
    for part in layout.kernels:
        seen = 0
        for read in part.reads:
            for place in range(part.output.width):
                step, lane = divmod(place + part.output.offset, part.output.lanes)
                for tap in range(part.taps):
                    wanted = place * part.stride - part.left + tap
                    index = read.start + lane * part.stride + tap
                    column = step * read.stream.lanes + index - read.history - read.stream.offset
                    assert column == wanted
                    outside = not 0 <= wanted < read.stream.width
                    assert gated(layout, part, lane, tap, step) == outside
                    seen += 1
        assert seen


def gated(layout: StreamPlan, part: KernelPlan, lane: int, tap: int, step: int) -> bool:
    """Whether a tap is made zero at a step of an image, counted from the image's first."""
    for border in part.borders:
        if (border.lane, border.tap) == (lane, tap):
            at_first = step in (*border.first, *border.within)
            return at_first or step - (layout.groups - 1) in border.last
    return False


def test_offsets_add_up_to_the_columns_on_the_right() -> None:
    net = Sketch(0)
    name = net.conv("c1", net.input((2, 40, 1)), (1, 5), 1)
    net.conv("c2", name, (1, 4), 1, relu=False)
    layout = plan(net.graph(), 8)
    assert [part.output.offset for part in layout.kernels] == [2, 4]
    assert layout.flush == 1
    assert layout.history == 4


def test_muon_chamber_at_one_image_a_crossing() -> None:
    graph = chain(0, (8, 384, 6))
    assert columns_per_clock(graph, Config()) == 43
    assert plan(graph, 43).groups == 9


def test_pooling_asks_for_a_multiple() -> None:
    graph = u_net(0, (4, 384, 2))
    assert lanes_for(graph, 9) == 44
    with pytest.raises(ConfigError, match=r"(?s)is 43, and the pooling .* multiple of 2.*use 44"):
        plan(graph, 43)


def test_an_interval_below_a_clock_is_refused() -> None:
    with pytest.raises(ConfigError, match="shorter than a clock"):
        lanes_for(chain(0, (2, 8, 1)), 0)


def test_more_columns_than_an_image_has_are_refused() -> None:
    graph = chain(0, (4, 30, 2))
    assert plan(graph, 30).groups == 1
    with pytest.raises(ConfigError, match=r"(?s)is 31, and an image has 30 columns.*at most 30"):
        plan(graph, 31)
    odd = u_net(0, (4, 17, 2))
    assert plan(odd, 18).groups == 1
    with pytest.raises(ConfigError, match="use at most 18"):
        plan(odd, 20)


def test_upsampling_into_another_type_is_refused_by_name() -> None:
    """Two readers, so that no kernel could do the conversion for one of them."""
    net = Sketch(0)
    up = net.up("up", net.conv("c1", net.input((2, 8, 1)), (1, 3), 2), (1, 2))
    both = net.concatenate("both", net.conv("c2", up, (1, 3), 2), up)
    net.conv("c3", both, (1, 3), 1, relu=False)
    graph = net.graph()
    plan(graph, 2)
    kind = graph.by_name["up"].type
    for other, refused in (
        (replace(kind, width=kind.width - 1), True),
        (replace(kind, integer=kind.integer + 1), True),
        (replace(kind, rounding=Rounding.RND), False),
    ):
        nodes = tuple(replace(n, type=other) if n.name == "up" else n for n in graph.nodes)
        changed = FixedGraph(graph.name, nodes, graph.outputs)
        if not refused:
            plan(changed, 2)
            continue
        with pytest.raises(ModelError, match="upsampling in a stream is wires") as caught:
            plan(changed, 2)
        assert [blocker.where for blocker in caught.value.blockers] == ["up"]


def test_what_cannot_be_streamed_is_named_all_at_once() -> None:
    graph = chain(0, (2, 8, 1))
    last = graph.nodes[-1]
    extra = tuple(
        Node(name, ArgMax(), (last.name,), (1,), FixedType(4, 4, signed=False))
        for name in ("winner", "other")
    )
    with pytest.raises(ModelError) as caught:
        plan(FixedGraph("m", (*graph.nodes, *extra), ("winner", "other")), 4)
    places = [blocker.where for blocker in caught.value.blockers]
    assert places == ["winner", "other", "model"]


def test_elementwise_layers_join_the_kernel_before_them() -> None:
    layout = plan(chain(0, (2, 8, 1)), 4)
    assert [part.name for part in layout.kernels] == ["c1", "c2", "c3"]
    assert [len(part.graph.nodes) for part in layout.kernels] == [3, 3, 2]


def test_concatenation_joins_the_kernel_behind_it() -> None:
    layout = plan(u_net(0, (4, 16, 2)), 4)
    last = layout.kernels[-1]
    assert [read.stream.name for read in last.reads] == ["up", "c1_relu"]
    assert "both" in last.graph.by_name


def test_kernel_graphs_have_no_padding_over_the_width() -> None:
    for part in plan(chain(0, (4, 9, 2)), 3).kernels:
        node = part.graph.by_name[part.name]
        assert node.operation.padding[2:] == (0, 0)  # type: ignore[attr-defined]
        assert node.shape[1] == 1
        assert (
            np.prod(part.graph.input_nodes[0].shape)
            == part.taps * 4 * node.operation.weight.shape[2]
        )  # type: ignore[attr-defined]


def test_the_width_stays_where_it_is() -> None:
    net = Sketch(0)
    source = net.conv("c1", net.input((4, 6, 2)), (1, 3), 3)
    net.add("turned", Transpose((1, 0, 2)), (source,), (6, 4, 3), net.type(source))
    net.conv("c2", "turned", (1, 3), 1, relu=False)
    with pytest.raises(
        ModelError, match=r"(?s)turned: puts the axes in the order \(1, 0, 2\).*3, 2, 1"
    ):
        plan(net.graph(), 1)
