"""Rules of thumb for LUTs and delay: what they count, and how near the cost model they come."""

from pathlib import Path

import numpy as np
import pytest

from trigger_ml.config import Config, load_config
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.merge_operations import Add
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    Dense,
    FixedGraph,
    Input,
    Node,
    Quantize,
    Relu,
    frozen_codes,
)
from trigger_ml.graph.tail import with_argmax
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.inspect.cost import rough_cost, traced_cost
from trigger_ml.lower.rtl import trace_graph
from trigger_ml.synth.rough import multiplications, rough_counts, signed_digits

ROOT = Path(__file__).parents[2]
NARROW, WIDE = FixedType(4, 4), FixedType(20, 10)
CAST = FixedType(4, 2, False, Rounding.RND_CONV, Overflow.SAT)


def model(path: str) -> FixedGraph:
    return direct_graph(read_keras(ROOT / path), None).graph


def dense(name: str, reads: str, weight: list[list[int]], bias: list[int]) -> Node:
    kind = FixedType(8, 8)
    codes = frozen_codes(np.array(weight)), kind, frozen_codes(np.array(bias)), kind
    return Node(name, Dense(*codes, WIDE), (reads,), (len(bias),), WIDE)


def node(name: str, operation: object, reads: tuple[str, ...], size: int, kind: FixedType) -> Node:
    return Node(name, operation, reads, (size,), kind)  # type: ignore[arg-type]


def counts(*nodes: Node) -> dict[str, float]:
    graph = FixedGraph("g", nodes, (nodes[-1].name,))
    return {name: item.lut for name, item in rough_counts(graph).items()}


def test_signed_digits_are_the_fewest() -> None:
    """Any number of n digits is one of n - 1 digits and a power of two more or less."""
    fewest = {0: 0}
    for count in range(1, 6):
        for value in [v for v, n in fewest.items() if n == count - 1]:
            for power in range(11):
                for other in (value + (1 << power), value - (1 << power)):
                    fewest.setdefault(other, count)
    values = np.arange(-512, 513)
    assert signed_digits(values).tolist() == [fewest[int(v)] for v in values]


def test_a_power_of_two_and_zero_cost_nothing() -> None:
    x = node("x", Input(), (), 2, NARROW)
    found = counts(x, dense("wires", "x", [[4, 0], [0, -2]], [0, 0]))
    assert found == {"x": 0.0, "wires": 0.0}


def test_adders_are_digits_less_one_and_wider_ones_cost_more() -> None:
    x, y = node("x", Input(), (), 2, NARROW), node("y", Input(), (), 2, WIDE)
    one = counts(x, dense("a", "x", [[1], [1]], [0]))["a"]
    assert one > 0
    assert counts(x, dense("a", "x", [[7], [1]], [3]))["a"] == pytest.approx(3 * one)
    assert counts(y, dense("a", "y", [[1], [1]], [0]))["a"] > 1.5 * one


def test_parts_of_a_concatenation_keep_their_widths() -> None:
    x, y = node("x", Input(), (), 2, NARROW), node("y", Input(), (), 2, WIDE)
    both = node("both", Concatenate(), ("x", "y"), 4, WIDE)
    on_x = dense("on_x", "both", [[1], [1], [0], [0]], [0])
    on_y = dense("on_y", "both", [[0], [0], [1], [1]], [0])
    found = counts(x, y, both, on_x, on_y)
    assert found["on_x"] == counts(x, dense("a", "x", [[1], [1]], [0]))["a"]
    assert found["on_y"] > found["on_x"]


def test_a_cast_that_changes_nothing_costs_nothing() -> None:
    x = node("x", Input(), (), 3, NARROW)
    found = counts(
        x,
        node("same", Quantize(), ("x",), 3, NARROW),
        node("cast", Quantize(), ("x",), 3, CAST),
        node("relu", Relu(), ("x",), 3, NARROW),
    )
    assert found["same"] == 0
    assert found["cast"] == found["relu"] > 0


def test_an_operation_without_a_rule_counts_as_adders() -> None:
    nodes = [node(name, Input(), (), 3, NARROW) for name in "xy"]
    assert counts(*nodes, node("sum", Add(), ("x", "y"), 3, NARROW))["sum"] > 0


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("equation", [("ab", "bc", "ac"), ("ab", "cb", "ca"), ("ab", "ab", "ab")])
def test_products_of_two_edges_are_near_what_is_traced(
    equation: tuple[str, str, str], width: int
) -> None:
    kind = FixedType(width, 2)
    nodes = (
        Node("a", Input(), (), (4, 4), kind),
        Node("b", Input(), (), (4, 4), kind),
        Node("y", Einsum(*equation, WIDE), ("a", "b"), (4, 4), WIDE),
    )
    graph = FixedGraph("g", nodes, ("y",))
    rough, traced = rough_counts(graph)["y"], trace_graph(graph).program
    assert rough.lut == pytest.approx(traced.cost, rel=0.1)
    assert rough.delay_ns == pytest.approx(traced.latency[1], rel=0.7)


def test_multiplications() -> None:
    x = node("x", Input(), (), 2, NARROW)
    assert multiplications(x) == 0
    assert multiplications(dense("a", "x", [[1, 0, 3], [0, 0, 0]], [0, 0, 0])) == 6
    muons = model("models/muon_segmenter/model.h5")
    first = next(n for n in muons.nodes if isinstance(n.operation, Conv2D) and n.name == "conv1")
    assert multiplications(first) == 8 * 384 * 3 * 3 * 6 * first.shape[-1]


@pytest.mark.parametrize(
    ("path", "lut", "cycles"),
    [
        ("models/jet_tagger/model.h5", 4_610, 15),
        ("models/muon_segmenter/model.h5", 170_075, 23),
        ("models/edge_classifier/model.h5", 127_807, 49),
        ("models/edge_classifier_accurate/model.h5", 245_850, 71),
    ],
)
def test_committed_models_are_near_the_cost_model(path: str, lut: int, cycles: int) -> None:
    """lut, cycles: by alkaid's cost model, at the throughput in each model's compile.yaml."""
    config = load_config((ROOT / path).with_name("compile.yaml"))
    found = rough_cost(model(path), config)
    assert 0.85 < found.lut / lut < 1.15
    assert 0.85 < found.latency_cycles / cycles < 1.15


def test_small_networks_are_near_what_is_traced() -> None:
    graph = model("tests/data/tiny_qkeras.h5")
    for network in (graph, with_argmax(graph)):
        rough, traced = rough_cost(network, Config()), traced_cost(network, Config())
        assert 0.7 < rough.lut / traced.lut < 1.4
        assert abs(rough.latency_cycles - traced.latency_cycles) <= 2
        assert rough.ii_cycles == traced.ii_cycles == 1


def test_a_stream_is_near_what_is_traced() -> None:
    graph = model("tests/data/tiny_graph.h5")
    rough, traced = rough_cost(graph, Config()), traced_cost(graph, Config())
    assert rough.ii_cycles == traced.ii_cycles == 5
    assert 0.7 < rough.lut / traced.lut < 1.4
    assert abs(rough.latency_cycles - traced.latency_cycles) <= 3
    assert set(rough.by_node) == set(graph.by_name)
